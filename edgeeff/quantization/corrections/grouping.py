"""Groups of channels with grids of their own, in regions where channels differ too much.

A real EfficientNet-B has channels that reach a hundred times as far as others before and after
swish, where no scaling is exact (``equalization``). There a layer is taken apart into several that
make some of its channels each; activation functions, depthwise layers and gates follow for each
group; the next layer becomes a sum of layers that read one group each. The float network computes
the same, in standard operators, and each group's tensors have scales that fit it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.calibration.ranges import told_apart
from edgeeff.quantization.corrections.partition import cost, partition
from edgeeff.quantization.corrections.regions import Region, regions
from edgeeff.quantization.grid import FIXED, HIGHEST, LOWEST
from edgeeff.quantization.recipes.recipe import Group, Ranges
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.weights import per_channel

Vector = npt.NDArray[np.float64]
Members = tuple[npt.NDArray[np.int64], ...]
"""The channels of each group, in order."""

STEPS = HIGHEST - LOWEST


@dataclass(frozen=True)
class Grouped:
    """What became of a region.

    Attributes:
        name: of the first layer that makes its channels.
        members: the channels of each group.
        before_db: predicted signal to noise ratio of what reads it, with one group.
        after_db: with these groups.
        tensors: the names of a group's tensors by that of the tensor they are of.
    """

    name: str
    members: Members
    before_db: float
    after_db: float
    tensors: Mapping[str, tuple[str, ...]]


def group(
    graph: Graph, observed: Mapping[int, Observed], rule: Group, ends: Ranges
) -> list[Grouped]:
    """Take the channels of regions apart where that pays.

    Args:
        graph: the float network; changed in place. New tensors have new numbers.
        observed: what the pictures did, by tensor number.
        rule: of the recipe.
        ends: of the recipe: how far values matter.

    Returns:
        What was done, in order of execution.
    """
    done: list[Grouped] = []
    looked: set[int] = set()
    while (region := _next(graph, observed, looked)) is not None:
        looked.update(region.tensors)
        choice = _choice(graph, region, observed, rule, ends)
        if choice is not None:
            members, before, after = choice
            name = region.makers[0].name
            tensors = take_apart(graph, region, members)
            done.append(Grouped(name, members, before, after, tensors))
    return done


def _next(graph: Graph, observed: Mapping[int, Observed], looked: set[int]) -> Region | None:
    """The first region that was not looked at, of tensors that the pictures showed."""
    for region in regions(graph):
        if region.tensors[0] not in looked and set(region.tensors) <= set(observed):
            return region
    return None


def _choice(
    graph: Graph, region: Region, observed: Mapping[int, Observed], rule: Group, ends: Ranges
) -> tuple[Members, float, float] | None:
    """The groups that a region needs, with the predicted ratio before and after."""
    sensitivity = _sensitivity(graph, region, observed)
    tensors = [t for t in region.tensors if t in sensitivity and _spatial(graph, t)]
    tensors = [t for t in tensors if graph.producer[t].kind not in FIXED]
    if not tensors or region.channels < 2 * rule.unit:
        return None
    reach = [_reach(graph, t, observed[t], ends) for t in tensors]
    low, high = (np.stack(ends) for ends in zip(*reach, strict=True))
    weight = np.stack([sensitivity[t] for t in tensors])
    signal = _signal(graph, region, observed)
    ratios = []
    for count in range(1, min(rule.most, region.channels // rule.unit) + 1):
        labels = partition(low, high, weight, count, rule.unit)
        noise = cost(low, high, weight, labels) / (12 * STEPS**2)
        ratios.append(10 * math.log10(signal / max(noise, 1e-30)))
        chosen = labels
        if ratios[-1] >= rule.enough_db:
            break
    found = tuple(np.flatnonzero(chosen == label) for label in np.unique(chosen))
    return (found, ratios[0], ratios[-1]) if len(found) > 1 else None


def _reach(graph: Graph, tensor: int, seen: Observed, ends: Ranges) -> tuple[Vector, Vector]:
    """How far each channel gets below and above zero, as its grid will."""
    low = np.minimum(seen.minimum, 0.0).astype(np.float64)
    high = np.maximum(seen.maximum, 0.0).astype(np.float64)
    return np.maximum(low, -told_apart(graph, tensor, ends)), high


def _spatial(graph: Graph, tensor: int) -> bool:
    shape = graph.shape(tensor)
    return len(shape) == 4 and shape[1] * shape[2] > 1


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
    spatial = [reader for reader in region.readers if _spatial(graph, reader.inputs[0])]
    return spatial or list(region.readers)


def _positions(graph: Graph, tensor: int) -> int:
    return math.prod(graph.shape(tensor)[1:-1])


def _sensitivity(
    graph: Graph, region: Region, observed: Mapping[int, Observed]
) -> dict[int, Vector]:
    """The power that an error of variance 1 in every value of a channel makes in what reads it.

    Errors are taken to be independent of each other; summed over all values of the readers.
    """
    gain = {tensor: np.zeros(region.channels) for tensor in region.tensors}
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
            return np.square(np.asarray(factor, np.float64)).reshape(-1)
        return np.asarray(observed[others[0]].square) if others else 1.0
    return 1.0


def take_apart(graph: Graph, region: Region, members: Members) -> dict[str, tuple[str, ...]]:
    """Replace a region by one for each group of its channels; the function stays the same.

    Args:
        graph: changed in place; tensors of other regions keep their numbers.
        region: of the graph.
        members: the channels of each group, each channel in one of them.

    Returns:
        The names of the groups' tensors by the name of the tensor they are of.
    """
    parts: dict[int, list[int]] = {}
    for operator in (*region.makers, *region.inner):
        parts[operator.output] = _apart(graph, operator, members, parts)
    for reader in region.readers:
        if _spatial(graph, reader.inputs[0]):
            _sum_of_parts(graph, reader, parts[reader.inputs[0]], members)
        else:
            _joined(graph, reader, parts[reader.inputs[0]], members)
    graph.remove(*region.makers, *region.inner)
    return {graph.name(t): tuple(graph.name(part) for part in parts[t]) for t in parts}


def _apart(
    graph: Graph, operator: Operator, members: Members, parts: Mapping[int, list[int]]
) -> list[int]:
    """An operator that makes channels, once for each group; the tensors they make."""
    made, shape = [], graph.shape(operator.output)
    for number, channels in enumerate(members):
        inputs = [
            parts[tensor][number]
            if tensor in parts
            else _of_group(graph, operator, place, channels, number)
            for place, tensor in enumerate(operator.inputs)
        ]
        name = f"{operator.name}/group{number}"
        made.append(graph.add_tensor(name, (*shape[:-1], len(channels))))
        graph.add_like(operator, inputs, [made[-1]])
    return made


def _of_group(
    graph: Graph, operator: Operator, place: int, channels: npt.NDArray[np.int64], number: int
) -> int:
    """A group's share of a constant; others, and what a layer reads, stay as they are."""
    tensor = operator.inputs[place]
    values = graph.values(tensor) if tensor >= 0 else None
    if values is None or operator.kind in ("MEAN", "PAD") or values.ndim == 0:
        return tensor
    if operator.kind in ("CONV_2D", "FULLY_CONNECTED"):
        share = values[channels]
    elif values.shape[-1] == 1:
        return tensor
    else:
        share = values[..., channels]
    return graph.add_constant(f"{graph.name(tensor)}/group{number}", share)


