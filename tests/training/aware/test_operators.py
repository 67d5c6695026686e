"""Every operator computes in training what LiteRT computes."""

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from edgeeff.training.aware import operators

PICTURES = (2, 6, 6, 4)
"""A batch of two, so that what mixes pictures shows."""

FILTERS = {"stride_h": 2, "stride_w": 2, "filter_height": 3, "filter_width": 3, "padding": "SAME"}
LAYER = {"stride_h": 2, "stride_w": 2, "dilation_h_factor": 1, "dilation_w_factor": 1}
PADDINGS = np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32)
VECTOR = np.linspace(-1, 1, 4, dtype=np.float32)


def weights(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


CASES = [
    ("CONV_2D", [weights(5, 3, 3, 4), weights(5)], {**LAYER, "padding": "SAME"}, (2, 3, 3, 5)),
    ("CONV_2D", [weights(6, 3, 3, 2), weights(6)], {**LAYER, "padding": "VALID"}, (2, 2, 2, 6)),
    ("CONV_2D", [weights(5, 1, 1, 4), weights(5)], {"padding": "SAME", "stride_h": 1, "stride_w": 1,
     "fused_activation_function": "RELU6"}, (2, 6, 6, 5)),
    ("DEPTHWISE_CONV_2D", [weights(1, 3, 3, 4), weights(4)],
     {**LAYER, "padding": "SAME", "depth_multiplier": 1}, (2, 3, 3, 4)),
    ("DEPTHWISE_CONV_2D", [weights(1, 3, 3, 8), weights(8)],
     {**LAYER, "padding": "VALID", "depth_multiplier": 2}, (2, 2, 2, 8)),
    ("DEPTHWISE_CONV_2D", [weights(1, 1, 1, 4), weights(4)],
     {"padding": "SAME", "stride_h": 1, "stride_w": 1, "depth_multiplier": 1}, PICTURES),
    ("FULLY_CONNECTED", [weights(3, 144), weights(3)], {}, (2, 3)),
    ("ADD", [VECTOR], {"fused_activation_function": "RELU"}, PICTURES),
    ("SUB", [VECTOR], {}, PICTURES),
    ("MUL", [VECTOR], {}, PICTURES),
    ("MAXIMUM", [VECTOR], {}, PICTURES),
    ("MINIMUM", [VECTOR], {}, PICTURES),
    ("LOGISTIC", [], {}, PICTURES),
    ("TANH", [], {}, PICTURES),
    ("RELU", [], {}, PICTURES),
    ("RELU6", [], {}, PICTURES),
    ("RELU_N1_TO_1", [], {}, PICTURES),
    ("LEAKY_RELU", [], {"alpha": 0.2}, PICTURES),
    ("HARD_SWISH", [], {}, PICTURES),
    ("GELU", [], {"approximate": True}, PICTURES),
    ("GELU", [], {"approximate": False}, PICTURES),
    ("SOFTMAX", [], {"beta": 1.0}, PICTURES),
    ("SOFTMAX", [], {"beta": 0.5}, PICTURES),
    ("MEAN", [np.array([1, 2], np.int32)], {"keep_dims": True}, (2, 1, 1, 4)),
    ("MEAN", [np.array([1, 2], np.int32)], {"keep_dims": False}, (2, 4)),
    ("SUM", [np.array([1, 2], np.int32)], {"keep_dims": False}, (2, 4)),
    ("REDUCE_MAX", [np.array([1, 2], np.int32)], {"keep_dims": False}, (2, 4)),
    ("AVERAGE_POOL_2D", [], FILTERS, (2, 3, 3, 4)),
    ("MAX_POOL_2D", [], FILTERS, (2, 3, 3, 4)),
    ("PAD", [PADDINGS], {}, (2, 9, 7, 4)),
    ("PADV2", [PADDINGS, np.array([-1.5], np.float32)], {}, (2, 9, 7, 4)),
    ("MIRROR_PAD", [PADDINGS], {"mode": 0}, (2, 9, 7, 4)),
    ("MIRROR_PAD", [PADDINGS], {"mode": 1}, (2, 9, 7, 4)),
    ("CONCATENATION", [], {"axis": 3}, PICTURES),
    ("RESHAPE", [np.array([2, 36, 4], np.int32)], {}, (2, 36, 4)),
    ("SQUEEZE", [], {}, (2, 6, 4), (2, 1, 6, 4)),
    ("TRANSPOSE", [np.array([0, 3, 1, 2], np.int32)], {}, (2, 4, 6, 6)),
]  # fmt: skip


def alone(kind, constants, options, shape, source=PICTURES):
    """A graph of one operator that reads a picture first."""
    graph = Graph.empty()
    picture = graph.add_tensor("picture", source)
    numbers = [graph.add_constant(f"constant{i}", c) for i, c in enumerate(constants)]
    made = graph.add_tensor("made", shape)
    graph.add_operator(kind, [picture, *numbers], [made], options)
    graph.cut(inputs=[picture], outputs=[made])
    return graph


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_an_operator_makes_what_litert_makes(case):
    assert_same(alone(*case))


def test_both_halves_of_a_split_are_what_litert_makes():
    graph = Graph.empty()
    axis = graph.add_constant("axis", np.array(3, np.int32))
    picture = graph.add_tensor("picture", PICTURES)
    halves = [graph.add_tensor(name, (*PICTURES[:-1], 2)) for name in ("one", "other")]
    graph.add_operator("SPLIT", [axis, picture], halves, {"num_splits": 2})
    graph.cut(inputs=[picture], outputs=halves)
    assert_same(graph)


def assert_same(graph):
    """All that the only operator of a graph makes is what LiteRT makes."""
    picture = np.random.default_rng(2).standard_normal(graph.shape(graph.input))
    picture = 3 * picture.astype(np.float32)
    truth = Runner(graph.content()).run(picture)
    (operator,) = graph.operators
    assert operators.fault(graph, operator) is None
    inputs = operator.inputs
    values = [picture if one == graph.input else graph.values(one) for one in inputs]
    for made, wanted in zip(operators.apply(graph, operator, values), truth, strict=True):
        np.testing.assert_allclose(made, wanted, atol=1e-4, rtol=1e-4)


def test_every_operator_that_can_be_trained_is_held_against_litert():
    assert {kind for kind, *_ in CASES} | {"SPLIT"} == set(operators.REPLAYS)


def test_an_operator_without_a_rule_is_named_before_any_step():
    graph = alone("FLOOR", [], {}, PICTURES)
    with pytest.raises(InputError, match="FLOOR made: no rule"):
        operators.refuse_untrainable(graph)


def test_an_operator_that_mixes_pictures_is_named():
    graph = alone("RESHAPE", [np.array([1, 288], np.int32)], {}, (1, 288))
    with pytest.raises(InputError, match="mixes the pictures"):
        operators.refuse_untrainable(graph)
