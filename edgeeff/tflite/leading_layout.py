"""A classifier that takes pictures as [batch, height, width, channels], and values as float32.

Files of other makers may take channels first, which a TRANSPOSE puts last, grey without a dimension
of channels, or bytes, which a CAST makes float. It is the same network, fed in another order, shape
or type.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

CHANNELS_LAST = (0, 2, 3, 1)
"""The order of a channels-first picture's axes in one whose channels are last."""

BY_VALUE = ("CAST", "MUL", "ADD", "SUB", "DIV")
"""Operators that do the same in any order of axes: TensorFlow's converter moves the scaling of a
transposed picture in front of the TRANSPOSE."""


def channels_last(graph: Graph) -> Graph:
    """A copy that takes channels last; the graph itself if that is how it takes them.

    Channels first are seen by the TRANSPOSE that reads them, maybe after a scaling by constants.
    Grey pictures, [batch, height, width] or [batch, 1, height, width], have their values in the
    same order as with channels last.
    """
    leading = list(_leading(graph))
    dimensions = len(graph.shape(graph.input)) if leading else 0
    if dimensions == len(CHANNELS_LAST) and _puts_channels_last(graph, leading[-1]):
        return _transposed(graph, *leading)
    if not leading or leading[0].kind not in ("RESHAPE", "EXPAND_DIMS"):
        return graph
    batch, *sides = graph.shape(graph.input)
    if len(sides) == 3 and sides[0] == 1 and sides[2] > 3:
        sides = sides[1:]
    if len(sides) != 2:
        return graph
    if graph.shape(leading[0].output)[1:] == (*sides, 1):
        return _without(graph, leading[0])
    if leading[0].kind != "RESHAPE":
        return graph
    copy = graph.copy()
    copy.resize(copy.input, (batch, *sides, 1))
    return copy


def float_pixels(graph: Graph) -> Graph:
    """A copy that takes the values of bytes as float32; the graph itself if no CAST makes these."""
    leading = next(_leading(graph), None)
    if leading is None or leading.kind != "CAST" or graph.tensor(graph.input).dtype != "uint8":
        return graph
    if graph.tensor(leading.output).dtype != "float32":
        return graph
    return _without(graph, leading)


def _leading(graph: Graph) -> Iterator[Operator]:
    """The operators that scale the only picture by constants, and what alone reads the result."""
    tensor = graph.input if len(graph.inputs) == 1 else -1
    while tensor not in graph.outputs and len(readers := graph.consumers.get(tensor, ())) == 1:
        if not readers[0].outputs:
            return
        yield readers[0]
        others = [graph.values(other) for other in readers[0].inputs if other != tensor]
        if readers[0].kind not in BY_VALUE or any(
            values is None or values.ndim > len(CHANNELS_LAST) for values in others
        ):
            return
        tensor = readers[0].output


def _puts_channels_last(graph: Graph, operator: Operator) -> bool:
    orders = [graph.values(tensor) for tensor in operator.inputs[1:]]
    order = [None if values is None else tuple(values.ravel()) for values in orders]
    return operator.kind == "TRANSPOSE" and order == [CHANNELS_LAST]


def _transposed(graph: Graph, *leading: Operator) -> Graph:
    """A copy without the last of the leading operators, a TRANSPOSE of what the others make."""
    *scaling, transposing = leading
    copy = graph.copy()
    if not scaling:
        return _without(graph, transposing)
    for operator in scaling:
        inputs = [_constant_last(copy, tensor) for tensor in operator.inputs]
        copy.update(operator, inputs=tuple(inputs))
    for tensor in (graph.input, *(operator.output for operator in scaling)):
        shape = graph.shape(tensor)
        copy.resize(tensor, [shape[axis] for axis in CHANNELS_LAST])
    copy.remove(transposing)
    copy.redirect(transposing.output, transposing.inputs[0])
    return copy


def _constant_last(graph: Graph, tensor: int) -> int:
    """A constant of a channels-first picture, made one of a picture whose channels are last."""
    values = graph.values(tensor)
    if values is None or values.size == 1:
        return tensor
    values = values.reshape((1,) * (len(CHANNELS_LAST) - values.ndim) + values.shape)
    return graph.add_constant(f"{graph.name(tensor)}_last", values.transpose(CHANNELS_LAST))


def _without(graph: Graph, leading: Operator) -> Graph:
    """A copy that is fed what the operator makes, under the name of the picture."""
    copy, made = graph.copy(), graph.name(leading.output)
    copy.remove(leading)
    copy.rename(leading.output, graph.name(graph.input))
    copy.rename(graph.input, made)
    copy.set_input(leading.output)
    return copy
