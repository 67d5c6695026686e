"""State dicts are read as data: nothing in a file can make the reader do anything else."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import time
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.state_dicts.containers import PICKLE_LIMIT, read_checkpoint
from tests.state_dicts import torch_files
from tests.state_dicts.torch_files import Storage, Tensor, dump, two_tensors


@pytest.fixture(autouse=True)
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_files.pretend_torch(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


def test_tensors_come_with_their_names_shapes_and_values(file: Path) -> None:
    file.write_bytes(two_tensors())
    tensors = read_checkpoint(file).tensors
    assert list(tensors) == ["a.weight", "b.weight"]
    np.testing.assert_array_equal(tensors["a.weight"], [[0, 1, 2], [3, 4, 5]])


def test_a_transposed_tensor_is_read_in_its_own_order(file: Path) -> None:
    file.write_bytes(two_tensors())
    np.testing.assert_array_equal(
        read_checkpoint(file).tensors["b.weight"], [[0, 3], [1, 4], [2, 5]]
    )


class Runs:
    """Pickles as a call, as an attack would."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr, os.putenv])
def test_a_pickle_that_calls_anything_else_is_refused_unrun(
    file: Path, function: object, protocol: int
) -> None:
    witness = file.with_name("it-ran")
    commands = {os.system: f"touch {witness}", open: str(witness)}
    argument = commands.get(function, f"__import__('pathlib').Path({str(witness)!r}).touch()")
    extra = (argument, "w") if function in (open, getattr, os.putenv) else (argument,)
    file.write_bytes(two_tensors(tensors={"a": Runs(function, *extra)}, protocol=protocol))
    with pytest.raises(InputError, match=r"which weights do not need|has no place in weights"):
        read_checkpoint(file)
    assert not witness.exists()


FLOATS = Storage("1", "FloatStorage", 6)
OTHER = Storage("2", "FloatStorage", 6)


class TestArchive:
    """The format of PyTorch 1.6 and newer."""

    VALUES: ClassVar = np.arange(6, dtype=np.float32)

    def written(self, file: Path, **parts: Any) -> Path:
        tensor = Tensor(Storage("0", "FloatStorage", 6), 0, (3, 2), (1, 3))
        storages = parts.pop("storages", {"0": self.VALUES})
        saved = parts.pop("saved", {"a.weight": tensor})
        file.write_bytes(torch_files.archive(saved, storages, **parts))
        return file

    def test_tensors_come_with_their_names_shapes_and_values(self, file: Path) -> None:
        tensors = read_checkpoint(self.written(file)).tensors
        np.testing.assert_array_equal(tensors["a.weight"], [[0, 3], [1, 4], [2, 5]])

    def test_the_architecture_that_timm_s_script_keeps_is_read(self, file: Path) -> None:
        tensor = Tensor(Storage("0", "FloatStorage", 6), 0, (6,), (1,))
        saved = {"arch": "tf_efficientnet_b0", "state_dict": {"a": tensor}}
        assert read_checkpoint(self.written(file, saved=saved)).architecture == "tf_efficientnet_b0"

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            pytest.param({"byteorder": "big"}, "big-endian", id="big-endian"),
            pytest.param({"folder": "a/b"}, "no data.pkl", id="a pickle further down"),
            pytest.param({"storages": {}}, "is not there", id="a storage without bytes"),
            pytest.param({"storages": {"0": VALUES[:5]}}, "of another size", id="cut short"),
            pytest.param({"compression": zipfile.ZIP_DEFLATED}, "compressed", id="compressed"),
            pytest.param({"saved": {"a": 1.5}}, "'a' is not a tensor", id="no tensor"),
        ],
    )
    def test_what_pytorch_does_not_write_is_an_input_error(
        self, file: Path, parts: dict, message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            read_checkpoint(self.written(file, **parts))

    def test_entries_that_lie_one_upon_the_other_are_not_all_read(self, file: Path) -> None:
        tensors = {
            f"t{n}": Tensor(Storage(str(n), "FloatStorage", 100), 0, (100,), (1,))
            for n in range(200)
        }
        values = np.zeros(100, np.float32)
        self.written(file, saved=tensors, storages={str(n): values for n in range(200)})
        assert len(read_checkpoint(file).tensors) == 200
        with zipfile.ZipFile(file) as archive:
            pickled = archive.read("archive/data.pkl").replace(b"Kd", b"M\xe8\x03")
        file.write_bytes(b"PK" + bytes(8))
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/data/0", bytes(4000))
            for number in range(1, 200):
                again = copy.copy(archive.getinfo("archive/data/0"))
                again.filename = f"archive/data/{number}"
                archive.filelist.append(again)
        with pytest.raises(InputError, match="larger than the file"):
            read_checkpoint(file)

    def test_a_small_file_cannot_unpack_to_a_large_pickle(self, file: Path) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(PICKLE_LIMIT + 1))
        assert file.stat().st_size < 1 << 20
        with pytest.raises(InputError, match="larger than that of any EfficientNet"):
            read_checkpoint(file)

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_damage_is_an_input_error_or_harmless(
        self, file: Path, data: st.DataObject
    ) -> None:
        content = bytearray(self.written(file).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with contextlib.suppress(InputError):
            assert read_checkpoint(file).tensors


def test_numbers_that_are_not_read_are_said_to_be_so(file: Path) -> None:
    file.write_bytes(legacy(b"ctorch\nBFloat16Storage\n"))
    with pytest.raises(InputError, match="BFloat16Storage, which is not read: save them as float"):
        read_checkpoint(file)


def nested(depth: int) -> bytes:
    """A tuple of a tuple twice, of a tuple twice, ...: 2^depth values in a few bytes."""
    steps = b"".join(b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(depth))
    return b"K\x01q\x00" + steps


def legacy(pickle_of_weights: bytes) -> bytes:
    head = b"".join(dump(value) for value in (torch_files.MAGIC, 1001, torch_files.SYSTEM))
    return head + b"\x80\x02" + pickle_of_weights + b"." + dump([])


STORAGE = b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        pytest.param(b"}" + nested(60) + b"K\x01s", "key of type tuple", id="as a key"),
        pytest.param(
            b"}X\x01\x00\x00\x00a(" + nested(60) + b"tQs", "not a storage", id="as a reference"
        ),
        pytest.param(
            b"}X\x01\x00\x00\x00a(" + STORAGE + nested(60) + b"NtQs",
            "is not a size",
            id="as a size",
        ),
        pytest.param(
            b"}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n(("
            + STORAGE
            + b"K\x01NtQK\x00("
            + b"J\xff\xff\xff\x7f" * 200_000
            + b"tq\x00h\x00tRs",
            "not described as PyTorch does",
            id="a tensor of many axes",
        ),
        pytest.param(b"]r\xfe\xff\x0f\x00", "dictionary of tensors", id="a far memo"),
        pytest.param(
            b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb",
            "dictionary of tensors",
            id="attributes that hide methods",
        ),
    ],
)
def test_a_short_pickle_takes_a_short_time(file: Path, pickled: bytes, message: str) -> None:
    file.write_bytes(legacy(pickled))
    begin = time.process_time()
    with pytest.raises(InputError, match=message):
        read_checkpoint(file)
    assert time.process_time() - begin < 5


