"""Whether the integer file computes what was trained, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import FloatArray
from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.segments import until
from edgeeff.training.aware.teacher import integer_values

MOST_APART = 0.01
"""Share of an operator's values that may lie on another step: ties are rounded either way."""

AT_ONCE = 16
"""Pictures that the trained network computes at once, all its activations in memory."""


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


def checked(network: FakeQuantized, written: Graph, pictures: FloatArray) -> Difference:
    """The operator of whose values the file puts the largest share on another step.

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
    return max(found, key=lambda one: one.share)


def same_answers(
    network: FakeQuantized, written: Graph, logits: int, pictures: FloatArray
) -> float:
    """The share of pictures to which the file gives the answer of the trained network, 0..1.

    So it does if its answer is at most a step of the grid behind in the trained network. Each
    computes the whole network by itself, so that values which were rounded the other way count
    for all that follow.

    Args:
        network: as it was trained.
        written: the integer model of it, its ends as they are inside.
        logits: the tensor in the network's graph whose largest value is the answer.
        pictures: as the network takes them, [count, side, side, 3]; a multiple of its batch.
    """
    graph, name = network.graph, network.graph.name(logits)
    (shipped,) = integer_values(written, [name], None)(pictures)
    step = next(tensor.scales[0] for tensor in written.tensors if tensor.name == name)
    same = 0
    for start in range(0, len(pictures), AT_ONCE):
        given = {graph.input: pictures[start : start + AT_ONCE]}
        made = np.asarray(network.run(until(graph, logits), given)[logits])
        made = made.reshape(len(made), -1)
        answers = shipped[start : start + AT_ONCE].reshape(made.shape).argmax(axis=1)
        behind = made.max(axis=1) - made[np.arange(len(made)), answers]
        same += int((behind < 1.5 * step).sum())
    return same / len(pictures)
