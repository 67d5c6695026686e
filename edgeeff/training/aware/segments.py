"""A network cut where all that comes after depends on one tensor alone."""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

LEAST_LAYERS = 3
"""With weights, in one segment: fewer would hardly be able to make up for each other's errors."""

INSIDE = frozenset(
    {
        "DEPTHWISE_CONV_2D",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MUL",
        "RELU",
        "RELU6",
        "TANH",
    }
)
"""What these read is the inside of a layer, such as x of x · sigmoid(x), not the end of a block."""


@dataclass(frozen=True)
class Segment:
    """Operators that read one activation from outside, of whose results one is read outside.

    Attributes:
        source: the tensor that it reads.
        operators: in order of execution.
        target: the tensor that it makes.
    """

    source: int
    operators: tuple[Operator, ...]
    target: int

    @property
    def layers(self) -> int:
        """How many of the operators have weights."""
        return sum(operator.weighted for operator in self.operators)


def segments(graph: Graph, end: int) -> list[Segment]:
    """The blocks of a network from its input to a tensor, in order.

    A block ends where it adds to what goes around it, or at a linear bottleneck; in a network
    that has neither, at any tensor that stands alone.
    """
    operators = until(graph, end)
    alone = _standing_alone(graph, operators, end)
    ends = {t for t in alone if _ends_block(graph, t)} or alone
    found, source, taken = [], graph.input, []
    for operator in operators:
        taken.append(operator)
        target = operator.outputs[-1]
        if target in ends or target == end:
            segment = Segment(source, tuple(taken), target)
            if segment.layers >= LEAST_LAYERS or target == end:
                found.append(segment)
                source, taken = target, []
    return found


def until(graph: Graph, end: int) -> list[Operator]:
    """The operators that a tensor depends on, in order."""
    needed, kept = {end}, []
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _standing_alone(graph: Graph, operators: list[Operator], end: int) -> set[int]:
    """The tensors past which nothing of what was made before them is read."""
    last = {t: place for place, o in enumerate(operators) for t in o.inputs}
    last[end] = len(operators)
    alive, alone = {graph.input}, set()
    for place, operator in enumerate(operators):
        alive |= set(operator.outputs)
        alive = {tensor for tensor in alive if last.get(tensor, -1) > place}
        if len(alive) == 1:
            alone |= alive
    return alone


def _ends_block(graph: Graph, tensor: int) -> bool:
    maker = graph.producer.get(tensor)
    if maker is None:
        return False
    readers = {reader.kind for reader in graph.consumers.get(tensor, ())}
    linear = maker.weighted and maker.activation == "NONE" and readers.isdisjoint(INSIDE)
    return maker.kind == "ADD" or linear
