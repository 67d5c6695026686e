"""Equalization: channels of one tensor brought to similar ranges, without changing the network.

A tensor has one int8 grid for all channels, which fits the widest. Where the function between
a layer and its readers is linear or ReLU, f(s·x) = s·f(x): a channel can be scaled up in the
layer and down in its readers (Nagel et al. 2019, "Data-Free Quantization", 4.1). Weights have
a scale per output channel, so only the readers' weights notice. Across ReLU6 and swish the
equality does not hold, and these tensors are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeeff.arrays import Vector
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.grid import RESCALING_END, rescaling
from edgeeff.quantization.recipes.recipe import Equalize
from edgeeff.quantization.tied import tied
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.statistics import TensorStatistics, rescaled
from edgeeff.tflite.weights import from_per_channel, per_channel

LARGEST_RESCALING = RESCALING_END / 8
"""Of a layer whose output is scaled: ranges are chosen afterwards and may be narrower than what
was seen."""

HOMOGENEOUS = ("NONE", "RELU")
"""Fused activations for which f(s·x) = s·f(x), s above 0."""


def equalize(
    graph: Graph,
    observed: Mapping[int, Observed],
    batchnorm: Mapping[int, TensorStatistics],
    rule: Equalize,
) -> dict[int, Vector]:
    """Scale the channels of every tensor for which that is exact.

    Args:
        graph: its weights and biases are changed.
        observed: what the pictures did, by tensor index.
        batchnorm: what BatchNorm says, by tensor index.
        rule: of the recipe.

    Returns:
        The factor on each channel, float64 [channels], of each tensor that was scaled.
    """
    factors: dict[int, Vector] = {}

    def widest(tensor: int) -> float:
        return float((_reach(tensor, observed, batchnorm) * factors.get(tensor, 1.0)).max())

    for group in scalable_groups(graph):
        reach = np.max([_reach(t, observed, batchnorm) for t in group], axis=0)
        factor = channel_factors(reach, rule)
        if factor is None:
            continue
        after = float((reach * factor).max())
        for maker in (graph.producer[tensor] for tensor in group):
            if maker.weighted:
                rows = per_channel(maker, graph.weights(maker))
                before = rescaling(rows, widest(maker.inputs[0]), after)
                most = np.divide(LARGEST_RESCALING, before, out=factor.copy(), where=before > 0)
                factor = np.minimum(factor, np.maximum(most, 1.0))
        if (factor == 1).all():
            continue
        for tensor in group:
            scale_channels(graph, tensor, factor)
            factors[tensor] = factor
    return factors


def channel_factors(reach: Vector, rule: Equalize) -> Vector | None:
    """The factor on each channel, from how far each gets; ``None`` where nothing happens.

    A channel that gets ``rule.outlier`` times as far as the median one, or that much less far, is
    first brought to the median, whatever the exponent: the former would leave the others, the
    latter itself, a few levels of int8. Then all are moved towards the widest. A channel that
    never wakes is left alone: how far it would get nobody knows.
    """
    awake = reach > 0
    if not awake.any():
        return None
    median = float(np.median(reach[awake]))
    outlying = (reach > rule.outlier * median) | (reach < median / rule.outlier)
    tame = np.where(outlying, median, reach)
    brought = tame / np.maximum(reach, tame / rule.limit)
    factor = brought * (tame.max() / tame) ** rule.exponent
    return np.where(awake, factor, 1.0)


def rescaled_statistics(
    known: Mapping[int, TensorStatistics], factors: Mapping[int, Vector]
) -> dict[int, TensorStatistics]:
    """Statistics of the scaled network from those of the original."""
    return {
        tensor: rescaled(said, factors[tensor]) if tensor in factors else said
        for tensor, said in known.items()
    }


def rescaled_observation(
    observed: Mapping[int, Observed], factors: Mapping[int, Vector]
) -> dict[int, Observed]:
    """Extremes and moments of the scaled network from those of the original.

    The histogram is not by channel and stays as it was: the tensors concerned have their
    range from BatchNorm or from their extremes.
    """
    result = dict(observed)
    for tensor, factor in factors.items():
        seen = observed[tensor]
        low, high = seen.minimum * factor, seen.maximum * factor
        result[tensor] = Observed(
            low.astype(np.float32),
            high.astype(np.float32),
            seen.mean * factor,
            seen.square * factor**2,
            seen.histogram,
            [(float(low.min()), float(high.max()))] * len(seen.extremes),
            seen.pictures,
        )
    return result


def scalable(graph: Graph) -> frozenset[int]:
    """The tensors whose channels equalization may scale."""
    return frozenset(tensor for group in scalable_groups(graph) for tensor in group)


def scalable_groups(graph: Graph) -> list[tuple[int, ...]]:
    """Sets of tensors that must share their factors: a residual sum and all its summands.

    Only those for which scaling leaves the network's function as it is.
    """
    sums = [operator for operator in graph.operators if operator.kind == "ADD"]
    root = tied((tensor, sum_.output) for sum_ in sums for tensor in sum_.inputs)
    members: dict[int, set[int]] = {}
    for operator in graph.operators:
        members.setdefault(root(operator.output), set()).add(operator.output)
        for tensor in operator.inputs if operator.kind == "ADD" else ():
            members[root(operator.output)].add(tensor)
    return [
        tuple(sorted(group))
        for group in members.values()
        if all(_free(graph, tensor) for tensor in group)
    ]


def scale_channels(graph: Graph, tensor: int, factor: Vector) -> None:
    """Scale the channels of one tensor of a group, and undo it where weights read them."""
    maker = graph.producer[tensor]
    if maker.weighted:
        weights = graph.weights(maker)
        scaled = (per_channel(maker, weights) * factor[:, None]).astype(np.float32)
        graph.set_weights(maker, from_per_channel(maker, scaled, weights))
        bias = graph.bias(maker)
        if bias is not None:
            graph.set_bias(maker, (bias * factor).astype(np.float32))
    for reader in graph.consumers[tensor]:
        if reader.weighted:
            # The last axis of every kernel is its input channel.
            graph.set_weights(reader, (graph.weights(reader) / factor).astype(np.float32))


def _free(graph: Graph, tensor: int) -> bool:
    """Whether a tensor can be scaled, and all that happens to it until the next weights."""
    maker = graph.producer.get(tensor)
    if maker is None or not (maker.weighted or maker.kind == "ADD"):
        return False
    if not all(
        _by_channel(graph, end, tensor) for end in (maker, *graph.consumers.get(tensor, ()))
    ):
        return False
    if maker.activation not in HOMOGENEOUS or tensor == graph.output:
        return False
    readers = graph.consumers.get(tensor, ())
    return bool(readers) and all(reader.weighted or reader.kind == "ADD" for reader in readers)


def _by_channel(graph: Graph, operator: Operator, tensor: int) -> bool:
    """Whether an operator keeps a tensor's channels apart, or weighs each by numbers of its own.

    Sums that broadcast, grouped convolutions and depth multipliers do not.
    """
    channels = graph.shape(tensor)[-1:]
    if operator.kind == "ADD":
        operands = (*operator.inputs, operator.output)
        return all(graph.shape(operand)[-1:] == channels for operand in operands)
    if operator.weighted and tensor == operator.inputs[0]:
        return graph.shape(operator.inputs[1])[-1:] == channels
    return True


def _reach(
    tensor: int,
    observed: Mapping[int, Observed],
    batchnorm: Mapping[int, TensorStatistics],
) -> Vector:
    """How far from zero each channel gets, float64 [channels]."""
    said = batchnorm.get(tensor)
    if said is not None and said.deviation is not None:
        return np.asarray(np.abs(said.mean) + 4 * said.deviation, np.float64)
    seen = observed[tensor]
    return np.asarray(np.maximum(np.abs(seen.minimum), np.abs(seen.maximum)), np.float64)
