"""Whether pictures reach a network as they did in its training, as far as it tells.

BatchNorm tells; of a file without its statistics the biases of the first layer do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import Pixels
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

LOOKED_AT = 8
"""Pictures."""

MOST = 5.0
"""Pictures that are normalised as in training spread the first layer's channels 0.6 to 2 times as
far as BatchNorm says, photographs and synthetic ones, of eight trained networks; pixels of 0 to 255
in place of 0 to 1, or the other way round, 125 to 510 times or 0.005."""


LEAST_BESIDE_BIAS = 0.07
"""Pictures that are normalised as in training spread the first layer's sums at least 0.16 times as
far as its biases reach, in 15 networks; pixels of 0 to 255, normalised once more than a network
that scales them itself expects, 0.06 times at most."""


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
        values = _values(*_before_activation(graph, tensor), network, pictures)
        least = 0.01 * float(np.median(known.deviation)) or 1e-12
        return float(np.median(values.std(axis=0) / np.maximum(known.deviation, least)))
    return None


def spread_beside_bias(network: FloatModel, pictures: Pixels) -> float | None:
    """How far pictures spread the first layer's sums, beside its biases.

    Args:
        network: the float network.
        pictures: uint8 [count, height, width, channels].

    Returns:
        The median over channels; ``None`` for a first layer without biases.
    """
    graph = network.graph
    first = next((operator for operator in graph.operators if operator.weighted), None)
    bias = graph.bias(first) if first is not None else None
    if first is None or bias is None or not bias.any():
        return None
    values = _values(*_before_activation(graph, first.output), network, pictures)
    spread = values.std(axis=0)
    return float(np.median(spread / np.maximum(np.abs(bias), 1e-12)))


def _before_activation(graph: Graph, tensor: int) -> tuple[Graph, int]:
    """A copy in which a tensor holds what BatchNorm made: ReLU6 would cut off what is too far."""
    copy = graph.copy()
    maker = copy.producer[tensor]
    if maker.weighted and maker.activation != "NONE":
        maker = copy.update(maker, options={**maker.options, "fused_activation_function": "NONE"})
    return copy, maker.output


def _values(
    graph: Graph, tensor: int, network: FloatModel, pictures: Pixels
) -> npt.NDArray[np.float64]:
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
    """A note if pictures are normalised otherwise than those that the network learned from.

    An untrained one learned from none.
    """
    if network.untrained:
        return ()
    how = network.preprocessing
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (how.mean, how.std))
    asked = f"is mean {mean} and std {std} how its pictures were normalised in training?"
    found = spread_beside_training(network, pictures)
    if found is not None and not 1 / MOST <= found <= MOST:
        return (
            f"the first layer's values spread {found:.2g} times as far as BatchNorm saw them in "
            f"training: {asked}",
        )
    beside = spread_beside_bias(network, pictures) if found is None else None
    if beside is not None and beside < LEAST_BESIDE_BIAS:
        return (
            f"pictures hardly change what the first layer makes ({beside:.2g} times its biases): "
            f"{asked} A network that scales pixels itself takes --mean 0 --std 1",
        )
    return ()