def _sum_of_parts(graph: Graph, reader: Operator, parts: list[int], members: Members) -> None:
    """A layer as the sum of layers that read one group each; the last one has the bias."""
    weights, shape = graph.weights(reader), graph.shape(reader.output)
    bias = reader.inputs[2] if len(reader.inputs) > 2 else -1
    summands = []
    graph.remove(reader)
    for number, (part, channels) in enumerate(zip(parts, members, strict=True)):
        kernel = graph.add_constant(
            f"{graph.name(reader.inputs[1])}/group{number}", weights[..., channels]
        )
        last = number == len(parts) - 1
        zeros = np.zeros(shape[-1], np.float32)
        shift = (
            bias if last and bias >= 0 else graph.add_constant(f"{reader.name}/bias{number}", zeros)
        )
        summands.append(graph.add_tensor(f"{reader.name}/group{number}", shape))
        added = graph.add_like(reader, [part, kernel, shift], [summands[-1]])
        graph.update(added, options={**added.options, "fused_activation_function": "NONE"})
    total = summands[0]
    for number, summand in enumerate(summands[1:], 1):
        last = number == len(summands) - 1
        activation = reader.activation if last else "NONE"
        whole = reader.output if last else graph.add_tensor(f"{reader.name}/sum{number}", shape)
        options = {"fused_activation_function": activation}
        graph.add_operator("ADD", [total, summand], [whole], options, version=2)
        total = whole


def _joined(graph: Graph, reader: Operator, parts: list[int], members: Members) -> None:
    """Let a layer read the groups side by side: where values are few, that costs least."""
    source = reader.inputs[0]
    name = f"{graph.name(source)}/joined"
    joined = next((t.index for t in graph.tensors if t.name == name), None)
    if joined is None:
        joined = graph.add_tensor(name, graph.shape(source))
        axis = len(graph.shape(source)) - 1
        options = {"axis": axis, "fused_activation_function": "NONE"}
        graph.add_operator("CONCATENATION", parts, [joined], options, version=2)
    order = np.concatenate(members)
    graph.set_weights(reader, graph.weights(reader)[..., order])
    graph.redirect(source, joined, readers=[reader])
