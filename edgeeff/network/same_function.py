"""Whether a .tflite answers as the network that it was made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.runner import Runner

TOLERANCE = 1e-4
"""By how much an answer may differ, relative to the largest one."""

SMALLEST = 1e-3
"""Where the largest answer is below this, it does not count as it."""

MADE_UP = 6


def difference(
    name: str, call: Callable[[Any], Any], content: bytes, preprocessing: Preprocessing
) -> float:
    """The largest difference of a .tflite's answers from its source's, on pictures of all kinds.

    Args:
        name: of the source, for messages.
        call: the source: from pictures, float32 [batch, size, size, 3], to answers.
        content: the .tflite.
        preprocessing: of the pictures.

    Raises:
        InputError: they differ by more than ``TOLERANCE``, or answer nothing at all.
    """
    runner = Runner(content)
    size = runner.inputs[0].shape[0]
    pictures = _pictures(preprocessing.resolution)
    # The file's batch is fixed: the first pictures fill up the last one.
    pictures = np.resize(pictures, (-(-len(pictures) // size) * size, *pictures.shape[1:]))
    images = preprocessing.normalised(pictures)
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    wanted = np.concatenate([np.asarray(call(tf.constant(batch))) for batch in batches])
    found = np.concatenate([runner.run(batch)[0] for batch in batches])
    if not np.isfinite(wanted).all():
        raise InputError(
            f"{name} answers pictures with values that are not finite numbers",
            "its training diverged, or its pictures need another --mean and --std",
        )
    apart = float(np.abs(wanted - found).max())
    if not apart <= TOLERANCE * max(SMALLEST, float(np.abs(wanted).max())):
        raise InputError(
            f"the .tflite of {name} is not the same function: answers differ by {apart:.2g}",
            "please report it, with the model if you can",
        )
    return apart


def _pictures(resolution: int) -> npt.NDArray[np.uint8]:
    """Made-up ones, flat ones of extreme colours, and noise of extremes."""
    made_up = list(synthetic_pictures(MADE_UP, resolution, seed=11))
    shape = (resolution, resolution, 3)
    colours = itertools.product((0, 255), repeat=3)
    flat = [np.broadcast_to(np.asarray(colour, np.uint8), shape) for colour in colours]
    noise = np.random.default_rng(0).integers(0, 2, (2, *shape), np.uint8) * np.uint8(255)
    return np.concatenate([made_up, flat, noise])
