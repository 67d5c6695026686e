"""Trains a corrected network as its integer file will compute, before it is written."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import config

from edgeeff.arrays import FloatArray, Pixels
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Recipe
from edgeeff.quantization.writing import writer
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import final_activation
from edgeeff.training.aware import agreement
from edgeeff.training.aware.keeping import Judge, Kept, apart
from edgeeff.training.aware.learning import Learner, Plan, views
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.operators import refuse_untrainable
from edgeeff.training.aware.segments import Segment, segments
from edgeeff.training.aware.teacher import float_values, integer_values

MOST_VALUES = 4_000_000
"""Of activations of one picture in the blocks that are trained: these cost the time of a step.

In a network with larger pictures the last blocks learn to make up for the noise of all before.
"""

LOOK_EVERY = 50
"""Steps after which the network is judged."""


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        network: to be written.
        steps: that were taken.
        kept: after which of them the network was as it is: the one that was judged best. 0: none
            was better than the network before the training, and it is that.
        batch: pictures in each.
        blocks: of the network that were trained, and how many it has.
        judged: pictures that judged and were not learned from.
        start_db: signal to noise ratio of their logits before the training, mean over pictures.
        end_db: the same of the network.
        unlike: the largest share of an operator's values that the file puts on another step.
        unlike_of: the name of that operator.
        same_answers: share of the judging pictures to which the file gives the answer of the
            network as it was trained.
    """

    network: Corrected
    steps: int
    kept: int
    batch: int
    blocks: tuple[int, int]
    judged: int
    start_db: float
    end_db: float
    unlike: float
    unlike_of: str
    same_answers: float

    def to_json(self) -> dict[str, Any]:
        """What a manifest says of it."""
        names = (field.name for field in dataclasses.fields(self))
        return {name: getattr(self, name) for name in names if name != "network"}


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """TensorFlow's operators give the same each time; afterwards they are as they were.

    A caller's own network may draw at random without a seed, which they refuse meanwhile.
    """
    before = config.is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()


@_deterministic()
def train(
    network: Corrected,
    recipe: Recipe,
    preprocessing: Preprocessing,
    pictures: Pixels,
    plan: Plan,
    *,
    takes_bytes: bool = True,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train weights, biases and ranges so that the integer network answers as the float one.

    No labels are needed. On a CPU the same arguments give the same network.

    Args:
        network: as post-training quantization leaves it, fed as the file will be.
        recipe: that it was corrected by, of scheme int8 without exceptions.
        preprocessing: of the network.
        pictures: to learn from, uint8 [count, side, side, 3].
        plan: how long and how fast.
        takes_bytes: the file will take pixels, not normalised values.
        threads: kernel threads of the networks that are not trained.
        progress: told of every stage.

    Raises:
        InputError: an operator that cannot be trained, errors that are no numbers, or a file that
            does not compute what was trained.
    """
    progress = progress or Progress()
    graph = network.graph
    refuse_untrainable(graph)
    # The network takes so many pictures at once, and no fewer.
    size = graph.shape(graph.input)[0]
    plan = replace(plan, batch=-(-plan.batch // size) * size)
    of_bytes = functools.partial(_of_bytes, network.grids[graph.input])
    taken = of_bytes if takes_bytes else preprocessing.normalised
    written = _written(network, recipe)
    aware = FakeQuantized(network, written)
    last = final_activation(graph)
    every = segments(graph, last.inputs[0] if last else graph.output)
    blocks = _last_ones(graph, every)
    learned, judging = apart(pictures)
    shown = taken(np.resize(judging, (-(-len(judging) // size) * size, *judging.shape[1:])))
    given = integer_values(written, [graph.name(blocks[0].source)], threads)
    real = float_values(network, [block.target for block in blocks], threads)
    judge = Judge(shown, real(shown)[-1], graph.name(blocks[-1].target), threads)
    start = kept = Kept(network, 0, judge(written))
    learner = Learner(aware, blocks, plan)
    with progress.stage("train", plan.steps) as advance:
        for step, seen in enumerate(map(taken, views(learned, plan)), 1):
            _check_number(learner.learn(given(seen)[0], real(seen)), step)
            if step % LOOK_EVERY == 0 or step == plan.steps:
                now = aware.trained()
                kept = kept.or_better(Kept(now, step, judge(_written(now, recipe))))
            advance(1)
    with progress.stage("compare with the file"):
        compared = _compared(kept.network, _written(kept.network, recipe), blocks[-1].target, shown)
    return Trained(
        network=kept.network,
        steps=plan.steps,
        kept=kept.step,
        batch=plan.batch,
        blocks=(len(blocks), len(every)),
        judged=len(judging),
        start_db=start.db,
        end_db=kept.db,
        **compared,
    )


def _compared(
    network: Corrected, written: Graph, logits: int, pictures: FloatArray
) -> dict[str, Any]:
    """What ``Trained`` says of how the file computes the network."""
    aware, size = FakeQuantized(network, written), network.graph.shape(network.graph.input)[0]
    unlike = agreement.checked(aware, written, pictures[:size])
    return {
        "unlike": unlike.share,
        "unlike_of": unlike.operator.name,
        "same_answers": agreement.same_answers(aware, written, logits, pictures),
    }


def _check_number(error: float, step: int) -> None:
    if not np.isfinite(error):
        raise InputError(
            f"after {step} steps the error of training is no number",
            "the network's answers may not be finite: edgeeff evaluate shows it",
        )


def _last_ones(graph: Graph, blocks: list[Segment]) -> list[Segment]:
    """As many blocks from the end as can be trained at a bearable cost, one at least."""
    values, first = 0, len(blocks)
    while first > 0:
        made = [tensor for operator in blocks[first - 1].operators for tensor in operator.outputs]
        values += sum(math.prod(graph.shape(tensor)[1:]) for tensor in made)
        if values > MOST_VALUES and first < len(blocks):
            break
        first -= 1
    return blocks[first:]


def _of_bytes(grid: Grid, pixels: Pixels) -> FloatArray:
    """The values that pixels stand for as the raw values of a network's input."""
    return grid.dequantize((pixels.astype(np.int16) - 128).astype(np.int8))


def _written(network: Corrected, recipe: Recipe) -> Graph:
    """The integer model, its ends as they are inside."""
    return Graph.of(writer.write(network.graph, recipe, network.grids, network.scales))
