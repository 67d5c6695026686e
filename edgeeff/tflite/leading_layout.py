"""A classifier that takes pictures as [batch, height, width, channels], and values as float32.

Files of other makers may take channels first, which a TRANSPOSE puts last, or bytes, which a CAST
makes float. Without that operator it is the same network, fed in another order or type.
"""

from __future__ import annotations

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

CHANNELS_LAST = (0, 2, 3, 1)
"""The order of a channels-first picture's axes in one whose channels are last."""


def channels_last(graph: Graph) -> Graph:
    """A copy that takes channels last; the graph itself if it begins with no such TRANSPOSE."""
    reader = _only_reader(graph, "TRANSPOSE")
    order = graph.values(reader.inputs[1]) if reader else None
    if reader is None or order is None or tuple(order.tolist()) != CHANNELS_LAST:
        return graph
    return _without(graph, reader)


def float_pixels(graph: Graph) -> Graph:
    """A copy that takes the values of bytes as float32; the graph itself if no CAST makes these."""
    reader = _only_reader(graph, "CAST")
    if reader is None or graph.tensor(graph.input).dtype != "uint8":
        return graph
    if graph.tensor(reader.output).dtype != "float32":
        return graph
    return _without(graph, reader)


def _only_reader(graph: Graph, kind: str) -> Operator | None:
    """The only operator that reads the only picture, if it is of a kind."""
    if len(graph.inputs) != 1 or graph.input in graph.outputs:
        return None
    readers = graph.consumers.get(graph.input, ())
    return readers[0] if len(readers) == 1 and readers[0].kind == kind else None


def _without(graph: Graph, leading: Operator) -> Graph:
    copy = graph.copy()
    copy.remove(leading)
    copy.set_input(leading.output)
    return copy
