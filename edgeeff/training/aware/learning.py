"""The training itself: the integer network learns what the float network makes of pictures.

Every block's result and the logits are compared with the float network's (Hinton et al. 2015,
"Distilling the Knowledge in a Neural Network"; Li et al. 2021, "BRECQ", for the blocks). The
error of a picture counts by its logarithm, so that the few pictures which a range cuts off do not
own the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from PIL import Image

from edgeeff.arrays import FloatArray, Pixels
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.segments import Segment

WARM_UP = 10
"""Steps over which the learning rate rises."""

BLOCKS = 0.1
"""How much the error of a block counts against that of the logits."""

SMALLEST = 1e-6
"""Relative squared error below which a picture is as good as learned (-60 dB)."""


LEAST_PART = 0.6
"""Of a picture's side, that is shown at once."""

WHOLE = 0.5
"""How often a picture is shown whole."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast is trained.

    Attributes:
        steps: of ``batch`` pictures each.
        batch: pictures in a step.
        rate: largest learning rate, in steps of a weight's grid.
        seed: of the order of the pictures and their parts.
    """

    steps: int = 300
    batch: int = 16
    rate: float = 0.006
    seed: int = 0


class Learner:
    """Blocks of a network with what their training needs."""

    def __init__(self, network: FakeQuantized, blocks: Sequence[Segment], plan: Plan) -> None:
        """Take blocks that follow each other; only they are trained."""
        self._network, self._blocks = network, blocks
        self._operators = [operator for block in blocks for operator in block.operators]
        self._variables = network.variables(self._operators)
        schedule = tf_keras.optimizers.schedules.CosineDecay(
            0.0, plan.steps, warmup_target=plan.rate, warmup_steps=min(WARM_UP, plan.steps)
        )
        # The legacy one is a single fused kernel for each variable.
        self._optimizer = tf_keras.optimizers.legacy.Adam(schedule, beta_2=0.99)
        self._step = tf.function(self._one_step)

    def learn(self, given: FloatArray, real: Sequence[FloatArray]) -> float:
        """Take one step; the error of the last block's result before it, in dB of its power.

        Args:
            given: values of what the first block reads, float32 [count, ...].
            real: what the float network makes, for each block.
        """
        error = self._step(tf.constant(given), [tf.constant(values) for values in real])
        return 10 / math.log(10) * float(error)

    def _one_step(self, given: Any, real: Sequence[Any]) -> Any:
        with tf.GradientTape() as tape:
            made = self._network.run(self._operators, {self._blocks[0].source: given})
            errors = [
                relative_error(made[block.target], values)
                for block, values in zip(self._blocks, real, strict=True)
            ]
            loss = errors[-1] + BLOCKS * tf.add_n(errors[:-1]) if errors[:-1] else errors[-1]
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        return errors[-1]


def relative_error(made: Any, real: Any) -> Any:
    """Mean over pictures of the logarithm of noise over signal, scalar.

    Args:
        made: of the integer network, [pictures, ...].
        real: of the float network.
    """
    axes = list(range(1, len(real.shape)))
    noise = tf.reduce_sum(tf.math.squared_difference(made, real), axes)
    signal = tf.reduce_sum(tf.square(real), axes)
    return tf.reduce_mean(tf.math.log(tf.math.divide_no_nan(noise, signal) + SMALLEST))


def views(pictures: Pixels, plan: Plan) -> Iterator[Pixels]:
    """The pictures of each step, uint8 [plan.batch, side, side, 3].

    All are seen before one is seen again; each time another part of it, mirrored or not.
    """
    random = np.random.default_rng(plan.seed)
    waiting: list[int] = []
    for _ in range(plan.steps):
        while len(waiting) < plan.batch:
            waiting += random.permutation(len(pictures)).tolist()
        yield np.stack([_view(pictures[number], random) for number in waiting[: plan.batch]])
        del waiting[: plan.batch]


def _view(picture: Pixels, random: np.random.Generator) -> Pixels:
    """A square part of a picture in the picture's size, or all of it."""
    side = picture.shape[0]
    part = int(side * random.uniform(LEAST_PART, 1.0))
    top, left = random.integers(0, side - part + 1, 2)
    if random.random() < WHOLE:
        part, top, left = side, 0, 0
    shown = picture[top : top + part, left : left + part]
    if part < side:
        image = Image.fromarray(shown).resize((side, side), Image.Resampling.BICUBIC)
        shown = np.asarray(image)
    return shown[:, ::-1] if random.random() < 0.5 else shown
