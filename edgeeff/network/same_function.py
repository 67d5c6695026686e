"""Whether a .tflite answers as the network that it was made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgeeff.arrays import FloatArray
from edgeeff.errors import InputError
from edgeeff.network.logit_rounding import within_rounding
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.shapes import Shape
from edgeeff.pictures.synthetic import synthetic_inputs
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

TOLERANCE = 1e-4
"""By how much an answer may differ, relative to the largest one."""

SMALLEST = 1e-3
"""Where the largest answer is below this, it does not count as it."""

MADE_UP = 6

NUDGE, NUDGES = 1e-5, 4
"""By how much of the largest input pictures are changed at random, and how often, to see whether
answers hang on rounding."""

STEADY = 0.1
"""The share of what answers may differ that they may move by when pictures are nudged."""

LEAST = 6
"""Pictures whose answers do not hang on rounding, to compare by."""


def difference(
    name: str, call: Callable[[Any], Any], content: bytes, preprocessing: Preprocessing
) -> float:
    """The largest difference of a .tflite's answers from its source's, on pictures of all kinds.

    Where answers differ by more than they may, a picture counts only if they do not hang on
    rounding: far from what a network was trained on, another order of work can grow to another
    answer. They do if the source's own answer moves when the picture is changed by next to
    nothing or worked out in another order; or if such a change takes the file's logits as far as
    where the source's answer is: a softmax of large ones is 0 or 1, and of another class with the
    next rounding.

    Args:
        name: of the source, for messages.
        call: the source: from pictures, float32 [batch, height, width, channels], to answers.
        content: the .tflite.
        preprocessing: of the pictures.

    Raises:
        InputError: they differ by more than ``TOLERANCE``, answer nothing at all, or hang on
            rounding on most pictures.
    """
    runner = Runner(content)
    batches = _batches(preprocessing, runner.inputs[0].shape[0])
    # Traced it takes a tenth of the time; the first batch is computed as it stands, too.
    traced = tf.function(call)
    wanted = _answers(traced, batches)
    wanted[: len(batches[0])] = _answers(call, batches[:1])
    if not np.isfinite(wanted).all():
        raise InputError(
            f"{name} answers pictures with values that are not finite numbers",
            "its training diverged, or its pictures need another --mean and --std",
        )
    apart = np.abs(wanted - np.concatenate([runner.run(batch)[0] for batch in batches])).max(axis=1)
    allowed = TOLERANCE * max(SMALLEST, float(np.abs(wanted).max()))
    if not (apart <= allowed).all():
        nudged = list(_nudged(batches))
        # Untraced, the source's own numbers are rounded in another order.
        others = [_answers(call, batches), *(_answers(traced, images) for images in nudged)]
        moved = np.max([np.abs(other - wanted) for other in others], axis=(0, 2))
        rounded = within_rounding(Graph.of(content), batches, nudged, wanted, allowed)
        apart = apart[(moved <= STEADY * allowed) & ~(rounded & (apart > allowed))]
    if len(apart) < LEAST:
        raise InputError(
            f"answers of {name} hang on how its numbers are rounded: nothing can be compared",
            "its training diverged, or its pictures need another --mean and --std",
        )
    if not (apart <= allowed).all():
        raise InputError(
            f"the .tflite of {name} is not the same function: answers differ by {apart.max():.2g}",
            "please report it, with the model if you can",
        )
    return float(apart.max())


def _answers(call: Callable[[Any], Any], batches: Iterable[FloatArray]) -> FloatArray:
    return np.concatenate([np.asarray(call(tf.constant(batch))) for batch in batches])


def _batches(preprocessing: Preprocessing, size: int) -> list[FloatArray]:
    """The pictures as the network takes them: the first ones fill up the last batch."""
    pictures = _pictures(preprocessing.shape)
    pictures = np.resize(pictures, (-(-len(pictures) // size) * size, *pictures.shape[1:]))
    images = preprocessing.normalised(pictures)
    return [images[start : start + size] for start in range(0, len(images), size)]


def _nudged(batches: list[FloatArray]) -> Iterator[list[FloatArray]]:
    """The same pictures but for next to nothing, in several ways."""
    most = NUDGE * max(float(np.abs(batch).max()) for batch in batches)
    for seed in range(NUDGES):
        random = np.random.default_rng(seed)
        yield [
            (batch + random.uniform(-most, most, batch.shape)).astype(np.float32)
            for batch in batches
        ]


def _pictures(shape: Shape) -> npt.NDArray[np.uint8]:
    """Made-up ones, flat ones of extreme colours, and noise of extremes."""
    made_up = synthetic_inputs(MADE_UP, shape, seed=11)
    colours = itertools.product((0, 255), repeat=shape[2])
    flat = [np.broadcast_to(np.asarray(colour, np.uint8), shape) for colour in colours]
    noise = np.random.default_rng(0).integers(0, 2, (2, *shape), np.uint8) * np.uint8(255)
    return np.concatenate([made_up, flat, noise])
