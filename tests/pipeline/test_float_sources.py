"""What a float file says of itself goes over to what is made of it, and what is odd is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.evaluation.inputs import find_labels, find_preprocessing
from edgeeff.pictures.preprocessing import from_options, of_family
from edgeeff.pipeline import conversion
from edgeeff.quantization.float_graph import float_graph
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import describe, path_of
from edgeeff.tflite.metadata import read_labels, read_metadata
from edgeeff.tflite.metadata_writer import Texts, write_metadata
from edgeeff.tflite.reader import read_model
from tests.pipeline.quantizing import quantize


def test_what_the_source_said_of_its_network_goes_with_it(source, tmp_path):
    """Weights, labels and variant are the float file's, whatever is made of it."""
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    network = FloatModel(
        copy.read_bytes(),
        of_family("imagenet", 32),
        "tiny",
        Provenance("tiny.h5", "0" * 64, True, ("a note",)),
        tuple("abcdefghij"),
    )
    path_of(copy).write_text(describe(copy.name, copy.read_bytes(), "float32", network).document())
    manifest = quantize(copy, tmp_path / "out", recipe="dynamic").manifest
    assert manifest.variant == "tiny"
    assert manifest.weights == network.weights
    assert manifest.labels == list("abcdefghij")


class TestWhatTheSourceSaysOfItself:
    LABELS = tuple(f"kind {number}" for number in range(10))

    @pytest.fixture
    def described(self, source: Path, tmp_path: Path) -> Path:
        """The tiny network with metadata and labels, and no manifest."""
        how = of_family("imagenet", 32)
        texts = Texts("ten things", author="me", license="MIT")
        content = write_metadata(source.read_bytes(), how, labels=self.LABELS, texts=texts)
        path = tmp_path / "described.tflite"
        path.write_bytes(content)
        return path

    @pytest.mark.parametrize("recipe", ["int8-plain", "dynamic"])
    def test_is_said_by_the_quantized_file(self, described, tmp_path, recipe):
        made = quantize(described, tmp_path / "out", recipe=recipe)
        found = read_metadata(read_model(made.model))
        assert (found.name, found.author, found.license) == ("ten things", "me", "MIT")
        assert read_labels(made.model, found.outputs[0]) == self.LABELS
        assert tuple(made.manifest.labels) == self.LABELS

    @pytest.mark.slow
    def test_serves_without_a_manifest_as_with_one(self, described, source, tmp_path):
        with_manifest = quantize(source, tmp_path / "one", recipe="int8-plain")
        without = quantize(described, tmp_path / "two", recipe="int8-plain")
        assert without.manifest.preprocessing == with_manifest.manifest.preprocessing
        path_of(without.model).unlink()
        assert find_preprocessing(without.model) == without.manifest.preprocessing
        assert find_labels(without.model) == self.LABELS

    def test_other_labels_replace_its_own(self, described, tmp_path):
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghij"))
        made = quantize(described, tmp_path / "out", recipe="dynamic", labels=labels)
        assert made.manifest.labels == list("abcdefghij")
        assert find_labels(made.model) == tuple("abcdefghij")

    def test_a_name_that_two_classes_have_is_a_note(self, described, tmp_path):
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghia"))
        made = quantize(described, tmp_path / "out", recipe="dynamic", labels=labels)
        assert made.manifest.labels == list("abcdefghia")
        assert any(f"{labels} calls two classes 'a' (lines 1 and 10)" in it for it in made.notes)

    def test_labels_for_another_network_are_refused(self, described, tmp_path):
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghijk"))
        with pytest.raises(InputError, match=r"labels\.txt: 11 class names for a model") as raised:
            quantize(described, tmp_path / "out", recipe="dynamic", labels=labels)
        assert "background" in raised.value.hint
        assert not (tmp_path / "out").exists()

    def test_a_label_file_that_is_gone_is_refused(self, described, tmp_path):
        content = described.read_bytes()
        described.write_bytes(content[: content.rindex(b"PK\x03\x04")])
        with pytest.raises(InputError, match=r"carries no file 'labels\.txt'"):
            quantize(described, tmp_path / "out", recipe="dynamic")


