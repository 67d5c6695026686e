"""What is copied from one tensor to another has one grid in both."""

from __future__ import annotations

import pytest

from edgeeff.pictures.preprocessing import from_options
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.calibration.shared_ranges import COPYING, shared
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from tests.small_classifiers import SmallClassifier

SIDE = 16


def test_all_that_the_quantizer_gives_the_grid_of_its_input_is_copying():
    """All but PAD, as ``COPYING`` says."""
    from litert_quantizer.algorithms.utils.common_utils import OpQuantConstraint
    from litert_quantizer.utils.constrained_ops_utils import get_constrained_op_list

    constrained = get_constrained_op_list(OpQuantConstraint.SAME_AS_INPUT_SCALE)
    assert {str(kind.value) for kind in constrained} - {"PAD"} == COPYING


def test_a_concatenation_and_what_it_joins_share_the_range_that_holds_all():
    net = SmallClassifier(SIDE)
    first, second = (net.convolution(net.image, 4) for _ in range(2))
    joined = net.concatenated(first, second)
    graph = Graph.of(net.content(net.mean(joined)))
    found = shared(graph, {first: (-1.0, 2.0), second: (-3.0, 1.0), joined: (-9.0, 9.0)})
    assert found == dict.fromkeys((first, second, joined), (-3.0, 2.0))


def test_joined_vectors_keep_ranges_of_their_own():
    net = SmallClassifier(SIDE)
    first, second = (net.mean(net.convolution(net.image, 4)) for _ in range(2))
    joined = net.concatenated(first, second)
    graph = Graph.of(net.content(net.dense(joined, 5)))
    apart = {first: (0.0, 2.0), second: (0.0, 90.0), joined: (0.0, 90.0)}
    assert shared(graph, apart) == apart


def test_a_pooling_has_the_range_of_its_input():
    net = SmallClassifier(SIDE)
    layer = net.convolution(net.image, 4)
    pooled = net.pool(layer, "AVERAGE_POOL_2D")
    graph = Graph.of(net.content(net.mean(pooled)))
    found = shared(graph, {layer: (-4.0, 4.0), pooled: (-1.0, 1.0)})
    assert found[pooled] == found[layer] == (-4.0, 4.0)


def test_a_grid_that_is_prescribed_is_not_shared():
    net = SmallClassifier(SIDE)
    layer = net.convolution(net.image, 4)
    gate = net.alone(layer, "LOGISTIC")
    joined = net.concatenated(gate, layer)
    graph = Graph.of(net.content(net.mean(joined)))
    found = shared(graph, {layer: (-4.0, 4.0), gate: (0.0, 1.0), joined: (-4.0, 4.0)})
    assert found[gate] == (0.0, 1.0)


@pytest.mark.parametrize("recipe", ["int8-plain", "int8"])
def test_a_concatenation_costs_no_operator(recipe):
    """One that joins what it joined before, as DenseNet does."""
    net = SmallClassifier(SIDE)
    layer = net.convolution(net.image, 8, activation="RELU")
    for _ in range(3):
        layer = net.concatenated(layer, net.convolution(layer, 4))
    content = net.content(net.dense(net.mean(net.pool(layer, "MAX_POOL_2D")), 5))
    how = from_options(SIDE, "0", "1", "bilinear:1")
    made = quantize_model(FloatModel(content, how), find_recipe(recipe), synthetic_set(6, how))
    graph = Graph.of(made)
    # Those at both ends give an app its bytes.
    assert [operator.kind for operator in graph.operators].count("QUANTIZE") == 2
    joined = [operator for operator in graph.operators if operator.kind == "CONCATENATION"]
    scales = {graph.tensor(t).scales for o in joined for t in (*o.inputs, *o.outputs)}
    assert len(scales) == 1
