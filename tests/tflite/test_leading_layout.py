"""Channels first and bytes are taken as the usual pictures are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeeff
from edgeeff.evaluation.classifier import Classifier
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.fixed_batch import fix_batch
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last, float_pixels
from edgeeff.tflite.runner import Runner
from tests.small_classifiers import SmallClassifier

SIDE = 16
PIXELS = from_options(SIDE, "0", "1", "bilinear:1")


def network(kind: str = "") -> bytes:
    """The same weights behind a TRANSPOSE, a CAST, or neither."""
    net = SmallClassifier(SIDE, leading=kind)
    layer = net.convolution(net.picture, 8, activation="RELU", stride=2)
    return net.content(net.dense(net.mean(layer), 4))


@pytest.mark.parametrize(
    ("kind", "taken_off"), [("TRANSPOSE", channels_last), ("CAST", float_pixels)]
)
def test_without_the_operator_it_is_the_same_network(kind, taken_off):
    before = Graph.of(network(kind))
    graph = taken_off(before)
    assert graph.shape(graph.input) == (1, SIDE, SIDE, 3)
    assert graph.name(graph.input) == before.name(before.input)
    assert kind not in [operator.kind for operator in graph.operators]
    picture = next(iter(synthetic_pictures(1, SIDE)))[None].astype(np.float32)
    (wanted,) = Runner(network()).run(picture)
    (found,) = Runner(graph.content()).run(picture)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("shape", [(), (3, 1, 1), (1, 3, 1, 1), (1, 3, SIDE, SIDE)], ids=str)
def test_a_scaling_in_front_of_the_transposition_is_kept(shape):
    """TensorFlow's converter moves it there."""
    graph = Graph.of(network("TRANSPOSE"))
    (transposing,) = graph.consumers[graph.input]
    factor = graph.add_constant(
        "factor", np.float32(np.random.default_rng(0).uniform(0.01, 1, shape))
    )
    scaled = graph.add_tensor("scaled", graph.shape(graph.input))
    graph.update(transposing, inputs=(scaled, *transposing.inputs[1:]))
    graph.add_operator("MUL", [graph.input, factor], [scaled])
    last = channels_last(graph)
    assert [operator.kind for operator in last.operators][:2] == ["MUL", "CONV_2D"]
    picture = next(iter(synthetic_pictures(1, SIDE)))[None].astype(np.float32)
    (wanted,) = Runner(graph.content()).run(picture.transpose(0, 3, 1, 2))
    (found,) = Runner(last.content()).run(picture)
    np.testing.assert_array_equal(found, wanted)


def test_a_network_with_neither_stays_as_it_is():
    graph = Graph.of(network())
    assert fix_batch(float_pixels(channels_last(graph))) is graph


@pytest.mark.parametrize(
    ("kind", "told"), [("TRANSPOSE", "takes pictures as [3, 16, 16]"), ("CAST", "takes bytes")]
)
def test_such_a_file_answers_pictures_and_is_quantized(kind, told, tmp_path: Path):
    source = tmp_path / "net.tflite"
    source.write_bytes(network(kind))
    pictures = np.stack(list(synthetic_pictures(4, SIDE)))
    wanted = Classifier(network(), PIXELS)(pictures[:1]).logits
    np.testing.assert_allclose(Classifier(source, PIXELS)(pictures[:1]).logits, wanted, rtol=1e-5)
    made = edgeeff.quantize(source, edgeeff.Settings(output=tmp_path / "out"), PIXELS)
    assert made.manifest.input["shape"] == [1, SIDE, SIDE, 3]
    assert made.manifest.fidelity["sqnr_db"] > 25
    assert len([note for note in made.notes if told in note]) == 1


@pytest.mark.parametrize("made", [0, 1])
def test_an_operator_that_lacks_an_order_or_an_output_is_left_to_the_runtime(made):
    graph = Graph.empty()
    image, result = (graph.add_tensor(name, (1, 3, 8, 8)) for name in ("image", "result"))
    transposed = graph.add_operator("TRANSPOSE", [image], [result])
    graph.update(transposed, outputs=(result,)[:made])
    graph._inputs, graph._outputs = (image,), (result,)
    assert channels_last(graph) is graph
