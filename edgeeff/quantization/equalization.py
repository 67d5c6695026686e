"""Equalization: channels of one tensor brought to similar ranges, without changing the network.

A tensor has one int8 grid for all channels, which fits the widest. Where the function between
a layer and its readers is linear or ReLU, f(s·x) = s·f(x): a channel can be scaled up in the
layer and down in its readers (Nagel et al. 2019, "Data-Free Quantization", 4.1). Weights have
a scale per output channel, so only the readers' weights notice. Across ReLU6 and swish the
equality does not hold, and these tensors are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from edgeeff.litert.statistics import TensorStatistics
from edgeeff.quantization.graph import Graph, Operator, from_per_channel, per_channel
from edgeeff.quantization.observation import Observed
from edgeeff.quantization.recipe import Equalize

Vector = npt.NDArray[np.float64]
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
    for group in _groups(graph):
        reach = np.max([_reach(t, observed, batchnorm) for t in group], axis=0)
        widest = float(reach.max())
        if widest <= 0:
            continue
        factor = np.clip(
            (widest / np.maximum(reach, widest / rule.limit)) ** rule.exponent, 1.0, rule.limit
        )
        for tensor in group:
            _scale(graph, tensor, factor)
            factors[tensor] = factor
    return factors


def rescaled_statistics(
    known: Mapping[int, TensorStatistics], factors: Mapping[int, Vector]
) -> dict[int, TensorStatistics]:
    """Statistics of the scaled network from those of the original."""
    return {
        tensor: _times(said, factors[tensor]) if tensor in factors else said
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
        )
    return result


def _groups(graph: Graph) -> list[tuple[int, ...]]:
    """Sets of tensors that must share their factors: a residual sum and all its summands."""
    parent: dict[int, int] = {}

    def root(tensor: int) -> int:
        while parent.get(tensor, tensor) != tensor:
            tensor = parent[tensor]
        return tensor

    sums = [operator for operator in graph.operators if operator.kind == "ADD"]
    for operator in sums:
        for tensor in operator.inputs:
            parent[root(tensor)] = root(operator.output)
    members: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        if operator.weighted or operator.kind == "ADD":
            members.setdefault(root(operator.output), []).append(operator)
    joined = {root(tensor) for operator in sums for tensor in operator.inputs}
    made = {operator.output for group in members.values() for operator in group}
    whole = {
        key: group
        for key, group in members.items()
        if all(_free(graph, operator) for operator in group)
        and (key not in joined or _all_made(sums, root, key, made))
    }
    return [tuple(operator.output for operator in group) for group in whole.values()]


def _all_made(sums: Iterable[Operator], root: object, key: int, made: set[int]) -> bool:
    """Whether every summand of a group comes from an operator that can be scaled."""
    find = root if callable(root) else int
    return all(
        tensor in made
        for operator in sums
        if find(operator.output) == key
        for tensor in operator.inputs
    )


def _free(graph: Graph, operator: Operator) -> bool:
    """Whether all that happens to an output before the next weights commutes with scaling."""
    if operator.activation not in HOMOGENEOUS or operator.output == graph.output:
        return False
    readers = graph.consumers.get(operator.output, ())
    return bool(readers) and all(reader.weighted or reader.kind == "ADD" for reader in readers)


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


def _scale(graph: Graph, tensor: int, factor: Vector) -> None:
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


def _times(said: TensorStatistics, factor: Vector) -> TensorStatistics:
    scaled = {
        name: None if values is None else (values * factor).astype(np.float32)
        for name, values in vars(said).items()
    }
    return TensorStatistics(**scaled)  # type: ignore[arg-type] # mean is never None
