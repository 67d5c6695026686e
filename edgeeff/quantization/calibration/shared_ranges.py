"""Activations that share one range, since an operator hands values on without computing.

A reshape, a pooling or a concatenation of integers copies them: input and output have one grid.
Where ranges differ, litert-quantizer gives a copying operator that of its input, and puts a
QUANTIZE before each input of a concatenation, which takes time and rounds once more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from edgeeff.quantization.calibration.estimators import Range
from edgeeff.quantization.grid import FIXED
from edgeeff.quantization.tied import tied
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

COPYING = frozenset(
    {
        "AVERAGE_POOL_2D",
        "BROADCAST_TO",
        "GATHER",
        "GATHER_ND",
        "MAX_POOL_2D",
        "MIRROR_PAD",
        "REDUCE_MIN",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
    }
)
"""Operators whose outputs hold values of their input, or lie between them.

PAD is not one of them: the layers behind it see its zeros, and fitted to the range of the padded
picture a real B0 kept 0.7 dB and four points of its answers that the range of its input lost."""

JOINING = "CONCATENATION"
"""Of pictures. Vectors are rounded again in no time, and those of channel groups, which
squeeze-excite joins, lose by the scale of all: 0.7 dB on a real B0."""


def shared(graph: Graph, found: Mapping[int, Range]) -> dict[int, Range]:
    """The ranges, one for all tensors between which values are copied.

    It holds the ranges of all that are computed; what is copied adds nothing to it.

    Args:
        graph: the network.
        found: range by tensor; those that are left out have one that is given, as the picture has.
    """
    copied = {t for o in graph.operators if o.kind in (*COPYING, JOINING) for t in o.outputs}
    root = tied(_pairs(graph, found))
    members: dict[int, list[int]] = {}
    for tensor in found:
        members.setdefault(root(tensor), []).append(tensor)
    result = dict(found)
    for tensors in members.values():
        computed = [found[t] for t in tensors if t not in copied]
        if len(tensors) > 1 and computed:
            whole = min(low for low, _ in computed), max(high for _, high in computed)
            result.update(dict.fromkeys(tensors, whole))
    return result


def _pairs(graph: Graph, found: Mapping[int, Range]) -> Iterator[tuple[int, int]]:
    """Tensors of which an operator copies one to the other."""
    fixed = {t for operator in graph.operators if operator.kind in FIXED for t in operator.outputs}
    for operator in graph.operators:
        if operator.kind not in COPYING and not joins_pictures(graph, operator):
            continue
        for source in operator.inputs:
            for made in operator.outputs:
                if source in found and made in found and not {source, made} & fixed:
                    yield source, made


def joins_pictures(graph: Graph, operator: Operator) -> bool:
    """Whether an operator is a ``JOINING`` of more than vectors."""
    return operator.kind == JOINING and math.prod(graph.shape(operator.output)[:-1]) > 1