def test_a_quantized_model_is_refused(made, tmp_path):
    with pytest.raises(InputError, match="quantized already"):
        quantize(made.model, tmp_path / "again")


@pytest.mark.slow
def test_a_float_file_that_was_changed_since_its_export_is_told_of(source, tmp_path):
    graph = float_graph(source.read_bytes())
    layer = next(operator for operator in graph.operators if operator.weighted)
    graph.set_weights(layer, graph.weights(layer) * np.float32(1.01))
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(graph.content())
    settings = conversion.Settings(output=tmp_path / "out", calibration_count=4)
    made = conversion.quantize(changed, settings, of_family("imagenet", 32))
    assert any("was changed since edgeeff exported it" in note for note in made.notes)


def test_an_open_batch_is_fixed_and_said(tiny_float, tmp_path):
    graph = Graph.of(tiny_float.read_bytes())
    graph.resize(graph.input, (-1, *graph.shape(graph.input)[1:]))
    (tmp_path / "open.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "open.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        of_family("imagenet", 32),
    )
    assert made.manifest.integer_only
    assert made.manifest.input["shape"][0] == 1
    assert "open.tflite leaves its batch open: it is fixed at 1" in made.notes
    assert made.manifest.float_bytes == (tmp_path / "open.tflite").stat().st_size


def test_operators_that_stay_in_float_are_listed(tmp_path):
    graph = Graph.empty()
    image = graph.add_tensor("image", (1, 32, 32, 3))
    kernel = graph.add_constant("kernel", np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3))
    bias = graph.add_constant("bias", np.zeros(3, np.float32))
    conv, absolute = (graph.add_tensor(name, (1, 32, 32, 3)) for name in ("conv", "absolute"))
    axes = graph.add_constant("axes", np.array([1, 2], np.int32))
    mean = graph.add_tensor("mean", (1, 3))
    options = {"stride_w": 1, "stride_h": 1, "padding": "SAME"}
    graph.add_operator("CONV_2D", [image, kernel, bias], [conv], options)
    graph.add_operator("ABS", [conv], [absolute])
    graph.add_operator("MEAN", [absolute, axes], [mean])
    graph.cut(inputs=[image], outputs=[mean])
    graph.sign("serving_default", {"image": image}, {"mean": mean})
    (tmp_path / "abs.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "abs.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        of_family("imagenet", 32),
    )
    assert any("1 ABS" in note for note in made.notes)


@pytest.mark.parametrize(("std", "noted"), [(127.5, True), (1, False)])
def test_a_float_file_that_is_scaled_twice_is_said(std, noted, tiny_float, tmp_path):
    graph = Graph.of(tiny_float.read_bytes())
    inner = graph.add_tensor("scaled", graph.shape(graph.input))
    graph.redirect(graph.input, inner)
    factor = graph.add_constant("factor", np.array(1 / 255, np.float32))
    graph.add_operator("MUL", [graph.input, factor], [inner])
    (tmp_path / "own.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "own.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        from_options(32, "0", str(std)),
    )
    assert any("itself scales pictures of 0 to 255" in note for note in made.notes) == noted


@pytest.mark.parametrize(("std", "noted"), [("127.5", False), ("64", True)])
def test_another_scaling_than_the_file_says_is_told_of(std, noted, tiny_float, tmp_path):
    how = from_options(32, "127.5", "127.5")
    (tmp_path / "own.tflite").write_bytes(write_metadata(tiny_float.read_bytes(), how))
    made = conversion.quantize(
        tmp_path / "own.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        from_options(32, "127.5", std),
    )
    told = "says mean 127.5 and std 127.5, and is given mean 127.5 and std 64"
    assert any(told in note for note in made.notes) == noted
