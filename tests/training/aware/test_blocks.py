"""Where a network is cut, and which of its activations have one grid."""

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import pytest

from edgeeff.tflite.graph import Graph
from edgeeff.training.aware.segments import LEAST_LAYERS, segments
from edgeeff.training.aware.shared_grids import shared_grids


@pytest.fixture(scope="module")
def tiny(tiny_float):
    return Graph.of(tiny_float.read_bytes())


def test_blocks_follow_each_other_and_hold_every_operator_once(tiny):
    blocks = segments(tiny, tiny.output)
    assert blocks[0].source == tiny.input
    assert blocks[-1].target == tiny.output
    assert [block.source for block in blocks[1:]] == [block.target for block in blocks[:-1]]
    assert [o for block in blocks for o in block.operators] == list(tiny.operators)


def test_a_block_reads_nothing_but_its_source(tiny):
    for block in segments(tiny, tiny.output):
        made = {tensor for operator in block.operators for tensor in operator.outputs}
        read = {tensor for operator in block.operators for tensor in operator.inputs}
        outside = {t for t in read - made if t >= 0 and not tiny.tensor(t).constant}
        assert outside == {block.source}


def test_blocks_of_an_efficientnet_end_at_its_bottlenecks(tiny):
    ends = [tiny.name(block.target) for block in segments(tiny, tiny.output)[:-1]]
    assert len(ends) > 1
    assert all("project" in name or "add" in name for name in ends)


def test_a_plain_network_is_cut_after_enough_layers():
    graph = Graph.empty()
    last = first = graph.add_tensor("picture", (1, 4, 4, 2))
    for number in range(7):
        kernel = graph.add_constant(f"kernel{number}", np.ones((2, 1, 1, 2), np.float32))
        made = graph.add_tensor(f"layer{number}", (1, 4, 4, 2))
        graph.add_operator("CONV_2D", [last, kernel], [made], {"fused_activation_function": "RELU"})
        last = made
    graph.cut(inputs=[first], outputs=[last])
    assert [block.layers for block in segments(graph, last)] == [LEAST_LAYERS, LEAST_LAYERS, 1]


def test_what_only_moves_values_keeps_their_grid():
    graph = Graph.empty()
    picture = graph.add_tensor("picture", (1, 4, 4, 2))
    left, right, both, pooled, gate = (
        graph.add_tensor(name, shape)
        for name, shape in {
            "left": (1, 4, 4, 2),
            "right": (1, 4, 4, 2),
            "both": (1, 4, 4, 4),
            "pooled": (1, 2, 2, 4),
            "gate": (1, 2, 2, 4),
        }.items()
    )
    graph.add_operator("RELU", [picture], [left])
    graph.add_operator("HARD_SWISH", [picture], [right])
    graph.add_operator("CONCATENATION", [left, right], [both], {"axis": 3})
    graph.add_operator("MAX_POOL_2D", [both], [pooled], {"filter_height": 2, "filter_width": 2})
    graph.add_operator("LOGISTIC", [pooled], [gate])
    graph.cut(inputs=[picture], outputs=[gate])
    stands_for = shared_grids(graph)
    assert stands_for[left] == stands_for[right] == stands_for[both] == stands_for[pooled]
    assert len({stands_for[t] for t in (picture, left, gate)}) == 3
