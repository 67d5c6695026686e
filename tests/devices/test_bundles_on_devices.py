"""``verify`` on boards and phones: the file there and the answers it gives there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

import edgeeff
from edgeeff.bundling import storage
from edgeeff.cli import main
from edgeeff.devices import android
from edgeeff.errors import TargetUnavailable, UsageError
from tests.devices import benchmark_model_double as double
from tests.devices.boards import Server
from tests.devices.phones import TestPhone
from tests.documents import validated

INTEGER, FLOAT = "models/int8.tflite", "models/float32.tflite"


@pytest.fixture(scope="module")
def bundle(user_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network in int8 and float32."""
    models = [user_folder / "int8.tflite", user_folder / "float32.tflite"]
    return edgeeff.bundle(models, tmp_path_factory.mktemp("bundles") / "tiny").path


@pytest.fixture
def three_steps_off(bundle: Path, tmp_path: Path) -> Path:
    """The bundle with a golden output that no device gives, sealed."""
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    place = copy / "golden/int8/01.output"
    values = np.frombuffer(place.read_bytes(), np.uint8).copy()
    values[4] += 3 if values[4] < 100 else -3
    place.write_bytes(values.tobytes())
    output = json.loads((copy / "bundle.json").read_text())["models"][0]["output"]
    real = np.float32(output["scale"]) * (values.astype(np.float32) - output["zero_point"])
    (copy / "golden/int8/01.scores").write_bytes(real.tobytes())
    (copy / storage.CHECKSUMS).unlink()
    files = {p.relative_to(copy).as_posix(): p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    (copy / storage.CHECKSUMS).write_bytes(storage.checksums(files))
    return copy


@pytest.fixture
def here_too(phone: TestPhone, monkeypatch: pytest.MonkeyPatch) -> TestPhone:
    """The phone, with its storage where edgeeff works."""
    monkeypatch.setattr(android, "DIRECTORY", PurePosixPath(phone.storage))
    return phone


@pytest.mark.sshd
class TestABoard:
    @pytest.mark.slow
    def test_gives_the_golden_bytes(self, server: Server, bundle: Path) -> None:
        found = edgeeff.verify(bundle, device=server.address())
        assert found.good
        assert (found.device, found.target) == (server.board().name, "cpu")
        assert [each.steps for each in found.differences[INTEGER]] == [0, 0, 0]
        assert all(each.within for each in found.differences[FLOAT])
        validated(found.text())

    @pytest.mark.slow
    def test_is_told_which_answer_is_off_by_how_much(
        self, server: Server, three_steps_off: Path
    ) -> None:
        (fault,) = edgeeff.verify(three_steps_off, device=server.address()).faults
        assert fault == (
            f"{INTEGER}: output 'probabilities' for synthetic picture 1 is off by up to "
            "3 quantization steps in 1 of 10 values"
        )
        assert edgeeff.verify(three_steps_off, device=server.address(), steps=3).good

    @pytest.mark.slow
    def test_where_the_file_was_changed_computes_another_sum(
        self, server: Server, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        board = server.board()
        copied = board._copy

        def changed(content: bytes) -> str:
            place = Path(copied(content))
            place.write_bytes(place.read_bytes() + b"\0")
            return str(place)

        monkeypatch.setattr(board, "_copy", changed)
        monkeypatch.setattr("edgeeff.devices.connect", lambda address: [board])
        found = edgeeff.verify(bundle, device=server.address())
        assert len([fault for fault in found.faults if "its sha256 there is" in fault]) == 2

    @pytest.mark.slow
    def test_without_the_target_says_so(self, server: Server, bundle: Path) -> None:
        with pytest.raises(TargetUnavailable, match=r"libedgetpu\S* cannot be loaded"):
            edgeeff.verify(bundle, device=server.address(), target="edgetpu")


@pytest.mark.adbd
class TestAPhone:
    @pytest.mark.slow
    def test_gives_the_golden_bytes_by_a_double_that_is_named(
        self, here_too: TestPhone, bundle: Path
    ) -> None:
        found = edgeeff.verify(bundle, device=f"android:{here_too.serial}")
        assert found.good, found.faults
        assert [each.steps for each in found.differences[INTEGER]] == [0, 0, 0]
        assert found.notes == ("these answers are of test-double, not of hardware",)
        assert found.machine == "arm64-v8a"

    @pytest.mark.slow
    def test_that_computes_something_else_does_not_pass(
        self, here_too: TestPhone, bundle: Path
    ) -> None:
        here_too.behave(double.WRONG_OUTPUTS)
        found = edgeeff.verify(bundle, device=f"android:{here_too.serial}")
        assert any("quantization steps" in fault for fault in found.faults)

    @pytest.mark.slow
    def test_whose_gpu_gives_every_bit_of_a_cpu_is_doubted(
        self, here_too: TestPhone, bundle: Path
    ) -> None:
        found = edgeeff.verify(bundle, device=f"android:{here_too.serial}", target="gpu")
        assert any("probably one did the work of the gpu" in note for note in found.notes)

    @pytest.mark.slow
    def test_whose_gpu_takes_nothing_is_a_fault_of_each_model(
        self, here_too: TestPhone, bundle: Path
    ) -> None:
        here_too.behave(double.NOTHING_DELEGATED)
        found = edgeeff.verify(bundle, device=f"android:{here_too.serial}", target="gpu")
        assert [fault.partition(":")[0] for fault in found.faults] == [INTEGER, FLOAT]

    @pytest.mark.slow
    def test_of_several_has_to_be_named(
        self, here_too: TestPhone, new_phone: Callable[[], TestPhone], bundle: Path
    ) -> None:
        new_phone()
        with pytest.raises(UsageError, match="names 2 devices"):
            edgeeff.verify(bundle, device="android:all")


@pytest.mark.slow
@pytest.mark.sshd
def test_the_command_says_where_it_was(server: Server, bundle: Path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["verify", str(bundle), "--device", server.address()])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert server.board().name in " ".join(shown.split())


def test_a_device_of_no_kind_is_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="unknown device 'psychic'"):
        edgeeff.verify(bundle, device="psychic")
