"""Raw bytes as a network's input where they nearly are its normalised values.

Of a mean of 127.5 no byte is zero, which every int8 grid has. On the grid of the whole number below
it each value is off by the same half step, which the first layers' biases take up exactly. Only
padding keeps that half step: it is zero on either grid.
"""

from __future__ import annotations

import math
from dataclasses import replace

from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.weights import per_channel


def shifted(network: Corrected, preprocessing: Preprocessing) -> Corrected | None:
    """The network on a grid of its input whose raw bytes are pixels; itself if it has it already.

    Returns:
        ``None`` if there is none: means or deviations of the channels differ, or something else
        than layers with biases reads the input.
    """
    found = _near_pixels(preprocessing)
    layers = _first_layers(network.graph)
    if found is None or layers is None:
        return None
    grid, offset = found
    if network.grids[network.graph.input] == grid:
        return network
    graph, unrounded = network.graph.copy(), dict(network.unrounded)
    for layer in layers:
        weights, bias = unrounded[layer.name]
        unrounded[layer.name] = weights, bias - offset * per_channel(layer, weights).sum(axis=1)
        kept = graph.bias(layer) - offset * per_channel(layer, graph.weights(layer)).sum(axis=1)
        graph.set_bias(layer, kept)
    grids = {**network.grids, graph.input: grid}
    return replace(network, graph=graph, grids=grids, unrounded=unrounded)


def _near_pixels(preprocessing: Preprocessing) -> tuple[Grid, float] | None:
    """The grid, and how much larger its values are than normalised ones."""
    means, stds = set(preprocessing.mean), set(preprocessing.std)
    if len(means) > 1 or len(stds) > 1:
        return None
    (mean,), (std,) = means, stds
    below = math.floor(mean)
    if not 0 <= below <= 255:
        return None
    return Grid(1 / std, below - 128), (mean - below) / std


def _first_layers(graph: Graph) -> tuple[Operator, ...] | None:
    """The layers that read the picture, padded or not; ``None`` if others do."""
    readers: list[Operator] = []
    for reader in graph.consumers.get(graph.input, ()):
        after = graph.consumers.get(reader.output, ()) if reader.kind == "PAD" else (reader,)
        readers += after
    whole = all(it.weighted and graph.bias(it) is not None for it in readers)
    return tuple(readers) if readers and whole else None
