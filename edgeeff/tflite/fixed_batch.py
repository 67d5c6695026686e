"""A graph whose batch is left open, as Keras leaves it, with a batch of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.tflite.dilated import join_dilated
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

OPEN = -1


def is_open(graph: Graph) -> bool:
    """Whether the picture's batch is left open."""
    return OPEN in graph.shape(graph.input)[:1]


def fix_batch(graph: Graph) -> Graph:
    """A copy that takes one picture; the graph itself if its batch is fixed.

    Operators that work out shapes (SHAPE, STRIDED_SLICE, PACK) have nothing left to work out: what
    they give for one picture becomes a constant. They would compute in integers that no
    accelerator takes, between islands of float.

    Args:
        graph: of one picture input whose other sizes are fixed.

    Raises:
        InputError: the runtime cannot run it.
    """
    if not is_open(graph):
        return graph
    fixed = graph.copy()
    fixed.resize(fixed.input, (1, *fixed.shape(fixed.input)[1:]))
    made = [tensor for operator in fixed.operators for tensor in operator.outputs]
    shown = fixed.copy()
    shown.expose(made)
    runner = Runner(shown.content())
    picture = np.zeros(runner.inputs[0].shape, runner.inputs[0].dtype)
    values = dict(zip(made, runner.run(picture), strict=True))
    _fold(fixed, values)
    for tensor in {tensor for operator in fixed.operators for tensor in operator.outputs}:
        fixed.resize(tensor, values[tensor].shape)
    join_dilated(fixed)
    return fixed


def _fold(graph: Graph, values: Mapping[int, npt.NDArray[Any]]) -> None:
    """Make constants of what depends on shapes alone."""
    known: set[int] = set()
    folded: list[tuple[int, ...]] = []
    for made in [operator.outputs for operator in graph.operators]:
        # The operator as it is now: what it read may have become constant.
        operator = graph.producer[made[0]]
        inputs = [tensor for tensor in operator.inputs if tensor >= 0]
        of_shapes = all(graph.tensor(tensor).constant for tensor in inputs)
        if operator.kind != "SHAPE" and not (of_shapes and set(inputs) & known):
            continue
        for tensor in operator.outputs:
            constant = graph.add_constant(f"{graph.name(tensor)}/fixed", values[tensor])
            graph.redirect(tensor, constant)
            known.add(constant)
        folded.append(operator.outputs)
    graph.remove(*[operator for operator in graph.operators if operator.outputs in folded])
    # What was read for its shape alone is not read any more.
    for operator in reversed(graph.operators):
        if not any(t in graph.consumers or t in graph.outputs for t in operator.outputs):
            graph.remove(operator)
