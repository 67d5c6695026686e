"""Room for biases in 32 bits.

An integer bias has the scale of the layer's input times that of its channel's weights. Trained
networks have channels whose weights are nearly zero and whose bias is not: it saturates, and the
32-bit sum wraps around. A channel that float never lets speak then does, and kernels differ in how.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.weights import from_per_channel, per_channel

LEVELS = 127
LARGEST_BIAS = 2.0**29
"""Leaves the sum of the products three bits to grow."""


def make_room(graph: Graph, grids: Mapping[int, Grid]) -> int:
    """Give channels of next to no weight one that is large enough for their bias.

    The weight changes the output by less than a ten-thousandth of the bias.

    Args:
        graph: the float network; changed in place.
        grids: of the activations by tensor index, as they will be quantized.

    Returns:
        How many channels were changed.
    """
    changed = 0
    for operator in graph.operators:
        grid = grids.get(operator.inputs[0])
        bias = graph.bias(operator) if operator.weighted else None
        if grid is None or bias is None:
            continue
        kernel = graph.weights(operator)
        rows = per_channel(operator, kernel).copy()
        needed = (LEVELS * np.abs(bias) / (grid.scale * LARGEST_BIAS)).astype(np.float32)
        narrow = np.abs(rows).max(axis=1) < needed
        if narrow.any():
            rows[narrow] = 0.0
            rows[narrow, 0] = needed[narrow]
            graph.set_weights(operator, from_per_channel(operator, rows, kernel))
            changed += int(narrow.sum())
    return changed
