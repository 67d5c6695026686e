"""Between which values an operator's output lies whatever the picture is.

Of an answer that is worked out of probabilities, as the mean of an ensemble is: margins for logits
that no picture showed would leave a third of its grid empty. And of what cannot get beyond the
ranges of its inputs: headroom beyond that would be empty, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from edgeeff.quantization.calibration.estimators import Range
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import MIXED, final_kind
from edgeeff.tflite.model import Operator

MADE: Mapping[str, Range] = {"LOGISTIC": (0.0, 1.0), "SOFTMAX": (0.0, 1.0), "TANH": (-1.0, 1.0)}
"""Of what operators make whatever they are given."""


def _union(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _sum(ranges: Sequence[Range]) -> Range:
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)


def _difference(ranges: Sequence[Range]) -> Range:
    (low, high), (least, most) = ranges
    return low - most, high - least


def _product(ranges: Sequence[Range]) -> Range:
    ends = reduce(lambda found, range_: [a * b for a in found for b in range_], ranges, [1.0])
    return min(ends), max(ends)


OF_INPUTS: Mapping[str, Callable[[Sequence[Range]], Range]] = {
    **dict.fromkeys(("CONCATENATION", "MAXIMUM", "MINIMUM", "PACK"), _union),
    **dict.fromkeys(("ADD", "ADD_N"), _sum),
    "SUB": _difference,
    "MUL": _product,
}
"""From the bounds of all inputs, those of the output."""

UNBOUNDED: Range = (-math.inf, math.inf)

OF_THE_FIRST = ("RESHAPE", "SQUEEZE", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "TRANSPOSE")
"""Operators whose output lies between the values of their first input."""


def answer_bounds(graph: Graph) -> Range | None:
    """Between which values an answer made of several softmaxes or sigmoids lies.

    Args:
        graph: a float network.

    Returns:
        ``None`` for logits, and where an operator tells no bounds.
    """
    return _bounds(graph, graph.output, {}) if final_kind(graph) == MIXED else None


def _bounds(graph: Graph, tensor: int, known: dict[int, Range | None]) -> Range | None:
    values, maker = graph.values(tensor), graph.producer.get(tensor)
    if values is not None:
        return float(values.min()), float(values.max())
    if maker is None or maker.activation != "NONE":
        return None
    if tensor not in known:
        known[tensor] = MADE.get(maker.kind) or _worked_out(graph, maker, known)
    return known[tensor]


def _worked_out(graph: Graph, maker: Operator, known: dict[int, Range | None]) -> Range | None:
    if maker.kind in OF_THE_FIRST:
        return _bounds(graph, maker.inputs[0], known)
    if maker.kind not in OF_INPUTS:
        return None
    ranges = [_bounds(graph, source, known) for source in maker.inputs]
    found = [range_ for range_ in ranges if range_ is not None]
    return OF_INPUTS[maker.kind](found) if len(found) == len(ranges) else None


def attainable(graph: Graph, operator: Operator, ranges: Mapping[int, Range]) -> Range:
    """Between which values an operator's output lies, from the ranges of its inputs.

    Args:
        graph: a float network.
        operator: one of its operators.
        ranges: of tensors; those of an input that is missing are not known.

    Returns:
        Infinite ends unless the output holds or averages the values of its first input, or is the
        product with a gate of 0 to 1, as in a swish.
    """
    source = operator.inputs[0]
    if operator.kind == "MUL" and len(operator.inputs) == 2:
        made = [graph.producer.get(tensor) for tensor in operator.inputs]
        gates = [place for place, maker in enumerate(made) if maker and maker.kind == "LOGISTIC"]
        if not gates:
            return UNBOUNDED
        source = operator.inputs[1 - gates[-1]]
    elif operator.kind not in (*OF_THE_FIRST, "PAD"):
        return UNBOUNDED
    low, high = ranges.get(source, UNBOUNDED)
    return min(low, 0.0), max(high, 0.0)
