"""What models tell app frameworks, and that following it gives what their inputs take."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import FAMILIES, Preprocessing, of_family
from edgeeff.quantization.input_grid import pixel_grid
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.flatbuffer import decode, read_schema
from edgeeff.tflite.flatbuffer_writer import encode
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.metadata import (
    ENTRY,
    IDENTIFIER,
    ROOT,
    ModelMetadata,
    associated_files,
    read_labels,
    read_metadata,
    read_preprocessing,
)
from edgeeff.tflite.metadata_writer import PARSER_VERSION, Texts, archive, write_metadata
from edgeeff.tflite.reader import parse_model, read_model
from edgeeff.tflite.runner import Runner, TensorInfo, quantize
from tests.tflite import tiny

LITE = of_family("lite", 32)
LABELS = tuple(f"thing {number}" for number in range(10))


def metadata(content: bytes) -> ModelMetadata:
    found = read_metadata(parse_model(content))
    assert found is not None
    return found


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
class TestOfAnyPrecision:
    def test_says_what_the_model_is(self, path: Path) -> None:
        texts = Texts("tiny", "Ten things.", "1.2", "me", "Apache-2.0")
        found = metadata(write_metadata(path.read_bytes(), LITE, texts=texts))
        assert (found.name, found.description) == ("tiny", "Ten things.")
        assert (found.version, found.author, found.license) == ("1.2", "me", "Apache-2.0")

    def test_carries_the_labels(self, path: Path, tmp_path: Path) -> None:
        model = written(tmp_path, write_metadata(path.read_bytes(), LITE, labels=LABELS))
        (output,) = metadata(model.read_bytes()).outputs
        assert read_labels(model, output) == LABELS

    def test_answers_as_before(self, path: Path) -> None:
        before = Runner(path)
        image = np.random.default_rng(0).integers(0, 127, before.inputs[0].shape)
        raw = image.astype(before.inputs[0].dtype)
        after = Runner(write_metadata(path.read_bytes(), LITE, labels=LABELS))
        np.testing.assert_array_equal(after.run(raw), before.run(raw))

    def test_is_the_same_twice(self, path: Path) -> None:
        once = write_metadata(path.read_bytes(), LITE, labels=LABELS)
        assert write_metadata(path.read_bytes(), LITE, labels=LABELS) == once

    def test_tells_edgeeff_the_whole_preprocessing(self, path: Path) -> None:
        how = of_family("imagenet", 32) if path != tiny.INT8 else LITE
        assert read_preprocessing(parse_model(write_metadata(path.read_bytes(), how))) == how


def inputs() -> list[tuple[str, str, TensorInfo, Preprocessing]]:
    """Inputs as edgeeff writes them, by family and type."""
    found = []
    for family in FAMILIES:
        how = of_family(family, 8)
        grid = pixel_grid(how)
        scale, point = (grid.scale, grid.zero_point) if grid else (1.0, -128)
        for dtype, shift in (("float32", None), ("int8", 0), ("uint8", 128)):
            ends = (None, None) if shift is None else (scale, point + shift)
            info = TensorInfo("image", (1, 8, 8, 3), np.dtype(dtype), *ends)
            found.append((family, dtype, info, how))
    return found


@pytest.mark.parametrize(
    ("family", "dtype", "info", "how"), inputs(), ids=lambda it: it if isinstance(it, str) else ""
)
def test_the_normalization_gives_what_the_input_takes(
    family: str, dtype: str, info: TensorInfo, how: Preprocessing
) -> None:
    """An app computes ``(x - mean) / std`` and quantizes that as the tensor says."""
    graph = Graph.empty()
    number = graph.add_tensor(
        "image", info.shape, dtype, scale=info.scale, zero_point=info.zero_point or 0
    )
    graph._inputs = graph._outputs = (number,)
    (said,) = metadata(write_metadata(graph.content(), how)).inputs
    pixels = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    values = (pixels - np.float32(said.mean)) / np.float32(said.std)
    expected = feeding(info, how)(pixels)
    np.testing.assert_allclose(quantize(values, info), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values.min(axis=0), said.minimum, rtol=1e-5)
    np.testing.assert_allclose(values.max(axis=0), said.maximum, rtol=1e-5)


class TestWhatAFileSaysAlready:
    def test_is_kept(self, tmp_path: Path) -> None:
        before = read_metadata(read_model(tiny.INT8_METADATA))
        assert before is not None
        model = written(tmp_path, write_metadata(tiny.INT8_METADATA.read_bytes(), LITE))
        after = metadata(model.read_bytes())
        assert (after.name, after.author) == (before.name, before.author)
        assert after.outputs == before.outputs
        assert read_labels(model, after.outputs[0]) == tuple(f"class {n}" for n in range(10))

    def test_goes_over_to_another_file(self, tmp_path: Path) -> None:
        source = tiny.INT8_METADATA.read_bytes()
        model = written(tmp_path, write_metadata(tiny.FLOAT32.read_bytes(), LITE, source=source))
        assert metadata(model.read_bytes()).name == "tiny"
        assert associated_files(model) == associated_files(tiny.INT8_METADATA)

    def test_other_files_than_labels_stay_when_labels_change(self, tmp_path: Path) -> None:
        files = {"labels.txt": b"", "read me": b"hello"}
        source = tiny.INT8_METADATA.read_bytes()
        source = source[: source.rindex(b"PK\x03\x04")] + archive(files)
        model = written(tmp_path, write_metadata(source, LITE, labels=LABELS))
        assert set(associated_files(model)) == set(files)
        assert read_labels(model, metadata(model.read_bytes()).outputs[0]) == LABELS

    def test_labels_of_the_same_words_on_other_lines_are_others(self, tmp_path: Path) -> None:
        labels = ("great white", "shark", *map(str, range(8)))
        other = ("great", "white shark", *map(str, range(8)))
        source = write_metadata(tiny.INT8.read_bytes(), LITE, labels=labels)
        model = written(tmp_path, write_metadata(source, LITE, labels=other))
        assert read_labels(model, metadata(model.read_bytes()).outputs[0]) == other

    def test_the_reader_that_it_takes_is_named_where_it_was_not(self) -> None:
        graph = Graph.of(tiny.INT8.read_bytes())
        schema = read_schema("metadata")
        graph.attach(ENTRY, encode({"name": "plain"}, schema, ROOT, IDENTIFIER))
        content = write_metadata(graph.content(), LITE)
        said = parse_model(content).metadata[ENTRY]
        found = decode(bytes(said), schema, ROOT, IDENTIFIER, "the metadata")
        assert (found["name"], found["min_parser_version"]) == ("plain", PARSER_VERSION)

    def test_equal_labels_keep_their_file(self) -> None:
        labels = tuple(f"class {n}" for n in range(10))
        source = tiny.INT8_METADATA.read_bytes()
        assert write_metadata(source, LITE, labels=labels) == write_metadata(source, LITE)


@pytest.mark.parametrize("count", [9, 11])
def test_labels_that_are_one_off_are_refused(count: int) -> None:
    labels = tuple(map(str, range(count)))
    with pytest.raises(InputError, match=f": {count} class names for a model of 10") as raised:
        write_metadata(tiny.FLOAT32.read_bytes(), LITE, labels=labels)
    assert "background" in raised.value.hint


@given(files=st.dictionaries(st.text("abc/.é", min_size=1), st.binary()))
def test_an_archive_holds_its_files_uncompressed(files: dict[str, bytes]) -> None:
    content = archive(files)
    assert content == archive(files)
    if files:
        with zipfile.ZipFile(io.BytesIO(content)) as read:
            assert {name: read.read(name) for name in read.namelist()} == files
            assert {entry.compress_type for entry in read.infolist()} == {zipfile.ZIP_STORED}
