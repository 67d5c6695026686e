"""Made-up pictures that excite a network much as photographs do, for when there are none.

Dead leaves (Lee, Mumford, Huang 2001: occluding shapes whose sizes follow an inverse cube law)
give the edges, scales and occlusions of natural scenes; each leaf has a colour of natural
statistics and a texture of falling spectrum; light varies slowly over the picture. The constants
of ``NATURE`` were fitted to BatchNorm statistics of trained networks, which say what photographs
do to each layer; docs/images.md has the measurement.

Nothing but the raw PCG64 stream, exact integer arithmetic and the correctly rounded float
operations (add, multiply, divide, square root) one element at a time: the same bytes everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import UsageError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Nature:
    """What the pictures have in common; lengths are shares of the scene, values 0..1.

    Attributes:
        mean: mean colour (R, G, B).
        picture_spread: deviation of a whole picture's colour: luminance, red-blue, green.
        leaf_spread: deviation of a leaf's colour within a picture, along the same axes.
        texture_spread: deviation of the texture in a leaf.
        light_spread: deviation of the slowly varying light, relative.
        contrast: lowest and highest contrast of a picture.
        zoom: smallest and largest share of the scene that a picture shows.
        smoothing: most passes of a 1-2-1 filter over a picture of 224 pixels.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    picture_spread: tuple[float, float, float] = (0.12, 0.04, 0.02)
    leaf_spread: tuple[float, float, float] = (0.17, 0.06, 0.03)
    texture_spread: float = 0.07
    light_spread: float = 0.2
    contrast: tuple[float, float] = (0.5, 1.3)
    zoom: tuple[float, float] = (0.2, 0.6)
    smoothing: int = 3


NATURE = Nature()

SCENE = 1024
"""Height and width in cells of the scene of which every picture shows a part."""

LEAVES = 6000
RADII = (4.0, 200.0)
"""Smallest and largest leaf in cells."""

TEXTURE = 512
"""Height and width of the periodic texture."""

OCTAVES = 7

# Luminance, red against blue, green against both: nearly the principal axes of natural colour.
AXES = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)


def synthetic_pictures(
    count: int, resolution: int, seed: int = 0, *, nature: Nature = NATURE
) -> Iterator[NDArray[np.uint8]]:
    """Make pictures; the n-th of a seed is the same whatever ``count`` is.

    Args:
        count: how many.
        resolution: height and width in pixels; the content is the same at every resolution.
        seed: other seeds make other pictures of the same kind.
        nature: the statistics they share.

    Yields:
        uint8 [resolution, resolution, 3], RGB.

    Raises:
        UsageError: count, resolution or seed that cannot be.
    """
    if count < 0 or resolution < 1 or seed < 0:
        raise UsageError(f"{count} pictures of {resolution} pixels, seed {seed}", "count from 0")
    for number in range(count):
        yield _picture(_Stream(seed, number), resolution, nature)


class _Stream:
    """Random numbers from raw PCG64 words, whose stream numpy promises not to change."""

    def __init__(self, *key: int) -> None:
        self._words = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, *shape: int) -> Floats:
        """Uniform in 0..1."""
        words = self._words.random_raw(int(np.prod(shape, dtype=np.int64)))
        values: Floats = (words >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        return values.reshape(shape)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.uniform(1)[0])

    def normal(self, *shape: int) -> Floats:
        """Nearly normal: the sum of four uniforms, which needs no logarithm and has no far tail."""
        total = self.uniform(*shape)
        for _ in range(3):
            total = total + self.uniform(*shape)
        values: Floats = (total - np.float32(2)) * np.sqrt(np.float32(3))
        return values

    def whole(self, below: int, *shape: int) -> NDArray[np.int64]:
        """Whole numbers 0 .. below - 1."""
        values: Floats = self.uniform(*shape) * np.float32(below)
        return values.astype(np.int64)


def _picture(stream: _Stream, resolution: int, nature: Nature) -> NDArray[np.uint8]:
    size = 2 * resolution
    across, down = _window(stream, size, nature)
    leaf = _scene()[down[:, None], across[None, :]]
    if stream.uniform(1)[0] < 0.5:
        leaf = leaf[:, ::-1]
    colours = _colours(stream, nature)
    picture = _halved(colours[leaf])
    leaf = leaf[::2, ::2]
    picture += _textured(stream, leaf, nature)[:, :, None]
    picture *= _light(stream, resolution, nature)[:, :, None]
    passes = int(stream.between(0, nature.smoothing + 1) * (resolution / 224) ** 2)
    for _ in range(passes):
        picture = _smoothed(picture)
    return _as_bytes(picture)


