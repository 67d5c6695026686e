"""Pictures timed on a board, over a real sshd."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from edgeeff.benchmarking.pictures import picture_stages
from edgeeff.benchmarking.run import benchmark
from edgeeff.devices.ssh_pictures import archive, name_of, whole
from edgeeff.devices.worker_bench import WorkerBench
from edgeeff.evaluation.normalisation import Normalisation
from tests.devices.boards import PLAN, Server
from tests.tflite import tiny

pytestmark = pytest.mark.slow

NORMALISATION = Normalisation(("127.5", "127.5"))


@pytest.fixture
def pictures(tmp_path: Path, photographs: dict[str, Image.Image]) -> Path:
    """A folder of two pictures and a copy of one."""
    folder = tmp_path / "pictures of mine"
    folder.mkdir()
    photographs["coffee"].save(folder / "coffee.PNG")
    photographs["rocket"].save(folder / "rocket.jpg")
    (folder / "again.png").write_bytes((folder / "coffee.PNG").read_bytes())
    return folder


@pytest.mark.sshd
def test_a_board_times_its_own_preprocessing_and_keeps_no_picture(
    server: Server,
    pictures: Path,
) -> None:
    passes = {"stages": picture_stages(pictures, NORMALISATION, device=server.address())}
    models = [tiny.FLOAT32, tiny.INT8]
    result = benchmark(models, device=server.address(), plan=PLAN, passes=passes)
    assert result.failures == ()
    for found in result.measurements:
        assert found.stages is not None
        assert found.stages.pictures == 3
        # Decoding and resizing a photograph takes milliseconds, this network microseconds.
        assert found.stages.preprocessing_ms > found.stages.invoke_ms > 0
    assert server.left() == []


@pytest.mark.sshd
def test_pictures_are_copied_once_and_whole(
    server: Server,
    pictures: Path,
) -> None:
    board = server.board()
    paths = sorted(pictures.iterdir())

    def carried() -> list[Path]:
        with board.bench(tiny.FLOAT32, "cpu", PLAN) as bench:
            assert isinstance(bench, WorkerBench)
            return [Path(path) for path in bench.carry(paths)]

    there = carried()
    assert [path.read_bytes() for path in there] == [path.read_bytes() for path in paths]
    first, second = sorted(set(there))
    second.write_bytes(b"damaged")
    kept = first.stat().st_mtime_ns, first.stat().st_ino
    assert carried() == there
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == kept
    assert [path.read_bytes() for path in there] == [path.read_bytes() for path in paths]
    board.close()
    assert server.left() == []


def test_names_are_sums_that_prove_what_arrived(pictures: Path) -> None:
    names = {name_of(path): path for path in pictures.iterdir()}
    assert {Path(name).suffix for name in names} == {".png", ".jpg"}
    with tarfile.open(fileobj=io.BytesIO(archive(names))) as tar:
        assert tar.getnames() == list(names)
    listed = "".join(f"{name.partition('.')[0]}  {name}\n" for name in names)
    assert whole(listed) == set(names)
    assert whole(listed.replace(listed[:8], "00000000", 1)) < set(names)
    assert whole("sha256sum: '*': No such file or directory") == set()
