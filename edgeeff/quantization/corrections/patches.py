"""A sample of what a layer's kernel sees: the rows of the im2col matrix that rounding needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import Array, FloatArray
from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

POSITIONS = {"CONV_2D": 6144, "DEPTHWISE_CONV_2D": 768, "FULLY_CONNECTED": 6144}
"""Output positions sampled per layer. A depthwise kernel has few taps and needs few."""


def sample(
    graph: Graph,
    operator: Operator,
    stored: Sequence[npt.NDArray[Any]],
    grid: Grid | None,
    random: np.random.Generator,
) -> FloatArray:
    """Real inputs of a layer's taps at sampled output positions.

    Args:
        graph: the network.
        operator: a layer with weights.
        stored: its input, [batch, ...] for each stored batch.
        grid: of that input, stored as int8; ``None``: it is stored in float.
        random: which positions.

    Returns:
        float32 [taps, positions], taps in the order of ``weights.per_channel``; for depthwise
        layers [output channels, taps, positions].
    """
    inputs = np.concatenate(stored)

    def real(values: npt.NDArray[Any]) -> FloatArray:
        return grid.dequantize(values) if grid else values

    if operator.kind == "FULLY_CONNECTED":
        # A picture that it reads is flattened.
        return real(np.ascontiguousarray(inputs.reshape(-1, graph.shape(operator.inputs[1])[1]).T))
    windows = _windows(graph, operator, inputs, grid.zero_point if grid else 0)
    pictures, rows, columns = windows.shape[:3]
    total = pictures * rows * columns
    count = min(POSITIONS[operator.kind], total)
    chosen = np.sort(random.choice(total, count, replace=False))
    places = np.unravel_index(chosen, (pictures, rows, columns))
    seen = windows[places]  # [positions, channels, height, width]
    if operator.kind == "DEPTHWISE_CONV_2D":
        per_channel = seen.transpose(1, 2, 3, 0).reshape(seen.shape[1], -1, count)
        copies = np.repeat(per_channel, multiplier(graph, operator), axis=0)
        return real(np.ascontiguousarray(copies))
    return real(np.ascontiguousarray(seen.transpose(2, 3, 1, 0)).reshape(-1, count))


def tap_means(graph: Graph, operator: Operator, channels: npt.NDArray[np.float32]) -> FloatArray:
    """The mean input of each tap from that of each channel; padding is not counted.

    Returns:
        float32 [taps], for depthwise and grouped layers [output channels, taps].
    """
    shape = graph.shape(operator.inputs[1])
    if is_grouped(graph, operator):
        groups = len(channels) // shape[-1]
        each = np.tile(channels.reshape(groups, shape[-1]), (1, shape[1] * shape[2]))
        return np.repeat(each, shape[0] // groups, axis=0)
    if operator.kind == "FULLY_CONNECTED":
        return np.tile(channels, shape[1] // len(channels))
    taps = shape[1] * shape[2]
    if operator.kind == "DEPTHWISE_CONV_2D":
        return np.repeat(np.repeat(channels, multiplier(graph, operator))[:, None], taps, axis=1)
    return np.tile(channels, taps)


def is_grouped(graph: Graph, operator: Operator) -> bool:
    """Whether a convolution's outputs see a group of its input channels each."""
    if operator.kind != "CONV_2D":
        return False
    return graph.shape(operator.inputs[0])[-1] != graph.shape(operator.inputs[1])[-1]


def multiplier(graph: Graph, operator: Operator) -> int:
    """How many outputs a depthwise layer makes of each channel."""
    return graph.shape(operator.inputs[1])[-1] // graph.shape(operator.inputs[0])[-1]


def _windows(
    graph: Graph, operator: Operator, inputs: npt.NDArray[Any], zero: int
) -> npt.NDArray[Any]:
    """A view [pictures, rows, columns, channels, height, width] of every kernel position."""
    _, height, width, _ = graph.shape(operator.inputs[1])
    options = operator.options
    strides = (options["stride_h"], options["stride_w"])
    dilations = (options["dilation_h_factor"], options["dilation_w_factor"])
    reach = tuple((k - 1) * d + 1 for k, d in zip((height, width), dilations, strict=True))
    if options["padding"] == "SAME":
        sizes = graph.shape(operator.output)[1:3]
        pads = [
            max((out - 1) * stride + size - have, 0)
            for out, stride, size, have in zip(
                sizes, strides, reach, inputs.shape[1:3], strict=True
            )
        ]
        around = [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)]
        inputs = np.pad(inputs, around, constant_values=zero)
    views: Array = inputs
    for axis, size in enumerate(reach, 1):
        views = np.lib.stride_tricks.sliding_window_view(views, size, axis=axis)
    return views[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]
