"""Scaling channels through swish, where they are too few to be taken apart.

The layer before a swish makes x / s, with one factor s for each channel, so that all channels reach
as far. A 1x1 depthwise layer gives sigmoid its x again, and the product of both is swish(x) / s.
What is by channel and homogeneous passes the factor on; a depthwise layer takes it up for nothing,
and what sums over channels takes it into the columns of its weights (Xiao et al. 2023,
"SmoothQuant", equation 3). The function stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import Vector
from edgeeff.quantization.calibration.estimators import LEVELS
from edgeeff.quantization.calibration.swish import SWISH_LEAST, told_apart_by_swish
from edgeeff.quantization.corrections.equalization import HOMOGENEOUS
from edgeeff.quantization.corrections.regions import Region
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.weights import from_per_channel, per_channel

PASSING = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "MUL", "PAD", "RELU"})
"""Operators through which a factor above zero passes unchanged, unless they also cut off at 6."""

NARROWEST = (0.01, 0.05, 0.1, 0.2, 0.4)
"""Shares of the median reach that ``scaling_factors`` tries: what reaches less far is scaled as if
it did."""

RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""How far the grid is to reach below zero, as a share of how far above; likewise."""


def scalable_through_swish(graph: Graph, region: Region) -> bool:
    """Whether every operator passes factors on, takes them up, or is part of a swish."""
    return bool(swish_inputs(graph, region)) and all(
        operator.activation in HOMOGENEOUS
        if operator.kind in (*PASSING, "DEPTHWISE_CONV_2D")
        else operator.kind == "LOGISTIC" and graph.producer[operator.inputs[0]].weighted
        for operator in region.inner
    )


def swish_inputs(graph: Graph, region: Region) -> tuple[int, ...]:
    """The tensors of a region that a linear layer makes and only a swish reads."""
    found = []
    for tensor in region.tensors:
        maker, readers = graph.producer[tensor], graph.consumers.get(tensor, ())
        gates = [reader for reader in readers if reader.kind == "LOGISTIC"]
        products = [reader for reader in readers if reader.kind == "MUL"]
        linear = maker.weighted and maker.activation == "NONE"
        swish = len(readers) == 2 and len(gates) == 1 and len(products) == 1
        if linear and swish and set(products[0].inputs) == {tensor, gates[0].output}:
            found.append(tensor)
    return tuple(found)


@dataclass(frozen=True)
class SwishChannels:
    """What the channels of a swish's input do, float64 [channels] each.

    Attributes:
        low: how far each gets below zero, as far as swish tells values apart; not negative.
        high: how far above zero; not negative.
        cost: what an error of variance 1 in it costs.
        product_cost: what one in swish(x) costs.
    """

    low: Vector
    high: Vector
    cost: Vector
    product_cost: Vector


def scaling_factors(channels: SwishChannels, levels: int = LEVELS) -> Vector:
    """What to divide the channels of a swish's input by, float64 [channels].

    Divided, all reach as far as the grid does, above zero or below. Wide channels fill what is
    above, for swish tells nothing apart far below; narrow ones fill what is below. How much of the
    grid is which, and from where on a narrow channel is let be narrow, is tried: the rounding of
    x / s and of swish(x) / s should cost least.
    """
    reach = np.maximum(channels.high, channels.low)
    usual = float(np.median(reach[reach > 0])) if (reach > 0).any() else 1.0
    tried = [
        np.maximum(np.maximum(channels.high, channels.low / ratio) / usual, narrowest)
        for ratio in RATIOS
        for narrowest in NARROWEST
    ]
    return min(tried, key=lambda factors: _rounding_cost(channels, factors, levels))


def _rounding_cost(channels: SwishChannels, factors: Vector, levels: int) -> float:
    """Of x / s and swish(x) / s on a grid each, but for a constant."""
    above = float((channels.high / factors).max())
    half_a_step = factors * above / (2 * levels)
    below = np.minimum(channels.low, -told_apart_by_swish(half_a_step, float(channels.low.max())))
    product_below = np.minimum(channels.low, -SWISH_LEAST)
    power = np.square(factors)
    return sum(
        (above + float((low / factors).max())) ** 2 * float((cost * power).sum())
        for low, cost in ((below, channels.cost), (product_below, channels.product_cost))
    )


def scale_through_swish(
    graph: Graph, region: Region, factors: Mapping[int, Vector]
) -> dict[str, Vector]:
    """Divide the channels of the inputs of a region's swishes, and what follows from that.

    Args:
        graph: changed in place; its tensors keep their numbers.
        region: of the graph, ``scalable_through_swish``.
        factors: above zero, float64 [channels], for every tensor of ``swish_inputs``.

    Returns:
        By what each channel of a tensor was divided, float64 [channels], by name; those with a
        factor other than 1.
    """
    divided: dict[int, Vector] = {}
    scaled = swish_inputs(graph, region)
    for operator in (*region.makers, *region.inner):
        now = next(o for o in graph.operators if o.output == operator.output)
        factor = _passed_on(graph, now, divided)
        if now.output in scaled:
            factor = factors[now.output]
            _divide(graph, now, factor)
            _undo_for_sigmoid(graph, now.output, factor)
        if (factor != 1).any():
            divided[now.output] = factor
    for reader in region.readers:
        if reader.inputs[0] in divided:
            weights = graph.weights(reader) * divided[reader.inputs[0]]
            graph.set_weights(reader, weights.astype(np.float32))
    return {graph.name(tensor): factor for tensor, factor in divided.items()}


def _passed_on(graph: Graph, operator: Operator, divided: Mapping[int, Vector]) -> Vector:
    """By what an operator's output is divided, from its inputs; a depthwise layer takes it up."""
    channels = graph.shape(operator.output)[-1]
    factors = [divided[tensor] for tensor in operator.inputs if tensor in divided]
    if operator.kind == "DEPTHWISE_CONV_2D" and factors:
        kernel = graph.weights(operator) * factors[0]
        graph.set_weights(operator, kernel.astype(np.float32))
    if operator.kind not in PASSING:
        return np.ones(channels)
    return np.asarray(np.prod(factors, axis=0) * np.ones(channels))


def _divide(graph: Graph, layer: Operator, factor: Vector) -> None:
    """Divide each channel that a layer makes."""
    weights = graph.weights(layer)
    rows = per_channel(layer, weights) / factor[:, None]
    graph.set_weights(layer, from_per_channel(layer, rows.astype(np.float32), weights))
    bias = graph.bias(layer)
    if bias is not None:
        graph.set_bias(layer, (bias / factor).astype(np.float32))


def unscaled(name: str) -> str:
    """What a swish's input is called where sigmoid has it as it was before it was divided."""
    return f"{name}/unscaled"


def _undo_for_sigmoid(graph: Graph, tensor: int, factor: Vector) -> None:
    """Let sigmoid read the tensor through a 1x1 depthwise layer that multiplies it again."""
    gate = next(reader for reader in graph.consumers[tensor] if reader.kind == "LOGISTIC")
    name = unscaled(graph.name(tensor))
    channels = len(factor)
    kernel = graph.add_constant(f"{name}/kernel", factor.astype(np.float32).reshape(1, 1, 1, -1))
    bias = graph.add_constant(f"{name}/bias", np.zeros(channels, np.float32))
    whole = graph.add_tensor(name, graph.shape(tensor))
    options = {
        "padding": "VALID",
        "stride_w": 1,
        "stride_h": 1,
        "depth_multiplier": 1,
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
    }
    graph.add_operator("DEPTHWISE_CONV_2D", [tensor, kernel, bias], [whole], options)
    graph.redirect(tensor, whole, readers=[gate])
