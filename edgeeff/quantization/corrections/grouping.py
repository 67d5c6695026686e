"""Groups of channels with grids of their own, in regions where channels differ too much.

A real EfficientNet-B has channels that reach a hundred times as far as others before and after
swish, where no scaling is exact (``equalization``). Which groups a region needs is predicted from
what rounding costs in each of its tensors; ``channel_groups`` takes it apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import Vector
from edgeeff.quantization.calibration.estimators import LEVELS
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.calibration.ranges import is_swish, told_apart
from edgeeff.quantization.calibration.swish import SWISH_LEAST
from edgeeff.quantization.corrections.channel_groups import Members, spatial, take_apart
from edgeeff.quantization.corrections.partition import Labels, Matrix, cost, partition
from edgeeff.quantization.corrections.regions import Region, regions
from edgeeff.quantization.corrections.swish_scaling import (
    SwishChannels,
    scalable_through_swish,
    scale_through_swish,
    scaling_factors,
    swish_inputs,
)
from edgeeff.quantization.grid import FIXED
from edgeeff.quantization.recipes.recipe import Group, Ranges
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.statistics import TensorStatistics
from edgeeff.tflite.weights import per_channel


@dataclass(frozen=True)
class Activations:
    """What is known of a float network's activations, by tensor number.

    Attributes:
        observed: what pictures did.
        batchnorm: what counts above them (``ranges.trusted``).
        rule: of the recipe, for ranges.
        levels: of the grids that they will have.
    """

    observed: Mapping[int, Observed]
    batchnorm: Mapping[int, TensorStatistics]
    rule: Ranges
    levels: int = LEVELS

    def reach(self, graph: Graph, tensor: int) -> tuple[Vector, Vector]:
        """Smallest and largest value of each channel, float64 [channels]."""
        said = self.batchnorm.get(tensor)
        if said is not None and said.deviation is not None:
            spread = self.rule.deviations * np.asarray(said.deviation, np.float64)
            return said.mean - spread, said.mean + spread
        product = graph.producer[tensor]
        if is_swish(graph, product) and product.inputs[0] in self.batchnorm:
            high = np.maximum(self.reach(graph, product.inputs[0])[1], 0.0)
            return np.full_like(high, SWISH_LEAST), high
        seen = self.observed[tensor]
        return np.asarray(seen.minimum, np.float64), np.asarray(seen.maximum, np.float64)


@dataclass(frozen=True)
class Grouped:
    """What became of a region.

    Attributes:
        name: of the first layer that makes its channels.
        before_db: predicted signal to noise ratio of what reads it, as it was.
        after_db: with these groups; not predicted where channels were scaled.
        members: the channels of each group; one group where channels were scaled.
        tensors: the names of a group's tensors by that of the tensor they are of.
        divided: by what channels were divided, float64 [channels], by name of the tensor.
    """

    name: str
    before_db: float
    after_db: float | None
    members: Members
    tensors: Mapping[str, tuple[str, ...]]
    divided: Mapping[str, Vector]


def group(graph: Graph, known: Activations, rule: Group) -> list[Grouped]:
    """Take the channels of regions apart where that pays, or scale them where they are few.

    Args:
        graph: the float network; changed in place. New tensors have new numbers.
        known: of its activations.
        rule: of the recipe.

    Returns:
        What was done, in order of execution.
    """
    done: list[Grouped] = []
    looked: set[int] = set()
    while (region := _next(graph, known.observed, looked)) is not None:
        looked.update(region.tensors)
        grouped = _changed(graph, region, known, rule)
        if grouped is not None:
            done.append(grouped)
    return done


def _next(graph: Graph, observed: Mapping[int, Observed], looked: set[int]) -> Region | None:
    """The first region that was not looked at, of tensors that the pictures showed."""
    for region in regions(graph):
        if region.tensors[0] not in looked and set(region.tensors) <= set(observed):
            return region
    return None


def _changed(graph: Graph, region: Region, known: Activations, rule: Group) -> Grouped | None:
    """A region whose channels were scaled or taken apart; ``None``: it stays as it is."""
    widths = _widths(graph, region, known)
    if widths is None:
        return None
    signal, name = _signal(graph, region, known.observed), region.makers[0].name
    signal *= known.levels**2
    before = _ratio_db(signal, widths, np.zeros(region.channels, np.int64))
    if before >= rule.enough_db:
        return None
    if region.channels < rule.narrow and scalable_through_swish(graph, region):
        inputs = swish_inputs(graph, region)
        costs = _sensitivity(graph, region, known.observed)
        factors = {
            t: scaling_factors(_channels(graph, t, known, costs), known.levels) for t in inputs
        }
        everything = (np.arange(region.channels),)
        divided = scale_through_swish(graph, region, factors)
        return Grouped(name, before, None, everything, {}, divided)
    labels, after = _labels(region, signal, widths, rule)
    members = tuple(np.flatnonzero(labels == label) for label in np.unique(labels))
    if len(members) == 1:
        return None
    return Grouped(name, before, after, members, take_apart(graph, region, members), {})


Widths = tuple[Matrix, Matrix, Matrix]
"""Ends of each channel below and above zero, and what errors there cost: [tensors, channels]."""


def _labels(region: Region, signal: float, widths: Widths, rule: Group) -> tuple[Labels, float]:
    """As few groups as are enough, and their predicted ratio."""
    labels: Labels = np.zeros(region.channels, np.int64)
    ratio = -math.inf
    for count in range(2, min(rule.most, region.channels // rule.unit) + 1):
        labels = partition(*widths, count, rule.unit)
        ratio = _ratio_db(signal, widths, labels)
        if ratio >= rule.enough_db:
            break
    return labels, ratio


def _ratio_db(signal: float, widths: Widths, labels: Labels) -> float:
    """In which both are counted in squares of the grid's levels."""
    return 10 * math.log10(signal / max(cost(*widths, labels) / 12, 1e-30))


