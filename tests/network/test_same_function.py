"""A .tflite is held against its source at the logits where a softmax or sigmoid saturates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.network.same_function import difference
from edgeeff.pictures.preprocessing import from_options
from edgeeff.tflite.graph import Graph
from tests.small_classifiers import SmallClassifier

SIDE = 16
PIXELS = from_options(SIDE, "0", "1")
ENDS = {"SOFTMAX": tf.nn.softmax, "LOGISTIC": tf.sigmoid}
SIGNS = {"SOFTMAX": np.float32([1, -1]), "LOGISTIC": np.float32([1])}
"""Of the scores: a softmax tells two apart, a sigmoid one from 0."""

LARGE = 1000.0
"""Of the weights: logits of most pictures are millions; of flat ones they cancel out but for the
bias, and the least change of a white one moves them by 57."""

MARGIN = 80.0
"""More than that change, and less than rounding may be."""


def kernel(end: str) -> Any:
    """[pixels, scores], the same for each score, so that two logits are near each other."""
    one = np.random.default_rng(0).normal(0, LARGE, (SIDE * SIDE, 3)).astype(np.float32)
    return np.repeat((one - one.mean(axis=0)).reshape(-1, 1), len(SIGNS[end]), axis=1)


def written(end: str, kernel: Any, margin: float) -> Graph:
    """A dense layer as a .tflite, whose logits of flat pictures are ``margin`` and its opposite."""
    network = SmallClassifier(SIDE)
    scores = network.dense(network.image, len(SIGNS[end]))
    graph = Graph.of(network.content(network.alone(scores, end)))
    layer = graph.producer[scores]
    graph.set_weights(layer, kernel.T)
    graph.set_bias(layer, margin * SIGNS[end])
    return graph


def source(end: str, margin: float) -> Any:
    """The same layer in TensorFlow, which gives white pictures the opposite scores."""

    def call(images: Any) -> Any:
        white = tf.reduce_mean(images, axis=(1, 2, 3)) > 254
        sign = tf.where(white, -1.0, 1.0)[:, None] * SIGNS[end]
        flat = tf.reshape(images, (-1, SIDE * SIDE * 3))
        return ENDS[end](flat @ kernel(end) + margin * sign)

    return call


@pytest.mark.parametrize("end", ENDS)
def test_another_class_by_the_rounding_of_large_logits_is_the_same_function(end: str) -> None:
    graph, call = written(end, kernel(end), MARGIN), source(end, MARGIN)
    white = np.full((1, SIDE, SIDE, 3), 255, np.float32)
    assert np.abs(call(white) - source(end, -MARGIN)(white)).max() > 0.99
    assert difference("it", call, graph.content(), PIXELS) < 1e-4


@pytest.mark.parametrize("end", ENDS)
def test_another_class_by_more_than_rounding_is_another_function(end: str) -> None:
    graph = written(end, kernel(end), 20 * MARGIN)
    with pytest.raises(InputError, match="is not the same function"):
        difference("it", source(end, 20 * MARGIN), graph.content(), PIXELS)


@pytest.mark.parametrize("end", ENDS)
def test_one_other_weight_among_large_ones_is_another_function(end: str) -> None:
    weights = kernel(end)
    weights[100, 0] -= LARGE
    with pytest.raises(InputError, match="is not the same function"):
        difference("it", source(end, MARGIN), written(end, weights, MARGIN).content(), PIXELS)