def pair(tensor: Tensor) -> dict[str, Tensor]:
    return {"a.weight": tensor, "b.weight": Tensor(OTHER, 0, (6,), (1,))}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param({"magic": 7}, "legacy format", id="another magic number"),
        pytest.param({"system": {"little_endian": False}}, "big-endian", id="big-endian"),
        pytest.param({"tensors": [1, 2]}, "dictionary of tensors", id="a list"),
        pytest.param({"tensors": {"a": 1}}, "'a' is not a tensor", id="a number for a tensor"),
        pytest.param({"keys": ["1"]}, "list of storages", id="a storage without bytes"),
        pytest.param({"keys": {"1": 2}}, "list of storages", id="keys of another type"),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 0, (3, 3), (3, 1)))},
            "more elements",
            id="larger than its storage",
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 4, (3,), (1,)))}, "a.weight", id="past the end"
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 0, (2, 3), (1 << 40, 1)))},
            "a.weight",
            id="a stride past the end",
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, -1, (2,), (1,)))}, "not a size", id="negative offset"
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 0, (-2, -3), (3, 1)))}, "not a size", id="negative"
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 0, (1 << 40,), (0,)))},
            "more elements",
            id="one element repeated a million million times",
        ),
        pytest.param(
            {"tensors": pair(Tensor(FLOATS, 0, (6,), (1, 1)))}, "PyTorch", id="too many strides"
        ),
        pytest.param(
            {"tensors": pair(Tensor(Storage("1", "FloatStorage", 7), 0, (2,), (1,)))},
            "holds 6 elements, not 7",
            id="a storage of another size",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_an_input_error(
    file: Path, parts: dict, message: str
) -> None:
    file.write_bytes(two_tensors(**parts))
    with pytest.raises(InputError, match=message):
        read_checkpoint(file)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="a zip archive"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(100), id="HDF5"),
        pytest.param(b"\x80\x02r\xff\xff\xff\xff.", id="a memo of four thousand million"),
        pytest.param(b"\x80\x02\x8a\xff" + bytes(10), id="a number cut short"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7fabc.", id="a text of two gigabytes"),
        pytest.param(b"(" * 100_000 + b".", id="a hundred thousand marks"),
        pytest.param(pickle.dumps({"a": np.zeros(3)}), id="a pickled numpy array"),
    ],
)
def test_what_is_no_state_dict_is_an_input_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.pth"):
        read_checkpoint(file)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_an_input_error_or_harmless(file: Path, data: st.DataObject) -> None:
    content = bytearray(two_tensors())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        tensors = read_checkpoint(file).tensors
    except InputError:
        return
    assert all(isinstance(values, np.ndarray) for values in tensors.values())


def test_the_fields_of_a_tensor_cannot_be_overwritten(file: Path) -> None:
    # BUILD with a dictionary sets attributes of the object before it.
    build = dump({"a": Tensor(FLOATS, 0, (2, 3), (3, 1))})
    state = pickle.dumps({"shape": (1000, 1000)}, 2)[2:-1]
    attacked = build.replace(b"R", b"R" + state + b"b", 2)
    head = b"".join(dump(value) for value in (torch_files.MAGIC, 1001, torch_files.SYSTEM))
    file.write_bytes(head + attacked + dump(["1"]) + (6).to_bytes(8, "little") + bytes(24))
    with pytest.raises(InputError, match="attributes of something that has none"):
        read_checkpoint(file)