def _widths(graph: Graph, region: Region, known: Activations) -> Widths | None:
    """Of the tensors of a region whose grids follow from what they do."""
    sensitivity = _sensitivity(graph, region, known.observed)
    tensors = [t for t in region.tensors if spatial(graph, t)]
    tensors = [t for t in tensors if graph.producer[t].kind not in FIXED]
    if not tensors:
        return None
    reach = [_reach(graph, t, known) for t in tensors]
    low, high = (np.stack(end) for end in zip(*reach, strict=True))
    return low, high, np.stack([sensitivity[t] for t in tensors])


def _channels(
    graph: Graph, tensor: int, known: Activations, costs: Mapping[int, Vector]
) -> SwishChannels:
    """What the channels of a swish's input do."""
    low, high = _reach(graph, tensor, known)
    (product,) = (reader for reader in graph.consumers[tensor] if reader.kind == "MUL")
    return SwishChannels(-low, high, costs[tensor], costs[product.output])


def _reach(graph: Graph, tensor: int, known: Activations) -> tuple[Vector, Vector]:
    """How far each channel gets below and above zero, as its grid will."""
    low, high = known.reach(graph, tensor)
    lowest, highest = told_apart(graph, tensor, known.rule)
    return np.clip(low, lowest, 0.0), np.clip(high, 0.0, highest)


def _signal(graph: Graph, region: Region, observed: Mapping[int, Observed]) -> float:
    """The power of what the region adds to, summed over values: variances and not squares."""
    total = 0.0
    for reader in _deciding(graph, region):
        tensor = reader.output
        after = graph.consumers.get(tensor, ())
        if len(after) == 1 and after[0].kind == "ADD":
            tensor = after[0].output
        seen = observed[tensor]
        power = float(np.maximum(seen.square - seen.mean**2, 0.0).sum())
        total += power * _positions(graph, tensor)
    return max(total, 1e-30)


def _deciding(graph: Graph, region: Region) -> list[Operator]:
    """The readers whose error counts: of a gated region not those that make the gate."""
    large = [reader for reader in region.readers if spatial(graph, reader.inputs[0])]
    return large or list(region.readers)


def _positions(graph: Graph, tensor: int) -> int:
    return math.prod(graph.shape(tensor)[1:-1])


def _sensitivity(
    graph: Graph, region: Region, observed: Mapping[int, Observed]
) -> dict[int, Vector]:
    """The power that an error of variance 1 in every value of a channel makes in what reads it.

    Errors are taken to be independent of each other; summed over all values of the readers.
    """
    gain: dict[int, Vector] = {tensor: np.zeros(region.channels) for tensor in region.tensors}
    for reader in _deciding(graph, region):
        kernel = graph.weights(reader).astype(np.float64)
        squares = np.square(kernel).sum(axis=tuple(range(kernel.ndim - 1)))
        gain[reader.inputs[0]] += squares * _positions(graph, reader.output)
    for operator in reversed(region.inner):
        for tensor in set(operator.inputs) & set(gain):
            gain[tensor] += gain[operator.output] * _slope(graph, operator, tensor, observed)
    return gain


def _slope(
    graph: Graph, operator: Operator, tensor: int, observed: Mapping[int, Observed]
) -> Vector | float:
    """The mean square of an operator's derivative by one of its inputs, by channel.

    A mean over positions is taken to keep the error: where most values of a channel are small,
    all are rounded the same way.
    """
    if operator.kind == "DEPTHWISE_CONV_2D":
        rows = per_channel(operator, graph.weights(operator))
        return np.asarray(np.square(rows, dtype=np.float64).sum(axis=1))
    if operator.kind in ("LOGISTIC", "TANH"):
        # Part of swish, whose slope is that of the product; a gate's is small.
        return 0.0
    if operator.kind == "MUL":
        others = [other for other in operator.inputs if other != tensor]
        factor = graph.values(others[0]) if others else None
        if factor is not None:
            each = np.square(np.asarray(factor, np.float64))
            return np.asarray(each.mean(axis=tuple(range(each.ndim - 1))))
        return np.asarray(observed[others[0]].square) if others else 1.0
    return 1.0
