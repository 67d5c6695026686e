"""Batches for TensorFlow: the order and every random change follow from (seed, epoch) alone.

So an epoch can be made again, by a run that goes on after it was stopped or by another worker,
without any state of a generator having been kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.training.data.augmentation import Tensor, augmented, mixed
from edgeeff.training.data.reading import Pixels
from edgeeff.training.settings import Augmentation

Dataset = Any
"""A ``tf.data.Dataset``."""


@dataclass(frozen=True)
class Share:
    """Which part of every batch one worker makes.

    Attributes:
        index: of the worker.
        count: of the workers.
        devices: of each of them; a batch is a multiple of all.
    """

    index: int = 0
    count: int = 1
    devices: int = 1


WHOLE = Share()


def order(count: int, batch: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Which pictures each step of an epoch takes, int64 [steps, batch].

    Every epoch leaves out others of the few that do not fill a batch.
    """
    places = np.random.default_rng((seed, epoch)).permutation(count)
    steps = count // batch
    return places[: steps * batch].reshape(steps, batch)


def training_batches(
    pixels: Pixels,
    preprocessing: Preprocessing,
    change: Augmentation,
    *,
    mirrored: bool,
    classes: int,
    batch: int,
    seed: int,
    epochs: range,
    share: Share = WHOLE,
) -> Dataset:
    """Epochs of changed pictures, normalised, one after the other without a pause.

    Args:
        pixels: of ``reading.kept_whole``; the caller keeps them while it takes batches.
        preprocessing: of the network.
        change: how much pictures are changed.
        mirrored: whether pictures may change left and right, if the settings do not say.
        classes: of the data set.
        batch: pictures of a step, of all workers together; at most ``len(pixels)``.
        seed: of the run.
        epochs: their numbers, in turn; each has ``len(pixels) // batch`` steps.
        share: the part of each batch that is made here.

    Returns:
        float32 [batch / parts, resolution, resolution, 3] and targets, float32
        [batch / parts, classes]; so many a step as this worker has devices.
    """
    places, keys = _draws(len(pixels), batch, seed, epochs, share)
    side, held = pixels.squares.shape[1], _held(pixels)
    part = batch // (share.count * share.devices)
    if change.flip is None:
        change = replace(change, flip=mirrored)

    def made(place: Tensor, key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        square, size, label = _taken(held, side, place)
        draw = tf.stack([key, tf.cast(place, tf.int32)])
        image = augmented(square, size, draw, preprocessing.resolution, change)
        return image, tf.one_hot(label, classes), draw

    def finished(images: Tensor, targets: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        if change.mixup > 0:
            images, targets = mixed(images, targets, draws[0, ::-1], change.mixup)
        return normalised(images, preprocessing), targets

    ready = tf.data.Dataset.from_tensor_slices((places, keys))
    ready = ready.map(made, num_parallel_calls=tf.data.AUTOTUNE)
    return ready.batch(part, drop_remainder=True).map(finished).prefetch(2)


def _draws(
    count: int, batch: int, seed: int, epochs: range, share: Share
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The pictures that are taken here, in order, and the key of each one's epoch."""
    places, keys = [], []
    for epoch in epochs:
        steps = order(count, batch, seed, epoch)
        own = np.split(steps, share.count, axis=1)[share.index].reshape(-1)
        key = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0] >> 1)
        places.append(own)
        keys.append(np.full(len(own), key, np.int32))
    return np.concatenate(places), np.concatenate(keys)


def judging_batches(pixels: Pixels, preprocessing: Preprocessing, batch: int) -> Dataset:
    """All pictures in order, normalised, with their labels; the last batch may be smaller.

    Args:
        pixels: of ``reading.judged``; the caller keeps them while it takes batches.
        preprocessing: of the network.
        batch: pictures of a step.

    Returns:
        float32 [batch, resolution, resolution, 3] and labels, int64 [batch], per step.
    """
    starts = np.arange(0, len(pixels), batch)
    side, held = pixels.squares.shape[1], _held(pixels)

    def made(start: Tensor) -> tuple[Tensor, Tensor]:
        squares, labels = tf.numpy_function(
            lambda at: (held().squares[at : at + batch], held().labels[at : at + batch]),
            [start],
            [tf.uint8, tf.int64],
            stateful=False,
        )
        squares = tf.ensure_shape(squares, [None, side, side, 3])
        labels = tf.ensure_shape(labels, [None])
        return normalised(tf.cast(squares, tf.float32), preprocessing), labels

    ready = tf.data.Dataset.from_tensor_slices(starts).map(made)
    return ready.prefetch(2)


def normalised(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """``(images - mean) / std`` as ``Preprocessing.normalised``; images float32 in 0..255."""
    mean, std = (tf.constant(one, tf.float32) for one in (preprocessing.mean, preprocessing.std))
    return (images - mean) / std


def _held(pixels: Pixels) -> Callable[[], Any]:
    """The pixels, as long as who asked for the batches keeps them.

    TensorFlow never forgets a function of Python that a pipeline has called: one that held them
    itself would keep the pictures of every training in memory.
    """
    return weakref.ref(pixels)


def _taken(held: Callable[[], Any], side: int, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One picture, its true size and its label; by reference to the arrays, which stay one."""
    square, size, label = tf.numpy_function(
        lambda at: (held().squares[at], held().sizes[at], held().labels[at]),
        [place],
        [tf.uint8, tf.int32, tf.int64],
        stateful=False,
    )
    return (
        tf.ensure_shape(square, [side, side, 3]),
        tf.ensure_shape(size, [2]),
        tf.ensure_shape(label, []),
    )
