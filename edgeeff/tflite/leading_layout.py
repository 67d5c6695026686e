"""A classifier that takes pictures as [batch, height, width, channels], and values as float32.

Files of other makers may take channels first, which a TRANSPOSE puts last, grey without a dimension
of channels, or bytes, which a CAST makes float. It is the same network, fed in another order, shape
or type.
"""

from __future__ import annotations

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

CHANNELS_LAST = (0, 2, 3, 1)
"""The order of a channels-first picture's axes in one whose channels are last."""


def channels_last(graph: Graph) -> Graph:
    """A copy that takes channels last; the graph itself if that is how it takes them.

    Channels first are seen by the TRANSPOSE that reads them. Grey pictures, [batch, height, width]
    or [batch, 1, height, width], have their values in the same order as with channels last.
    """
    reader = _only_reader(graph, ("TRANSPOSE", "RESHAPE", "EXPAND_DIMS"))
    if reader is None:
        return graph
    if reader.kind == "TRANSPOSE":
        orders = [graph.values(tensor) for tensor in reader.inputs[1:]]
        taken = [None if it is None else tuple(it.ravel()) for it in orders] == [CHANNELS_LAST]
        return _without(graph, reader) if taken else graph
    batch, *sides = graph.shape(graph.input)
    if len(sides) == 3 and sides[0] == 1 and sides[2] > 3:
        sides = sides[1:]
    if len(sides) != 2:
        return graph
    if graph.shape(reader.output)[1:] == (*sides, 1):
        return _without(graph, reader)
    if reader.kind != "RESHAPE":
        return graph
    copy = graph.copy()
    copy.resize(copy.input, (batch, *sides, 1))
    return copy


def float_pixels(graph: Graph) -> Graph:
    """A copy that takes the values of bytes as float32; the graph itself if no CAST makes these."""
    reader = _only_reader(graph, ("CAST",))
    if reader is None or graph.tensor(graph.input).dtype != "uint8":
        return graph
    if graph.tensor(reader.output).dtype != "float32":
        return graph
    return _without(graph, reader)


def _only_reader(graph: Graph, kinds: tuple[str, ...]) -> Operator | None:
    """The only operator that reads the only picture, if it is of one of the kinds."""
    if len(graph.inputs) != 1 or graph.input in graph.outputs:
        return None
    readers = graph.consumers.get(graph.input, ())
    fits = len(readers) == 1 and readers[0].kind in kinds and readers[0].outputs
    return readers[0] if fits else None


def _without(graph: Graph, leading: Operator) -> Graph:
    copy = graph.copy()
    copy.remove(leading)
    copy.set_input(leading.output)
    return copy
