"""Copies of the channels whose rounding error hurts most, rounded half a step apart.

In a flat part of a picture a channel has one value, and so one rounding error everywhere: it
does not average out, and a stem channel that carries brightness passes it to the whole network.
A second copy of the channel, shifted by half a step, is rounded the other way; the layer that
merges them takes the mean, whose steps are half as wide. (Zhao et al. 2019, "Improving Neural
Network Quantization without Retraining using Outlier Channel Splitting", splits channels of
weights to the same end.) Done for the first convolution, where pictures are flat and a channel
costs little: its depthwise reader carries the copies on, the projection after it merges them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.litert import rewrite
from edgeeff.litert.runner import Runner
from edgeeff.litert.statistics import TensorStatistics
from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.observation import Observed
from edgeeff.quantization.recipe import Split

FloatArray = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """A convolution, its only reader (depthwise), and that one's only reader (1x1)."""

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
    if depthwise is None or merging is None or graph.options(depthwise).depthMultiplier != 1:
        return None
    if graph.bias(first) is None or graph.bias(depthwise) is None:
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
        rule: how many channels to add.
        threads: kernel threads.

    Returns:
        The copies of each tensor that has more channels now.
    """
    chain = first_chain(graph)
    if chain is None:
        return {}
    step = grids[chain.first.output].scale
    gain = sensitivity(graph, chain.first.output, pictures, step / 2, threads)
    copies = choose(gain, rule.channels)
    _widen(graph, chain, copies, grids)
    return {chain.first.output: copies, chain.depthwise.output: copies}


def choose(gain: Vector, channels: int) -> Copies:
    """Give each further copy to the channel where it lessens the error most.

    With n copies a channel's steps, and so its error, are 1/n as large.

    Args:
        gain: what an error of half a step in each channel does downstream, float64 [channels].
        channels: copies to add.
    """
    count = np.ones(len(gain))
    for _ in range(channels):
        count[np.argmax(gain / count - gain / (count + 1))] += 1
    extra = np.repeat(np.arange(len(gain)), (count - 1).astype(int))
    source = np.concatenate([np.arange(len(gain)), extra])
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


def sensitivity(
    graph: Graph, tensor: int, pictures: Iterable[FloatArray], error: float, threads: int | None
) -> Vector:
    """How far the logits move if one channel is off by ``error`` all over the picture.

    The network behind the tensor is run once for each channel and picture.

    Args:
        graph: the float network; not changed.
        tensor: the activation whose channels are disturbed.
        pictures: inputs of the graph.
        error: the disturbance.
        threads: kernel threads.

    Returns:
        Root of the summed squares of the logits' change, float64 [channels].
    """
    content = rewrite.logits_model(graph.content())
    front, rest = rewrite.unpack(content), rewrite.unpack(content)
    rewrite.expose(front, [tensor])
    maker = graph.producer[tensor]
    rest.signatureDefs = None
    rest.subgraphs[0].inputs = np.asarray([tensor], np.int32)
    rest.subgraphs[0].operators = rest.subgraphs[0].operators[maker.index + 1 :]
    front.subgraphs[0].operators = front.subgraphs[0].operators[: maker.index + 1]
    before = Runner(rewrite.pack(front), threads=threads)
    after = Runner(rewrite.pack(rest), threads=threads)
    moved = np.zeros(graph.shape(tensor)[-1])
    for picture in pictures:
        values = before.run(picture)[0]
        truth = after.run(values)[0].astype(np.float64)
        for channel in range(len(moved)):
            disturbed = values.copy()
            # A channel at rest stays at rest: zero has no rounding error.
            disturbed[..., channel] += error * (values[..., channel] > 0)
            moved[channel] += ((after.run(disturbed)[0] - truth) ** 2).sum()
    return np.sqrt(moved)


def _widen(graph: Graph, chain: Chain, copies: Copies, grids: Mapping[int, Grid]) -> None:
    source = copies.source
    shift = copies.offset * grids[chain.first.output].scale
    kernel = graph.weights(chain.depthwise)
    # The shift of a copy's input is taken out of its output again, but for the rounding.
    back = shift * kernel.sum(axis=(0, 1, 2))[source]
    after = copies.offset * grids[chain.depthwise.output].scale
    first, bias = graph.weights(chain.first), graph.bias(chain.first)
    later = graph.bias(chain.depthwise)
    merging = graph.weights(chain.merging)
    if bias is None or later is None:
        raise ValueError("a chain has biases")
    graph.resize_constant(chain.first.inputs[1], first[source])
    graph.resize_constant(chain.first.inputs[2], bias[source] + shift)
    graph.resize_constant(chain.depthwise.inputs[1], kernel[..., source])
    graph.resize_constant(chain.depthwise.inputs[2], later[source] - back + after)
    graph.resize_constant(chain.merging.inputs[1], merging[..., source] / copies.count)
    for tensor in (chain.first.output, chain.depthwise.output):
        graph.resize(tensor, (*graph.shape(tensor)[:-1], len(source)))


def _only_reader(graph: Graph, operator: Operator, kind: str) -> Operator | None:
    readers = graph.consumers.get(operator.output, ())
    if len(readers) == 1 and readers[0].kind == kind and operator.output != graph.output:
        return readers[0]
    return None
