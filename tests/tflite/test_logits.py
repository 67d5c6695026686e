"""Where a classifier's logits are, whatever its answer goes through."""

from __future__ import annotations

import pytest

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits, final_activation, logits_of
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
