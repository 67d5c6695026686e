"""What networks that are not trained make of pictures: run by LiteRT, which is fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeeff.arrays import FloatArray
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

Values = Callable[[FloatArray], list[FloatArray]]
"""Gives the values of some tensors, float32 [count, ...], for pictures as a network takes them,
[count, side, side, 3]; ``count`` is a multiple of the network's batch."""


def float_values(network: Corrected, tensors: Sequence[int], threads: int | None) -> Values:
    """What the float network makes, as it was before its weights were corrected.

    Args:
        network: equalized and grouped as the one that is trained, so that a tensor means the same.
        tensors: whose values are asked for, by number in its graph.
        threads: kernel threads.
    """
    graph = network.in_float(network.unrounded)
    graph.expose(tensors)
    runner = Runner(graph.content(), threads=threads)
    return lambda pictures: runner.run_all(pictures)


def integer_values(written: Graph, names: Sequence[str], threads: int | None) -> Values:
    """What an integer model makes, in real values.

    Args:
        written: the model, its ends as they are inside.
        names: of the tensors whose values are asked for.
        threads: kernel threads.
    """
    numbers = {tensor.name: tensor.index for tensor in written.tensors}
    graph = written.copy()
    graph.expose([numbers[name] for name in names])
    runner = Runner(graph.content(), threads=threads)
    first = grid_of(written, written.input)
    grids = [grid_of(written, numbers[name]) for name in names]

    def values(pictures: FloatArray) -> list[FloatArray]:
        made = runner.run_all(first.quantize(pictures))
        return [grid.dequantize(raw) for grid, raw in zip(grids, made, strict=True)]

    return values


def grid_of(graph: Graph, number: int) -> Grid:
    """The grid of an activation of an integer model. Raises ``ValueError`` if it has none."""
    (scale,), (zero_point,) = graph.tensor(number).scales, graph.tensor(number).zero_points
    return Grid(scale, int(zero_point))
