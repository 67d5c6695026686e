"""Which activations have one grid: operators that only hand values on keep their steps."""

from __future__ import annotations

import itertools

from edgeeff.quantization.calibration.shared_ranges import COPYING, joins_pictures
from edgeeff.quantization.grid import FIXED
from edgeeff.quantization.tied import tied
from edgeeff.tflite.graph import Graph

MOVING = COPYING | {"MAXIMUM", "MINIMUM", "PADV2", "REDUCE_MAX", "SQUEEZE"}
"""Operators whose int8 kernels neither rescale nor shift: inputs and outputs have one grid.

TensorFlow Lite 8-bit quantization specification, "Int8 quantized operator specifications".
"""

ROUNDING = MOVING & {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Those whose results lie between their inputs' steps, and are rounded to one of them."""


def shared_grids(graph: Graph) -> dict[int, int]:
    """For each activation, the tensor that stands for all that have the same grid.

    A concatenation of pictures has the grid of what it joins, but of those whose grid is
    prescribed. One of vectors has its own.
    """
    activations = graph.activations
    known, pairs = set(activations), list[tuple[int, int]]()
    fixed = {t for operator in graph.operators if operator.kind in FIXED for t in operator.outputs}
    for operator in graph.operators:
        together = [t for t in (*operator.inputs, *operator.outputs) if t in known]
        if joined := joins_pictures(graph, operator):
            together = [tensor for tensor in together if tensor not in fixed]
        if operator.kind in MOVING or joined:
            pairs += itertools.pairwise(together)
    root = tied(pairs)
    return {tensor: root(tensor) for tensor in activations}
