"""Room for biases in 32 bits.

An integer bias has the scale of the layer's input times that of its channel's weights. Trained
networks have channels whose weights are nearly zero and whose bias is not: it saturates, and the
32-bit sum wraps around. A channel that float never lets speak then does, and kernels differ in how.
In the fine steps of 16-bit inputs, that happens to channels whose weights do say something.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeeff.arrays import FloatArray
from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph

LEVELS_16_BITS = 32767
LARGEST_BIAS = 2.0**29
"""Leaves the sum of the products three bits to grow."""


def least_scales(
    graph: Graph, grids: Mapping[int, Grid], *, wide: bool = False
) -> dict[str, FloatArray]:
    """The finest scales of weights whose biases fit.

    Weights that are rounded to it are off by less than a 2 ** 30th of the bias for each step of
    the input.

    Args:
        graph: the float network.
        grids: of its activations by tensor index, as they will be quantized.
        wide: in 16 bits, whose steps are finer than a grid's.

    Returns:
        Of each output channel, float32 [channels], by the name of the layer; none of layers that
        have no bias, or no grid at their input.
    """
    found = {}
    for operator in graph.operators:
        grid = grids.get(operator.inputs[0])
        bias = graph.bias(operator) if operator.weighted else None
        if grid is not None and bias is not None:
            step = max(-grid.minimum, grid.maximum) / LEVELS_16_BITS if wide else grid.scale
            found[operator.name] = (np.abs(bias) / (step * LARGEST_BIAS)).astype(np.float32)
    return found
