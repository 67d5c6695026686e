import contextlib
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from edgeeff.errors import InputError
from edgeeff.tflite import metadata as module
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.metadata import (
    ENTRY,
    ModelMetadata,
    associated_files,
    files_behind,
    read_associated_file,
    read_labels,
    read_metadata,
    read_preprocessing,
)
from edgeeff.tflite.reader import parse_model, read_model
from tests import mutants
from tests.tflite import objects, tiny

CONTENT = tiny.INT8_METADATA.read_bytes()


@pytest.fixture
def described() -> ModelMetadata:
    found = read_metadata(read_model(tiny.INT8_METADATA))
    assert found is not None
    return found


def appended(tmp_path: Path, archive: bytes) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny.INT8.read_bytes() + archive)
    return path


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class TestOfMediaPipe:
    def test_tells_of_the_model(self, described: ModelMetadata) -> None:
        assert (described.name, described.version) == ("tiny", "v1")
        assert (described.author, described.license) == ("edgeeff", "Apache-2.0")

    def test_tells_how_to_prepare_the_picture(self, described: ModelMetadata) -> None:
        (image,) = described.inputs
        assert (image.name, image.color_space) == ("image", "RGB")
        assert (image.mean, image.std) == ((127.0,), (128.0,))
        assert (image.minimum, image.maximum) == ((-1.0,), (1.0,))

    def test_names_the_labels_of_the_output(self, described: ModelMetadata) -> None:
        (scores,) = described.outputs
        (labels,) = scores.files
        assert (labels.name, labels.kind) == ("labels.txt", "TENSOR_AXIS_LABELS")
        assert read_labels(tiny.INT8_METADATA, scores) == tuple(f"class {n}" for n in range(10))

    def test_an_input_has_no_labels(self, described: ModelMetadata) -> None:
        assert read_labels(tiny.INT8_METADATA, described.inputs[0]) is None


def test_a_model_without_metadata_has_none() -> None:
    assert read_metadata(read_model(tiny.INT8)) is None
    assert associated_files(tiny.INT8) == {}


def test_lists_the_files_behind_the_model(tmp_path: Path) -> None:
    path = appended(tmp_path, zipped(labels=b"cat\ndog\n", readme=b"hello"))
    assert associated_files(path) == {"labels": 8, "readme": 5}
    assert read_associated_file(path, "labels") == b"cat\ndog\n"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"carries no file 'labels\.txt'"):
        read_associated_file(appended(tmp_path, zipped(other=b"")), "labels.txt")


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = appended(tmp_path, zipped(bomb=bytes(module.MOST_FILE_BYTES + 1)))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="more than"):
        read_associated_file(path, "bomb")


def test_an_archive_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    with pytest.raises(InputError, match="more than 2 files"):
        associated_files(appended(tmp_path, zipped(a=b"", b=b"", c=b"")))


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused() -> None:
    many = {f"file{number}": bytes(module.MOST_FILE_BYTES) for number in range(6)}
    with pytest.raises(InputError, match="far more"):
        files_behind(tiny.INT8.read_bytes() + zipped(**many))


def test_a_preprocessing_that_is_nested_too_deeply_is_an_error() -> None:
    graph = Graph.of(tiny.INT8.read_bytes())
    graph.attach(module.PREPROCESSING_ENTRY, b"[" * 100_000)
    with pytest.raises(InputError, match="is damaged: it is nested too deeply"):
        read_preprocessing(parse_model(graph.content()))


def test_labels_that_are_no_text_are_an_error(tmp_path: Path, described: ModelMetadata) -> None:
    path = appended(tmp_path, zipped(**{"labels.txt": b"\xff\xfe\x00cat"}))
    with pytest.raises(InputError, match="UTF-8"):
        read_labels(path, described.outputs[0])


def test_metadata_of_another_kind_is_an_error() -> None:
    content = tiny.changed(tiny.INT8, lambda model: objects.attach(model, ENTRY, b"x" * 64))
    with pytest.raises(InputError, match="identifier"):
        read_metadata(parse_model(content))


def test_a_mean_that_is_not_a_number_is_an_error() -> None:
    assert CONTENT.count(struct.pack("<f", 127.0)) == 1
    content = CONTENT.replace(struct.pack("<f", 127.0), struct.pack("<f", float("nan")))
    with pytest.raises(InputError, match="not a number"):
        read_metadata(parse_model(content))


@mutants.many
@given(edits=mutants.edits(-1200, -1))
def test_a_damaged_end_of_the_file_is_read_or_refused(edits: mutants.Edits, tmp_path: Path) -> None:
    """The end holds the archive; metadata that is reached through it is read as well."""
    path = tmp_path / "damaged.tflite"
    path.write_bytes(mutants.edited(CONTENT, edits))
    with contextlib.suppress(InputError):
        metadata = read_metadata(read_model(path))
        for name in associated_files(path):
            read_associated_file(path, name)
        for tensor in metadata.outputs if metadata else ():
            read_labels(path, tensor)


WHOLE = bytes(read_model(tiny.INT8_METADATA).metadata[ENTRY])
START = CONTENT.index(WHOLE)


@mutants.many
@given(edits=mutants.edits(START + 4, START + len(WHOLE) - 1))
def test_damaged_metadata_is_read_or_refused(edits: mutants.Edits) -> None:
    model = parse_model(mutants.edited(CONTENT, edits))
    with contextlib.suppress(InputError):
        read_metadata(model)
