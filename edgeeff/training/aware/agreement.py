"""Whether the integer file computes what was trained, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import FloatArray
from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.teacher import integer_values

MOST_APART = 0.01
"""Share of an operator's values that may lie on another step: ties are rounded either way."""


@dataclass(frozen=True)
class Difference:
    """What an operator of the file makes of the same inputs as the trained network's.

    Attributes:
        operator: of the float graph.
        share: of its values that are on another step of the grid, 0..1.
        steps: by which the farthest one is off.
    """

    operator: Operator
    share: float
    steps: float


def differences(network: FakeQuantized, written: Graph, pictures: FloatArray) -> list[Difference]:
    """Feed each operator of the trained network with what the file's operators make.

    So a value that was rounded the other way does not count for all that follow.

    Args:
        network: as it was trained.
        written: the integer model of it, its ends as they are inside.
        pictures: as the network takes them, [batch, side, side, 3].
    """
    graph = network.graph
    named = {tensor.name: tensor for tensor in written.tensors if len(tensor.scales) == 1}
    steps = {t: named[graph.name(t)].scales[0] for t in graph.activations if graph.name(t) in named}
    read = integer_values(written, [graph.name(tensor) for tensor in steps], None)
    values = dict(zip(steps, read(pictures), strict=True))
    found = []
    for operator in graph.operators:
        given = {tensor: values[tensor] for tensor in operator.inputs if tensor in values}
        made = network.run([operator], given)
        for tensor in operator.outputs:
            if tensor in values:
                off = np.abs(np.asarray(made[tensor]) - values[tensor]) / steps[tensor]
                found.append(Difference(operator, float((off > 0.5).mean()), float(off.max())))
    return found


def checked(network: FakeQuantized, written: Graph, pictures: FloatArray) -> float:
    """The largest share of an operator's values that the file puts on another step, 0..1.

    Args:
        network: as it was trained.
        written: the integer model of it, its ends as they are inside.
        pictures: as the network takes them, [batch, side, side, 3].

    Raises:
        InputError: names the first operator that does not compute what was trained.
    """
    found = differences(network, written, pictures)
    for one in found:
        if (one.share > MOST_APART and one.steps > 1.5) or one.share > 0.5:
            raise InputError(
                f"what was trained is not what the file computes: {one.operator.kind} "
                f"{one.operator.name} differs in {one.share:.1%} of its values, by up to "
                f"{one.steps:.0f} steps",
                "edgeeff inspect --layers shows the layers of the file; report this",
            )
    return max(one.share for one in found)
