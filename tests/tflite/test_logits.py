"""Where a classifier's logits are, whatever its answer goes through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import (
    MIXED,
    classes_compete,
    cut_at_logits,
    final_activation,
    final_kind,
    logits_of,
)
from tests.small_classifiers import SmallClassifier


@pytest.mark.parametrize("activation", ["SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_they_are_found_before_what_only_gives_another_shape(activation, after):
    network = SmallClassifier(8)
    logits = network.dense(network.mean(network.image), 4)
    answer = network.alone(logits, activation)
    for shape in [(1, 1, 4), (1, 4)][:after]:
        answer = network.reshaped(answer, *shape)
    graph = Graph.of(network.content(answer))
    assert final_activation(graph).kind == activation
    assert logits_of(graph) == logits
    assert cut_at_logits(graph).output == logits


def test_a_network_without_one_answers_with_its_logits():
    network = SmallClassifier(8)
    logits = network.dense(network.mean(network.image), 4)
    graph = Graph.of(network.content(network.reshaped(logits, 1, 4)))
    assert final_activation(graph) is None
    assert logits_of(graph) == graph.output


@pytest.mark.parametrize("activation", ["SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("end", ["CONCATENATION", "ADD"])
def test_an_answer_made_of_probabilities_is_neither_they_nor_logits(activation, end):
    network = SmallClassifier(8)
    features = network.mean(network.image)
    one, other = (network.alone(network.dense(features, 4), activation) for _ in range(2))
    joined = end == "CONCATENATION"
    answer = network.concatenated(one, other) if joined else network.joined(end, one, other)
    graph = Graph.of(network.content(answer))
    assert final_activation(graph) is None
    assert final_kind(graph) == MIXED


@pytest.mark.parametrize("other", ["SOFTMAX", "LOGISTIC"])
def test_a_product_of_probabilities_is_no_gate(other):
    """Whether there is an object, times of which class it is."""
    network = SmallClassifier(8)
    features = network.mean(network.image)
    classes = network.alone(network.dense(features, 4), other)
    there = network.alone(network.dense(features, 1), "LOGISTIC")
    answer = network.joined("MUL", classes, there)
    assert final_kind(Graph.of(network.content(answer))) == MIXED


@pytest.mark.parametrize("kind", ["MAXIMUM", "SQUARE", "MUL", "SUB"])
def test_whatever_is_worked_out_of_probabilities_alone_is_neither(kind):
    network = SmallClassifier(8)
    score = network.alone(network.dense(network.mean(network.image), 4), "LOGISTIC")
    half = network.constant(np.array([0.5]))
    # As weights in half precision are: a constant that an operator makes.
    half = network.add("DEQUANTIZE", (half,), (1,))
    inputs = (score,) if kind == "SQUARE" else (half, score)
    answer = network.add(kind, inputs, (1, 4))
    assert final_kind(Graph.of(network.content(answer))) == MIXED


def _mean(network: SmallClassifier, one: int, other: int) -> int:
    """As keras.layers.Average has it: of Keras 3, with a shape for one of them."""
    total = network.joined("ADD", one, network.reshaped(other, 4))
    return network.joined("MUL", total, network.constant(np.array(0.5)))


def _stacked(network: SmallClassifier, one: int, other: int) -> int:
    both = network.add("PACK", (one, other), (1, 2, 4), schema.PackOptionsT(2, 1))
    return network.add("MEAN", (both, network.constant(np.array([1]))), (1, 4))


def _objectness(network: SmallClassifier, one: int, other: int) -> int:
    """Whether there is an object, times of which class it is."""
    there = network.dense(network.mean(network.image), 1)
    return network.joined("MUL", one, network.alone(there, "LOGISTIC"))


def _experts(network: SmallClassifier, one: int, other: int) -> int:
    return network.joined("MUL", one, other)


WORKED_OUT = (_mean, _stacked, _objectness, _experts)


def _of_two(make: Any, *ends: str) -> Graph:
    network = SmallClassifier(8)
    features = network.mean(network.image)
    both = [network.alone(network.dense(features, 4), end) for end in ends]
    graph = Graph.of(network.content(make(network, *both)))
    assert final_kind(graph) == MIXED
    return graph


@pytest.mark.parametrize("make", WORKED_OUT)
def test_classes_compete_where_softmaxes_over_them_are_added_or_multiplied(make):
    assert classes_compete(_of_two(make, "SOFTMAX", "SOFTMAX"))


@pytest.mark.parametrize("make", WORKED_OUT)
def test_sigmoids_do_not_compete(make):
    assert not classes_compete(_of_two(make, "LOGISTIC", "LOGISTIC"))


@pytest.mark.parametrize("make", [_mean, _stacked, _experts])
def test_nor_does_a_softmax_with_sigmoids(make):
    assert not classes_compete(_of_two(make, "SOFTMAX", "LOGISTIC"))


def test_two_answers_side_by_side_do_not_compete():
    assert not classes_compete(_of_two(SmallClassifier.concatenated, "SOFTMAX", "SOFTMAX"))


def test_what_a_class_is_not_does_not_compete():
    def opposite(network: SmallClassifier, one: int, other: int) -> int:
        return network.add("SUB", (network.constant(np.array([1.0])), one), (1, 4))

    assert not classes_compete(_of_two(opposite, "SOFTMAX", "SOFTMAX"))


@pytest.mark.parametrize("between", ["RESHAPE", "ADD"])
def test_a_gate_may_be_worked_out_of_a_sigmoid(between):
    """Such as 1 + sigmoid, or the shape of a picture."""
    network = SmallClassifier(8)
    features = network.dense(network.mean(network.image), 4)
    gate = network.alone(network.dense(features, 4), "LOGISTIC")
    if between == "ADD":
        gate = network.joined("ADD", gate, network.constant(np.array([1.0])))
    else:
        gate = network.reshaped(gate, 1, 1, 4)
    answer = network.joined("MUL", network.reshaped(features, 1, 1, 4), gate)
    assert final_kind(Graph.of(network.content(answer))) is None


def _clipped(network: SmallClassifier, logits: int) -> int:
    """As tf_keras has a hard sigmoid."""
    below = network.add("MINIMUM", (logits, network.constant(np.array(1.0))), (1, 4))
    return network.alone(below, "RELU")


def _sixth(network: SmallClassifier, logits: int) -> int:
    """As Keras 3 and PyTorch have it."""
    return network.joined("MUL", network.alone(logits, "RELU6"), network.constant(np.array(1 / 6)))


def _fused(network: SmallClassifier, logits: int) -> int:
    """The same behind a dense layer, which clips then."""
    logits = network.dense(network.mean(network.image), 4, "RELU6")
    return network.joined("MUL", logits, network.constant(np.array(1 / 6)))


HARD = (_clipped, _sixth, _fused, lambda network, logits: network.alone(logits, "RELU_0_TO_1"))


@pytest.mark.parametrize("make", HARD)
def test_a_hard_sigmoid_gives_no_logits(make):
    network = SmallClassifier(8)
    logits = network.dense(network.mean(network.image), 4)
    graph = Graph.of(network.content(network.reshaped(make(network, logits), 1, 4)))
    assert final_kind(graph) == MIXED
    assert not classes_compete(graph)


@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_logits_that_are_clipped_otherwise_are_logits(kind):
    network = SmallClassifier(8)
    logits = network.alone(network.dense(network.mean(network.image), 4), kind)
    for answer in (logits, network.joined("MUL", logits, network.constant(np.array(0.5)))):
        assert final_kind(Graph.of(network.content(answer))) is None


def test_what_gates_activations_makes_no_probabilities():
    network = SmallClassifier(8)
    features = network.mean(network.image)
    swish = network.joined("MUL", features, network.alone(features, "LOGISTIC"))
    assert final_kind(Graph.of(network.content(swish))) is None


def test_layers_behind_a_softmax_answer_with_logits():
    network = SmallClassifier(8)
    features = network.dense(network.mean(network.image), 4)
    logits = network.dense(network.alone(features, "SOFTMAX"), 4)
    assert final_kind(Graph.of(network.content(logits))) is None
