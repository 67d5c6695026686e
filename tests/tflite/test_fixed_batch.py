"""A batch that is left open becomes one picture, and what worked out its size goes."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeeff.tflite.dilated import join_dilated
from edgeeff.tflite.fixed_batch import fix_batch, is_open
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from tests.accelerators.graphs import GraphWriter

SIDE = 8


def answers(graph: Graph) -> np.ndarray:
    runner = Runner(graph.content())
    picture = np.random.default_rng(0).normal(size=(1, SIDE, SIDE, 3)).astype(np.float32)
    return runner.run(picture)[0]


def reshaping(batch: int) -> Graph:
    """A network that flattens its picture by SHAPE, STRIDED_SLICE and PACK, as Keras does."""
    writer, pixels = GraphWriter(), SIDE * SIDE * 3
    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    bounds = [writer.tensor((1,), "int32", [value]) for value in (0, 1, 1)]
    shaping = schema.ShapeOptionsT(outType=schema.TensorType.INT32)
    shape = writer.add("SHAPE", (image,), (4,), dtype="int32", options=shaping)
    slicing = schema.StridedSliceOptionsT(shrinkAxisMask=1)
    size = writer.add("STRIDED_SLICE", (shape, *bounds), (), dtype="int32", options=slicing)
    packing = schema.PackOptionsT(valuesCount=2)
    rest = writer.tensor((), "int32", pixels)
    packed = writer.add("PACK", (size, rest), (2,), dtype="int32", options=packing)
    flat = writer.add("RESHAPE", (image, packed), (1, pixels), dtype="float32")
    graph = Graph.of(writer.content([image], [flat]))
    graph.resize(image, (batch, SIDE, SIDE, 3))
    graph.resize(flat, (batch, pixels))
    graph.sign("serving_default", {"image": image}, {"flat": flat})
    return graph


def test_what_works_out_shapes_becomes_a_constant():
    fixed = fix_batch(reshaping(-1))
    assert [operator.kind for operator in fixed.operators] == ["RESHAPE"]
    assert fixed.shape(fixed.input) == (1, SIDE, SIDE, 3)
    assert fixed.shape(fixed.output) == (1, SIDE * SIDE * 3)


def test_the_function_stays_as_it_is():
    assert np.array_equal(answers(fix_batch(reshaping(-1))), answers(reshaping(-1)))


def test_the_signature_stays():
    content = fix_batch(reshaping(-1)).content()
    assert list(Runner(content).inputs[0].shape) == [1, SIDE, SIDE, 3]
    assert b"serving_default" in content


def test_a_batch_that_is_fixed_stays_and_so_does_the_graph():
    graph = reshaping(2)
    assert not is_open(graph)
    assert fix_batch(graph) is graph


def dilated(block: int, taps: int, start: int, end: int, crop: int) -> Graph | None:
    """A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, if the sizes go."""
    random, graph = np.random.default_rng(0), Graph.empty()
    padded = SIDE + start + end
    inner = padded // block - taps + 1
    if padded % block or inner < 1 or inner * block - crop < 1:
        return None
    image = graph.add_tensor("image", (1, SIDE, SIDE, 3))
    blocks = graph.add_constant("blocks", np.array([block, block], np.int32))
    pads = graph.add_constant("pads", np.array([[start, end]] * 2, np.int32))
    crops = graph.add_constant("crops", np.array([[0, crop]] * 2, np.int32))
    kernel = graph.add_constant("kernel", random.normal(size=(4, taps, taps, 3)).astype(np.float32))
    bias = graph.add_constant("bias", random.normal(size=4).astype(np.float32))
    many = block * block
    spread = graph.add_tensor("spread", (many, padded // block, padded // block, 3))
    inside = graph.add_tensor("inside", (many, inner, inner, 4))
    side = inner * block - crop
    whole = graph.add_tensor("whole", (1, side, side, 4))
    graph.add_operator("SPACE_TO_BATCH_ND", [image, blocks, pads], [spread])
    options = {"stride_w": 1, "stride_h": 1, "padding": "VALID"}
    graph.add_operator("CONV_2D", [spread, kernel, bias], [inside], options)
    graph.add_operator("BATCH_TO_SPACE_ND", [inside, blocks, crops], [whole])
    graph.cut(inputs=[image], outputs=[whole])
    return graph


@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(0, 4), st.integers(0, 5), st.integers(0, 3)
)
def test_a_dilated_convolution_in_three_operators_computes_the_same_as_one(
    block, taps, start, end, crop
):
    graph = dilated(block, taps, start, end, crop)
    assume(graph is not None)
    before = answers(graph)
    join_dilated(graph)
    np.testing.assert_allclose(answers(graph), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("start", "end", "crop", "padding"), [(2, 2, 0, "SAME"), (0, 0, 0, "VALID")]
)
def test_both_paddings_are_joined(start, end, crop, padding):
    graph = dilated(2, 3, start, end, crop)
    assert graph is not None
    join_dilated(graph)
    (operator,) = graph.operators
    assert operator.options["padding"] == padding
    assert operator.options["dilation_h_factor"] == 2


def test_what_is_no_convolution_between_the_two_is_left_alone():
    """``tf.nn.max_pool`` with dilations is written like this."""
    graph = Graph.empty()
    image, spread, inside, whole = (
        graph.add_tensor(name, shape)
        for name, shape in {
            "image": (1, 8, 8, 3),
            "spread": (4, 4, 4, 3),
            "inside": (4, 3, 3, 3),
            "whole": (1, 6, 6, 3),
        }.items()
    )
    blocks = graph.add_constant("blocks", np.array([2, 2], np.int32))
    none = graph.add_constant("none", np.zeros((2, 2), np.int32))
    graph.add_operator("SPACE_TO_BATCH_ND", [image, blocks, none], [spread])
    options = {"filter_width": 2, "filter_height": 2, "stride_w": 1, "stride_h": 1}
    graph.add_operator("MAX_POOL_2D", [spread], [inside], {**options, "padding": "VALID"})
    graph.add_operator("BATCH_TO_SPACE_ND", [inside, blocks, none], [whole])
    graph.cut(inputs=[image], outputs=[whole])
    before = answers(graph)
    join_dilated(graph)
    assert len(graph.operators) == 3
    np.testing.assert_array_equal(answers(graph), before)
