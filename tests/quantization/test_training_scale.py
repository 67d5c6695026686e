"""Pictures that are normalised otherwise than in training are noticed where the network tells."""

from __future__ import annotations

import numpy as np
import pytest

from edgeeff.pictures.preprocessing import from_options
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.training_scale import unlike_training
from edgeeff.tflite import statistics
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.statistics import Statistics, TensorStatistics
from tests.small_classifiers import SmallClassifier

SIDE = 16
PICTURES = np.stack(list(synthetic_pictures(8, SIDE, seed=0)))


def trained(mean: str, std: str, activation: str = "NONE") -> Graph:
    """A network whose first layer's statistics are those of pictures normalised like this.

    They are of its sums, before the activation that may be fused into it.
    """
    net = SmallClassifier(SIDE)
    first = net.convolution(net.image, 8)
    graph = Graph.of(net.content(net.dense(net.mean(net.alone(first, "RELU")), 3)))
    graph.rename(first, "first")
    front = graph.copy()
    front.cut(outputs=[first])
    runner = Runner(front.content())
    images = from_options(SIDE, mean, std, "bilinear:1").normalised(PICTURES)
    seen = np.concatenate([runner.run(image[None])[0].reshape(-1, 8) for image in images])
    known = TensorStatistics(seen.mean(axis=0), seen.std(axis=0))
    statistics.attach(graph, Statistics("batchnorm", {"first": known}))
    layer = graph.producer[first]
    graph.update(layer, options={**layer.options, "fused_activation_function": activation})
    return graph


def noted(graph: Graph, mean: str, std: str) -> tuple[str, ...]:
    how = from_options(SIDE, mean, std, "bilinear:1")
    return unlike_training(FloatModel(graph.content(), how), PICTURES)


@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
@pytest.mark.parametrize("normalised", [("127.5", "127.5"), ("127", "128"), ("118", "60")])
def test_pictures_as_in_training_are_not_remarked(normalised, activation):
    assert noted(trained("127.5", "127.5", activation), *normalised) == ()


@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
@pytest.mark.parametrize(
    ("training", "now"), [(("0", "255"), ("0", "1")), (("0", "1"), ("127.5", "127.5"))]
)
def test_pixels_of_another_scale_are_remarked(training, now, activation):
    """Although ReLU6 cuts off what is too far."""
    (note,) = noted(trained(*training, activation), *now)
    assert "times as far" in note
    assert f"std {now[1]}" in note


def test_a_network_that_was_not_trained_has_nothing_to_compare_with():
    content = trained("0", "255").content()
    how, weights = from_options(SIDE, "0", "1", "bilinear:1"), Provenance("none", None, False)
    assert unlike_training(FloatModel(content, how, weights=weights), PICTURES) == ()


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6"])
@pytest.mark.parametrize(
    ("now", "remarked"), [(("0", "1"), False), (("0", "255"), True), (("127.5", "127.5"), True)]
)
def test_without_batchnorm_pixels_that_are_scaled_twice_are_remarked(now, remarked, activation):
    """By a network that takes 0 to 255: beside its biases they are nearly nothing."""
    net = SmallClassifier(SIDE)
    first = net.convolution(net.image, 8, activation=activation)
    graph = Graph.of(net.content(net.dense(net.mean(first), 3)))
    (layer,) = graph.consumers[graph.input]
    graph.set_weights(layer, graph.weights(layer) / 255)
    notes = noted(graph, *now)
    assert len(notes) == remarked
    assert all("hardly change what the first layer makes" in note for note in notes)


def test_a_first_layer_without_biases_is_not_judged():
    net = SmallClassifier(SIDE)
    features = net.mean(net.alone(net.image, "RELU"))
    graph = Graph.of(net.content(net.dense(features, 3, bias=False)))
    assert noted(graph, "0", "1e6") == ()
