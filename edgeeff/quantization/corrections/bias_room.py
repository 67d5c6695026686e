"""Room for biases in 32 bits.

An integer bias has the scale of the layer's input times that of its channel's weights. Trained
networks have channels whose weights are nearly zero and whose bias is not: it saturates, and the
32-bit sum wraps around. A channel that float never lets speak then does, and kernels differ in how.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeeff.quantization.grid import FIXED, HIGHEST, Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.weights import from_per_channel, per_channel

LEVELS_16_BITS = 32767
LARGEST_BIAS = 2.0**29
"""Leaves the sum of the products three bits to grow."""

MOST_WIDENED = 16.0
"""A range of 16 bits that is so many times too wide still has the steps of 12. Channels that need
more have next to no weight: ``make_room`` gives them one."""


def widen_for_biases(graph: Graph, grids: Mapping[int, Grid]) -> dict[int, Grid]:
    """The grids of 16-bit activations, wide enough for the biases of the layers that read them.

    The steps of 16 bits are so fine that the bias of a layer with small weights, counted in them,
    passes 32 bits, where litert-quantizer cuts it off.

    Args:
        graph: the float network.
        grids: of the activations by tensor index.
    """
    wide = dict(grids)
    for operator in graph.operators:
        source = operator.inputs[0] if operator.inputs else -1
        grid = wide.get(source)
        bias = graph.bias(operator) if operator.weighted else None
        fixed = source in graph.producer and graph.producer[source].kind in FIXED
        if grid is None or bias is None or fixed:
            continue
        reach = max(-grid.minimum, grid.maximum)
        weight = np.abs(per_channel(operator, graph.weights(operator))).max(axis=1) / HIGHEST
        steps = np.abs(bias) / np.maximum(weight * reach / LEVELS_16_BITS, 1e-30)
        most = float(np.minimum(steps / LARGEST_BIAS, MOST_WIDENED).max())
        if most > 1:
            wide[source] = Grid.of_range(grid.minimum * most, grid.maximum * most)
    return wide


def make_room(graph: Graph, grids: Mapping[int, Grid], *, wide: bool = False) -> int:
    """Give channels of next to no weight one that is large enough for their bias.

    The weight changes the output by less than a ten-thousandth of the bias.

    Args:
        graph: the float network; changed in place.
        grids: of the activations by tensor index, as they will be quantized.
        wide: in 16 bits, whose steps are finer than a grid's.

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
        step = max(-grid.minimum, grid.maximum) / LEVELS_16_BITS if wide else grid.scale
        needed = (HIGHEST * np.abs(bias) / (step * LARGEST_BIAS)).astype(np.float32)
        narrow = np.abs(rows).max(axis=1) < needed
        if narrow.any():
            rows[narrow] = 0.0
            rows[narrow, 0] = needed[narrow]
            graph.set_weights(operator, from_per_channel(operator, rows, kernel))
            changed += int(narrow.sum())
    return changed
