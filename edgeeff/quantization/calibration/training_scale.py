"""Whether pictures reach a network as they did in its training, as far as BatchNorm tells."""

from __future__ import annotations

import numpy as np

from edgeeff.arrays import Pixels
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

LOOKED_AT = 8
"""Pictures."""

MOST = 5.0
"""Pictures that are normalised as in training spread the first layer's channels 0.6 to 1.3 times as
far as BatchNorm says, photographs and synthetic ones, of six trained networks; pixels of 0 to 255
in place of 0 to 1, or the other way round, up to 160 times or 0.01."""


def spread_beside_training(network: FloatModel, pictures: Pixels) -> float | None:
    """How many times as far as in training pictures spread the first values that BatchNorm knows.

    Args:
        network: the float network, with its BatchNorm's statistics.
        pictures: uint8 [count, height, width, channels].

    Returns:
        The median over channels; ``None`` if BatchNorm says nothing, or no longer of this network.
    """
    graph, said = network.graph, network.statistics
    if said is None or said.outdated:
        return None
    for tensor in graph.activations:
        known = said.tensors.get(graph.name(tensor))
        if tensor == graph.input or known is None or known.deviation is None:
            continue
        values = _values(graph, tensor, network, pictures)
        least = 0.01 * float(np.median(known.deviation)) or 1e-12
        return float(np.median(values.std(axis=0) / np.maximum(known.deviation, least)))
    return None


def _values(
    graph: Graph, tensor: int, network: FloatModel, pictures: Pixels
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Of a tensor, [places of all pictures, channels]."""
    front = graph.copy()
    front.cut(outputs=[tensor])
    runner, size = Runner(front.content()), graph.shape(graph.input)[0]
    images = network.preprocessing.normalised(
        np.resize(pictures, (-(-min(len(pictures), LOOKED_AT) // size) * size, *pictures.shape[1:]))
    )
    made = [runner.run(images[i : i + size])[0] for i in range(0, len(images), size)]
    return np.concatenate([np.float64(it).reshape(-1, it.shape[-1]) for it in made])


def unlike_training(network: FloatModel, pictures: Pixels) -> tuple[str, ...]:
    """A note if pictures are normalised otherwise than those that the network learned from."""
    found = spread_beside_training(network, pictures)
    if found is None or 1 / MOST <= found <= MOST:
        return ()
    how = network.preprocessing
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (how.mean, how.std))
    return (
        f"the first layer's values spread {found:.2g} times as far as BatchNorm saw them in "
        f"training: is mean {mean} and std {std} how its pictures were normalised then?",
    )