def _window(
    stream: _Stream, size: int, nature: Nature
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cells of the scene for each column and row of a picture of ``size`` samples."""
    span = stream.between(*nature.zoom) * SCENE
    starts = (stream.between(0, SCENE - span) for _ in range(2))
    steps = (np.arange(size) + 0.5) * (span / size)
    across, down = ((start + steps).astype(np.int64) for start in starts)
    return across, down


def _colours(stream: _Stream, nature: Nature) -> Floats:
    """The colour of each leaf in one picture, float32 [leaves, 3] around 0..1."""
    contrast = np.float32(stream.between(*nature.contrast))
    shared = stream.normal(1, 3) * np.array(nature.picture_spread, np.float32)
    own = stream.normal(LEAVES, 3) * np.array(nature.leaf_spread, np.float32) * contrast
    along = shared + own
    colours: Floats = np.array(nature.mean, np.float32) + along[:, :1] * AXES[0]
    colours += along[:, 1:2] * AXES[1] + along[:, 2:] * AXES[2]
    return colours


def _textured(stream: _Stream, leaf: NDArray[np.int32], nature: Nature) -> Floats:
    """Each leaf's own piece of texture at its own strength."""
    size = leaf.shape[0]
    strength = stream.uniform(LEAVES) * np.float32(2 * nature.texture_spread)
    offset = stream.whole(TEXTURE * TEXTURE, LEAVES)
    steps = (np.arange(size) * 224) // size
    place = (steps[:, None] * TEXTURE + steps[None, :]) + offset[leaf]
    textured: Floats = _texture()[place % (TEXTURE * TEXTURE)] * strength[leaf]
    return textured


def _light(stream: _Stream, resolution: int, nature: Nature) -> Floats:
    """Slowly varying light, around 1."""
    coarse = stream.normal(4, 4) * np.float32(nature.light_spread) + np.float32(1)
    return _enlarged(coarse, resolution, periodic=False)


@functools.cache
def _scene() -> NDArray[np.int32]:
    """Which leaf is on top in each cell, int32 [SCENE, SCENE]."""
    stream = _Stream(0x1EAF)
    smallest, largest = (np.float32(1) / np.float32(r * r) for r in RADII)
    radius = 1 / np.sqrt(largest + stream.uniform(LEAVES) * (smallest - largest))
    # Coordinates of the leaf's own frame: turned and stretched.
    turn = stream.uniform(LEAVES, 2) - np.float32(0.5)
    length = np.sqrt(turn[:, 0] * turn[:, 0] + turn[:, 1] * turn[:, 1]) + np.float32(1e-3)
    cosine, sine = turn[:, 0] / length, turn[:, 1] / length
    stretch = np.float32(0.4) + np.float32(0.6) * stream.uniform(LEAVES)
    square = stream.uniform(LEAVES) < 0.4
    centre = stream.uniform(LEAVES, 2) * np.float32(SCENE)
    scene = np.zeros((SCENE, SCENE), np.int32)
    cells = np.arange(SCENE, dtype=np.float32)
    for n in range(LEAVES):
        reach = radius[n] * np.float32(1.5)
        (top, left), (bottom, right) = (
            np.clip(np.floor(centre[n] + sign * reach), 0, SCENE).astype(int) for sign in (-1, 1)
        )
        y = (cells[top:bottom] - centre[n, 0])[:, None]
        x = (cells[left:right] - centre[n, 1])[None, :]
        u = (x * cosine[n] + y * sine[n]) / radius[n]
        v = (y * cosine[n] - x * sine[n]) / (radius[n] * stretch[n])
        inside = np.maximum(abs(u), abs(v)) < 0.9 if square[n] else u * u + v * v < 1
        scene[top:bottom, left:right][inside] = n
    return scene


@functools.cache
def _texture() -> Floats:
    """Periodic noise whose octaves double in strength with their length, flat, deviation 1."""
    stream = _Stream(0x7E87)
    total = np.zeros((TEXTURE, TEXTURE), np.float32)
    for octave in range(OCTAVES):
        cells = TEXTURE >> octave
        lattice = stream.normal(cells, cells)
        total += _enlarged(lattice, TEXTURE, periodic=True) * np.float32(1 << octave)
    # Rounded: the order in which a sum is taken differs between processors.
    spread = round(float(np.sqrt(np.mean(total.astype(np.float64) ** 2))), 3)
    flat: Floats = (total / np.float32(spread)).ravel()
    return flat


def _enlarged(lattice: Floats, size: int, *, periodic: bool) -> Floats:
    """A lattice interpolated linearly to [size, size]."""
    cells = lattice.shape[0]
    position = np.arange(size, dtype=np.float32) * np.float32(
        (cells if periodic else cells - 1) / size
    )
    before = position.astype(np.int64)
    share = position - before.astype(np.float32)
    after = (before + 1) % cells
    rows = lattice[before] * (1 - share)[:, None] + lattice[after] * share[:, None]
    enlarged: Floats = rows[:, before] * (1 - share) + rows[:, after] * share
    return enlarged


def _halved(picture: Floats) -> Floats:
    pairs = picture[::2] + picture[1::2]
    halved: Floats = (pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25)
    return halved


def _smoothed(picture: Floats) -> Floats:
    """One pass of a 1-2-1 filter down and across; the border repeats."""
    tall = np.concatenate([picture[:1], picture, picture[-1:]], axis=0)
    down: Floats = (tall[:-2] + tall[1:-1] * 2 + tall[2:]) * np.float32(0.25)
    wide = np.concatenate([down[:, :1], down, down[:, -1:]], axis=1)
    across: Floats = (wide[:, :-2] + wide[:, 1:-1] * 2 + wide[:, 2:]) * np.float32(0.25)
    return across


def _as_bytes(picture: Floats) -> NDArray[np.uint8]:
    levels: Floats = np.clip(np.rint(picture * np.float32(255)), 0, 255)
    return levels.astype(np.uint8)
