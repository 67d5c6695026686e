"""Random changes that leave a picture what it is, each a pure function of a seed.

The operations are TensorFlow's own, in their stateless form: the same seed gives the same picture,
in whatever order and on however many threads pictures are made. Keras 3 has layers for all of
this, but they draw from a counter that is kept in a variable, and its ``RandAugment`` computes
every one of its operations for every picture; so RandAugment's table is here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.training.settings import Augmentation

Tensor = Any
"""A tensor of TensorFlow; it ships no types."""

STRONGEST = 10.0
"""Magnitudes of RandAugment count up to this."""

PROPORTIONS = (3 / 4, 4 / 3)
"""Width by height of a random crop, as in the training of Inception and all since."""


def augmented(
    square: Tensor, size: Tensor, seed: Tensor, resolution: int, change: Augmentation
) -> Tensor:
    """A random crop of a picture, changed.

    Args:
        square: uint8 [side, side, 3], pressed into a square.
        size: int32 [2], its height and width before.
        seed: int32 [2].
        resolution: side of the result.
        change: how much.

    Returns:
        float32 [resolution, resolution, 3] in 0..255.
    """
    seeds = tf.unstack(tf.random.split(seed, 6))
    image = _cropped(square, size, seeds[0], resolution, change.crop)
    if change.flip:
        image = tf.image.stateless_random_flip_left_right(image, seeds[1])
    image = image / 255.0
    if change.colour > 0:
        image = _coloured(image, seeds[2:5], change.colour)
    if change.operations > 0:
        image = _rand_augmented(image, seeds[5], change)
    return tf.clip_by_value(image, 0.0, 1.0) * 255.0


def mixed(images: Tensor, targets: Tensor, seed: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each picture of a batch with the next, by a share that is drawn for each pair.

    Args:
        images: float32 [batch, height, width, 3].
        targets: float32 [batch, classes], shares of each class.
        seed: int32 [2].
        alpha: of the beta distribution.
    """
    count = tf.shape(images)[:1]
    seeds = tf.unstack(tf.random.split(seed, 2))
    first, second = (tf.random.stateless_gamma(count, one, alpha) for one in seeds)
    share = (first + 1e-7) / (first + second + 2e-7)
    share = tf.maximum(share, 1 - share)
    wide = share[:, None, None, None]
    return (
        wide * images + (1 - wide) * tf.roll(images, 1, 0),
        share[:, None] * targets + (1 - share[:, None]) * tf.roll(targets, 1, 0),
    )


def _cropped(square: Tensor, size: Tensor, seed: Tensor, resolution: int, least: float) -> Tensor:
    """A crop of random area and proportions, as those of the picture before it was pressed."""
    true = tf.concat([size, [3]], 0)
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        true,
        tf.zeros([1, 0, 4]),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=PROPORTIONS,
        area_range=(least, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    corner = tf.cast(begin[:2], tf.float32) / tf.cast(size, tf.float32)
    share = tf.cast(extent[:2], tf.float32) / tf.cast(size, tf.float32)
    box = tf.concat([corner, corner + share], 0)[None]
    image = tf.image.crop_and_resize(square[None], box, [0], [resolution, resolution])[0]
    return tf.ensure_shape(image, [resolution, resolution, 3])


def _coloured(image: Tensor, seeds: list[Tensor], strength: float) -> Tensor:
    image = tf.image.stateless_random_brightness(image, strength, seeds[0])
    image = tf.image.stateless_random_contrast(image, 1 - strength, 1 + strength, seeds[1])
    image = tf.clip_by_value(image, 0.0, 1.0)
    return tf.image.stateless_random_saturation(image, 1 - strength, 1 + strength, seeds[2])


def _rand_augmented(image: Tensor, seed: Tensor, change: Augmentation) -> Tensor:
    """Operations drawn from the table, each as strong as told, in one direction or the other."""
    strength = change.magnitude / STRONGEST
    for one in tf.unstack(tf.random.split(seed, change.operations)):
        drawn = tf.random.stateless_uniform([2], one)
        signed = tf.where(drawn[1] < 0.5, -strength, strength)
        which = tf.cast(drawn[0] * len(OPERATIONS), tf.int32)
        branches = [_branch(operation, image, signed) for operation in OPERATIONS]
        image = tf.clip_by_value(tf.switch_case(which, branches), 0.0, 1.0)
    return image


def _branch(
    operation: Callable[[Tensor, Tensor], Tensor], image: Tensor, strength: Tensor
) -> Callable[[], Tensor]:
    return lambda: operation(image, strength)


def _moved(image: Tensor, transform: list[Tensor | float]) -> Tensor:
    """The picture as seen through an affine map about its middle; grey comes in from outside.

    Args:
        image: float32 [side, side, 3].
        transform: a, b, c, d, e, f: output (x, y) shows input (ax + by + c, dx + ey + f), with
            c and f in sides of the picture.
    """
    side = tf.cast(tf.shape(image)[0], tf.float32)
    a, b, c, d, e, f = (tf.cast(value, tf.float32) for value in transform)
    middle = (side - 1) / 2
    across = middle - a * middle - b * middle + c * side
    down = middle - d * middle - e * middle + f * side
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=tf.stack([a, b, across, d, e, down, 0.0, 0.0])[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.5,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]


def _rotated(image: Tensor, strength: Tensor) -> Tensor:
    angle = strength * (30 * 3.14159265 / 180)
    return _moved(image, [tf.cos(angle), -tf.sin(angle), 0.0, tf.sin(angle), tf.cos(angle), 0.0])


def _auto_contrast(image: Tensor, strength: Tensor) -> Tensor:
    low = tf.reduce_min(image, axis=(0, 1))
    high = tf.reduce_max(image, axis=(0, 1))
    return tf.where(high > low, (image - low) / tf.maximum(high - low, 1e-3), image)


def _posterized(image: Tensor, strength: Tensor) -> Tensor:
    steps = 2.0 ** tf.round(8.0 - 4.0 * tf.abs(strength)) - 1.0
    return tf.round(image * steps) / steps


def _solarized(image: Tensor, strength: Tensor) -> Tensor:
    return tf.where(image < 1.0 - tf.abs(strength), image, 1.0 - image)


OPERATIONS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda image, strength: image,
    _rotated,
    lambda image, strength: _moved(image, [1.0, 0.3 * strength, 0.0, 0.0, 1.0, 0.0]),
    lambda image, strength: _moved(image, [1.0, 0.0, 0.0, 0.3 * strength, 1.0, 0.0]),
    lambda image, strength: _moved(image, [1.0, 0.0, 0.45 * strength, 0.0, 1.0, 0.0]),
    lambda image, strength: _moved(image, [1.0, 0.0, 0.0, 0.0, 1.0, 0.45 * strength]),
    lambda image, strength: tf.image.adjust_brightness(image, 0.5 * strength),
    lambda image, strength: tf.image.adjust_contrast(image, 1 + 0.9 * strength),
    lambda image, strength: tf.image.adjust_saturation(image, 1 + 0.9 * strength),
    _auto_contrast,
    _posterized,
    _solarized,
)
"""Of RandAugment, each of a picture (float32 in 0..1) and a strength in -1..1. Left out are
sharpness and equalization, which the colour changes of photographs resemble least."""
