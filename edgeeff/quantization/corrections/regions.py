"""Regions of a graph in which all that happens is by channel.

Between two layers that sum over channels lie activation functions, depthwise layers, and the gates
of squeeze-excite: none of them mixes channels. The channels of such a region can be dealt with
apart, and the network's function stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.quantization.tied import tied
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

BY_CHANNEL = frozenset(
    {
        "AVERAGE_POOL_2D",
        "DEPTHWISE_CONV_2D",
        "HARD_SWISH",
        "LOGISTIC",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PAD",
        "RELU",
        "RELU6",
        "TANH",
    }
)
"""Operators whose output's channel depends on the same channel of their inputs alone."""

SUMMING = ("CONV_2D", "FULLY_CONNECTED")
"""Operators that read all channels, with weights that can be taken apart."""


@dataclass(frozen=True)
class Region:
    """What lies between the layers that make some channels and those that sum over them.

    Attributes:
        channels: how many.
        tensors: its activations, in order.
        makers: layers whose outputs are in it.
        inner: operators from activations of it to activations of it, in order.
        readers: layers that read it.
    """

    channels: int
    tensors: tuple[int, ...]
    makers: tuple[Operator, ...]
    inner: tuple[Operator, ...]
    readers: tuple[Operator, ...]


def regions(graph: Graph) -> list[Region]:
    """The regions of a float graph with more than one channel, in order of execution."""
    by_channel = [operator for operator in graph.operators if operator.kind in BY_CHANNEL]
    root = tied((t, each.output) for each in by_channel for t in _activations(graph, each))
    members: dict[int, list[int]] = {}
    for tensor in graph.activations:
        members.setdefault(root(tensor), []).append(tensor)
    found = (_region(graph, tuple(tensors)) for tensors in members.values())
    return [region for region in found if region is not None]


def _region(graph: Graph, tensors: tuple[int, ...]) -> Region | None:
    """The region of these activations; ``None`` if anything else makes or reads one of them."""
    inside, channels = set(tensors), graph.shape(tensors[0])[-1]
    if inside & {graph.input, *graph.outputs} or channels < 2:
        return None
    if any(graph.shape(tensor)[-1] != channels for tensor in tensors):
        return None
    makers = [graph.producer[tensor] for tensor in tensors]
    readers = [operator for tensor in tensors for operator in graph.consumers.get(tensor, ())]
    inner = tuple(dict.fromkeys(operator for operator in makers if operator.kind in BY_CHANNEL))
    entered = tuple(operator for operator in makers if operator.kind not in BY_CHANNEL)
    left = tuple(dict.fromkeys(o for o in readers if o.kind not in BY_CHANNEL))
    fits = (
        bool(inner and entered and left)
        and all(_keeps_channels(graph, operator, channels) for operator in inner)
        and all(_separable(graph, operator) for operator in entered)
        and all(_sums_over(graph, operator, channels) for operator in left)
    )
    return Region(channels, tensors, entered, inner, left) if fits else None


def _activations(graph: Graph, operator: Operator) -> list[int]:
    """The activations that an operator reads."""
    return [t for t in operator.inputs if t >= 0 and not graph.tensor(t).constant]


def _keeps_channels(graph: Graph, operator: Operator, channels: int) -> bool:
    if operator.kind == "DEPTHWISE_CONV_2D":
        return graph.tensor(operator.inputs[1]).constant and operator.options.get(
            "depth_multiplier", 1
        ) in (0, 1)
    if operator.kind == "MEAN":
        axes = graph.values(operator.inputs[1])
        rank = len(graph.shape(operator.inputs[0]))
        return axes is not None and (rank - 1) not in {int(axis) % rank for axis in axes.ravel()}
    if operator.kind == "PAD":
        widths = graph.values(operator.inputs[1])
        return widths is not None and not widths[-1].any()
    constants = [t for t in operator.inputs if t >= 0 and graph.tensor(t).constant]
    return all((graph.shape(t) or (1,))[-1] in (1, channels) for t in constants)


def _separable(graph: Graph, operator: Operator) -> bool:
    """Whether an operator is a layer of one output whose channels can be made apart."""
    if operator.kind not in SUMMING or operator.activation not in ("NONE", "RELU", "RELU6"):
        return False
    source = graph.shape(operator.inputs[0])[-1]
    return graph.tensor(operator.inputs[1]).constant and (
        graph.shape(operator.inputs[1])[-1] == source
    )


def _sums_over(graph: Graph, operator: Operator, channels: int) -> bool:
    """Whether an operator is a layer whose result is a sum over the region's channels."""
    return (
        operator.kind in SUMMING
        and graph.tensor(operator.inputs[1]).constant
        and graph.shape(operator.inputs[1])[-1] == channels
    )
