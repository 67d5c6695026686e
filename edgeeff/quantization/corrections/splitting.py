"""Copies of the channels whose rounding error hurts most, rounded a part of a step apart.

A few channels of the first convolution can own most of the error of a whole network: they have
small differences to tell, and their reader, a depthwise layer with large weights of both signs,
amplifies these and the rounding error with them. Copies of such a channel, shifted by parts of
a step, are rounded differently; the layer that merges them takes the mean, whose steps are
finer by their number. (Zhao et al. 2019, "Improving Neural Network Quantization without
Retraining using Outlier Channel Splitting", splits channels of weights to the same end.)

Copies go where they cost nothing first: trained networks have channels that never leave zero,
whatever the picture (``idle``). Only the first convolution is split: its inputs are bounded, so
that idle channels can be proven idle, and its error is by far the largest one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray, Vector
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.corrections.patches import is_grouped
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Split
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.model import Operator
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.statistics import TensorStatistics

LIMITS = {"NONE": (-np.inf, np.inf), "RELU": (0.0, np.inf), "RELU6": (0.0, 6.0)}
"""Between which values a fused activation keeps its results."""


@dataclass(frozen=True)
class Chain:
    """A convolution, its only reader (depthwise), and that one's only reader (1x1), with biases."""

    first: Operator
    depthwise: Operator
    merging: Operator


@dataclass(frozen=True)
class Copies:
    """Where the channels of a split tensor come from.

    Attributes:
        source: the original channel of each channel, int64 [channels].
        count: how many copies that channel has, float64 [channels].
        offset: of the copy from the channel, in steps of the grid, float64 [channels].
    """

    source: npt.NDArray[np.int64]
    count: Vector
    offset: Vector


def first_chain(graph: Graph) -> Chain | None:
    """The chain that the picture enters by, if the network begins with one."""
    first = next((o for o in graph.operators if o.kind == "CONV_2D"), None)
    if first is None or first.inputs[0] != graph.input:
        return None
    depthwise = _only_reader(graph, first, "DEPTHWISE_CONV_2D")
    merging = _only_reader(graph, depthwise, "CONV_2D") if depthwise else None
    if depthwise is None or merging is None or depthwise.options["depth_multiplier"] != 1:
        return None
    if graph.shape(merging.inputs[1])[1:3] != (1, 1):
        return None
    chain = (first, depthwise, merging)
    if any(o.activation not in LIMITS or graph.bias(o) is None for o in chain):
        return None
    if any(is_grouped(graph, operator) for operator in chain):
        return None
    return Chain(first, depthwise, merging)


def split(
    graph: Graph,
    grids: Mapping[int, Grid],
    pictures: Iterable[FloatArray],
    rule: Split,
    threads: int | None = None,
) -> dict[int, Copies]:
    """Split channels of the first chain; nothing where there is none.

    Args:
        graph: its weights and shapes are changed.
        grids: of the activations.
        pictures: a few inputs of the graph, on which channels are compared.
        rule: how many channels to add to those that are idle.
        threads: kernel threads.

    Returns:
        The copies of each tensor whose channels are others now.
    """
    chain = first_chain(graph)
    if chain is None:
        return {}
    free = idle(graph, chain, grids)
    if len(free) + rule.channels == 0 or len(free) == graph.shape(chain.first.output)[-1]:
        return {}
    grid = grids[chain.first.output]
    live = np.setdiff1d(np.arange(graph.shape(chain.first.output)[-1]), free)
    errors = rounding_errors(graph, chain.first.output, live, pictures, grid, threads)
    copies = choose(errors, free, rule.channels)
    _let_go(graph, chain, free)
    _copy(graph, chain, copies, grids)
    return {chain.first.output: copies, chain.depthwise.output: copies}


def idle(graph: Graph, chain: Chain, grids: Mapping[int, Grid]) -> npt.NDArray[np.int64]:
    """Channels of the first convolution that no picture can make matter.

    From the range of the input follow the bounds of each channel, and from these how far the
    channel can move its reader. Where that is less than a hundredth of the reader's step, the
    reader is constant.

    Args:
        graph: the network.
        chain: of it.
        grids: of the activations.

    Returns:
        Indices, in order.
    """
    pixels = grids[graph.input]
    kernel, bias = graph.weights(chain.first), graph.bias(chain.first)
    taps = kernel.reshape(len(kernel), -1).astype(np.float64)
    ends = taps * min(pixels.minimum, 0.0), taps * max(pixels.maximum, 0.0)
    low, high = _activated(
        chain.first, [bias + f(*ends).sum(axis=1) for f in (np.minimum, np.maximum)]
    )
    # Padding is zero, whatever the channel's own bounds.
    swing = np.maximum(high, 0.0) - np.minimum(low, 0.0)
    reach = swing * np.abs(graph.weights(chain.depthwise)).sum(axis=(0, 1, 2))
    return np.flatnonzero(reach < 0.01 * grids[chain.depthwise.output].scale)


def choose(errors: Vector, free: npt.NDArray[np.int64], channels: int) -> Copies:
    """Give each copy to the channel where it lessens the error most.

    With n copies a channel's steps are 1/n as large, and its squared error 1/n².

    Args:
        errors: squared error downstream from the rounding of each channel, float64 [channels].
        free: channels that are given up for copies; not all.
        channels: copies to add beyond these.
    """
    count = np.ones(len(errors))
    live = np.setdiff1d(np.arange(len(errors)), free)
    for _ in range(len(free) + channels):
        gained = errors[live] / count[live] ** 2 - errors[live] / (count[live] + 1) ** 2
        count[live[np.argmax(gained)]] += 1
    extra = np.repeat(np.arange(len(errors)), (count - 1).astype(int))
    source = np.concatenate([np.arange(len(errors)), np.arange(channels)])
    source[[*free, *range(len(errors), len(source))]] = extra
    offset = np.zeros(len(source))
    for channel in np.flatnonzero(count > 1):
        places = np.flatnonzero(source == channel)
        number = len(places)
        offset[places] = (np.arange(number) - (number - 1) / 2) / number
    return Copies(source, count[source], offset)


def widened(known: TensorStatistics, copies: Copies) -> TensorStatistics:
    """Statistics of a split tensor."""
    parts = {
        name: None if values is None else values[copies.source]
        for name, values in vars(known).items()
    }
    return TensorStatistics(**parts)  # type: ignore[arg-type] # mean is never None


def widened_observation(seen: Observed, copies: Copies) -> Observed:
    """What was seen of a split tensor."""
    source = copies.source
    return Observed(
        seen.minimum[source],
        seen.maximum[source],
        seen.mean[source],
        seen.square[source],
        seen.histogram,
        seen.extremes,
        seen.pictures,
    )


def rounding_errors(
    graph: Graph,
    tensor: int,
    channels: npt.NDArray[np.int64],
    pictures: Iterable[FloatArray],
    grid: Grid,
    threads: int | None,
) -> Vector:
    """How far the logits move if one channel alone is rounded.

    The network behind the tensor is run once for each channel and picture.

    Args:
        graph: the float network; not changed.
        tensor: the activation whose channels are rounded.
        channels: which of them.
        pictures: inputs of the graph.
        grid: of the tensor.
        threads: kernel threads.

    Returns:
        Sum of the squares of the logits' change, float64 [channels]; 0 for the other ones.
    """
    before, after = _halves(graph, tensor, threads)
    moved = np.zeros(graph.shape(tensor)[-1])
    for picture in pictures:
        values = before.run(picture)[0]
        truth = after.run(values)[0].astype(np.float64)
        rounded = grid.dequantize(grid.quantize(values))
        changed = np.flatnonzero((values != rounded).any(axis=(0, 1, 2)))
        for channel in np.intersect1d(changed, channels):
            disturbed = values.copy()
            disturbed[..., channel] = rounded[..., channel]
            moved[channel] += ((after.run(disturbed)[0] - truth) ** 2).sum()
    return moved


def _halves(graph: Graph, tensor: int, threads: int | None) -> tuple[Runner, Runner]:
    """The network up to a tensor, and from there to the logits."""
    rest, front = cut_at_logits(graph), graph.copy()
    front.cut(outputs=[tensor])
    rest.cut(inputs=[tensor], outputs=rest.outputs)
    return Runner(front.content(), threads=threads), Runner(rest.content(), threads=threads)


def _let_go(graph: Graph, chain: Chain, free: npt.NDArray[np.int64]) -> None:
    """Move what idle channels contribute, constants, into the bias of the merging layer."""
    (constant,) = _activated(chain.depthwise, [_bias(graph, chain.depthwise).astype(np.float64)])
    merging = graph.weights(chain.merging)
    moved = merging[:, 0, 0, free].astype(np.float64) @ constant[free]
    graph.set_bias(chain.merging, (_bias(graph, chain.merging) + moved).astype(np.float32))


def _copy(graph: Graph, chain: Chain, copies: Copies, grids: Mapping[int, Grid]) -> None:
    source = copies.source
    shift = copies.offset * grids[chain.first.output].scale
    kernel = graph.weights(chain.depthwise)
    # The shift of a copy's input is taken out of its output again, but for the rounding.
    back = shift * kernel.sum(axis=(0, 1, 2))[source]
    after = copies.offset * grids[chain.depthwise.output].scale
    first, merging = graph.weights(chain.first), graph.weights(chain.merging)
    graph.set_weights(chain.first, first[source])
    graph.set_bias(chain.first, _bias(graph, chain.first)[source] + shift)
    graph.set_weights(chain.depthwise, kernel[..., source])
    later = _bias(graph, chain.depthwise)[source] - back + after
    graph.set_bias(chain.depthwise, later)
    graph.set_weights(chain.merging, merging[..., source] / copies.count)
    for tensor in (chain.first.output, chain.depthwise.output):
        graph.resize(tensor, (*graph.shape(tensor)[:-1], len(source)))


def _bias(graph: Graph, operator: Operator) -> FloatArray:
    bias = graph.bias(operator)
    if bias is None:
        raise ValueError("a chain has biases")
    return bias


def _activated(operator: Operator, values: list[Vector]) -> list[Vector]:
    low, high = LIMITS[operator.activation]
    return [np.clip(value, low, high) for value in values]


def _only_reader(graph: Graph, operator: Operator, kind: str) -> Operator | None:
    readers = graph.consumers.get(operator.output, ())
    if len(readers) == 1 and readers[0].kind == kind and operator.output != graph.output:
        return readers[0]
    return None
