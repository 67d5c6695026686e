"""Made-up pictures that excite a network much as photographs do, for when there are none.

Dead leaves (Lee, Mumford, Huang 2001: shapes that cover one another, their sizes after a power
law) give the edges, scales and occlusions of natural scenes. Each leaf has a colour of natural
statistics, a shading, and a texture of falling spectrum, rough or smooth, stretched, or striped;
light varies slowly over the picture. The constants of ``NATURE`` were fitted to the BatchNorm
statistics of a trained network, which say what photographs do to each of its layers;
docs/images.md says how near it comes.

Nothing but the raw PCG64 stream, exact integer arithmetic and the correctly rounded float
operations (add, multiply, divide, square root), one element at a time: the same bytes on every
machine.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.arrays import FloatArray
from edgeeff.errors import UsageError
from edgeeff.pictures.shapes import Shape, grey

Indices = NDArray[np.int64]

SCENE = 1024
"""Height and width in cells of a scene, of which every picture shows a part."""

TEXTURE = 512
"""Height and width in pixels of the periodic textures."""

OCTAVES = 7

PICTURE = 224
"""The height in pixels that lengths in a picture refer to."""

# Luminance, red against blue, green against both: nearly the principal axes of natural colour.
AXES = np.array([[1, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]], np.float32)


@dataclass(frozen=True)
class Foliage:
    """A kind of scene.

    Attributes:
        share: of the pictures, relative to the other kinds.
        leaves: how many are laid down.
        smallest: radius of the smallest in cells.
        steep: their sizes follow an inverse cube law, that of natural scenes; otherwise the
            power -1.5, for pictures of few large things.
    """

    share: float
    leaves: int
    smallest: float
    steep: bool


@dataclass(frozen=True)
class Nature:
    """What the pictures have in common; colours and textures are on the scale 0..1.

    Attributes:
        mean: mean colour (R, G, B).
        picture_spread: deviation of a whole picture's colour along ``AXES``.
        leaf_spread: deviation of a leaf's colour within a picture, likewise.
        saturation: by how much, relative, a picture may be more or less colourful.
        contrast: lowest and highest contrast of a picture.
        texture: mean strength of the texture of a leaf.
        heavy: how much of that strength goes to few leaves, 0..1.
        rough: gain per octave of the roughest texture; white noise is 0.
        smooth: that of the smoothest.
        stretch: by how much, at most, a texture is stretched.
        stripes: share of the leaves that are striped.
        shading: deviation of the brightness from the middle to the end of a leaf.
        light: deviation of the slowly varying light, relative.
        zoom: smallest and largest share of its scene that a picture shows.
        blur: most passes of a 1-2-1 filter over a picture of 224 pixels.
        square: share of the leaves that are rectangles; the rest are ellipses.
        slender: the smallest ratio of width to length of a leaf.
        foliage: the kinds of scene.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    picture_spread: tuple[float, float, float] = (0.049, 0.066, 0.03)
    leaf_spread: tuple[float, float, float] = (0.136, 0.065, 0.034)
    saturation: float = 0.52
    contrast: tuple[float, float] = (0.51, 1.72)
    texture: float = 0.118
    heavy: float = 0.43
    rough: float = 0.6
    smooth: float = 1.7
    stretch: float = 3.9
    stripes: float = 0.36
    shading: float = 0.11
    light: float = 0.11
    zoom: tuple[float, float] = (0.053, 0.325)
    blur: float = 2.3
    square: float = 0.18
    slender: float = 0.25
    foliage: tuple[Foliage, ...] = (
        Foliage(1.53, 6000, 2.5, True),
        Foliage(1.45, 3000, 12.5, True),
        Foliage(0.94, 800, 26.8, False),
    )


NATURE = Nature()


@dataclass(frozen=True)
class _Scene:
    """Leaves that lie on one another.

    Attributes:
        top: which leaf is on top in each cell, int64 [SCENE, SCENE].
        centre: of each leaf in cells (down, across), float32 [leaves, 2].
        slope: how far along its length, in its radii, a leaf gets per cell (down, across).
    """

    top: Indices
    centre: FloatArray
    slope: FloatArray


def synthetic_pictures(count: int, resolution: int, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Make pictures; the n-th of a seed is the same whatever ``count`` is.

    Args:
        count: how many.
        resolution: height and width in pixels; the content is the same at every resolution.
        seed: other seeds make other pictures of the same kind.

    Yields:
        uint8 [resolution, resolution, 3], RGB.

    Raises:
        UsageError: count, resolution or seed that cannot be.
    """
    if count < 0 or resolution < 1 or seed < 0:
        raise UsageError(f"{count} pictures of {resolution} pixels, seed {seed}", "count from 0")
    for number in range(count):
        yield _picture(_Stream(seed, number), resolution, NATURE)


def synthetic_inputs(count: int, shape: Shape, seed: int = 0) -> NDArray[np.uint8]:
    """Made-up pictures in the shape that a network takes, uint8 [count, *shape].

    Square ones of its longer side, of which the middle is kept, in grey if it has one channel.
    """
    height, width, channels = shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    made = np.empty((count, *shape), np.uint8)
    for number, picture in enumerate(synthetic_pictures(count, side, seed)):
        kept = picture[top : top + height, left : left + width]
        made[number] = grey(kept) if channels == 1 else kept
    return made


class _Stream:
    """Random numbers from raw PCG64 words, whose stream numpy promises not to change."""

    def __init__(self, *key: int) -> None:
        self._words = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, *shape: int) -> FloatArray:
        """Uniform in 0..1."""
        words = self._words.random_raw(int(np.prod(shape, dtype=np.int64)))
        values: FloatArray = (words >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        return values.reshape(shape)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.uniform(1)[0])

    def normal(self, *shape: int) -> FloatArray:
        """Nearly normal: the sum of four uniforms, which needs no logarithm and has no far tail."""
        total = self.uniform(*shape)
        for _ in range(3):
            total = total + self.uniform(*shape)
        values: FloatArray = (total - np.float32(2)) * np.sqrt(np.float32(3))
        return values

    def direction(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Unit vectors of all directions: their two components."""
        corner = self.uniform(count, 2) - np.float32(0.5)
        across, down = corner[:, 0], corner[:, 1]
        length = np.sqrt(across * across + down * down) + np.float32(1e-6)
        return across / length, down / length


def _picture(stream: _Stream, resolution: int, nature: Nature) -> NDArray[np.uint8]:
    kind = _kind(stream, nature)
    scene = _scene(kind, nature)
    leaves = len(scene.centre)
    corner, span = _window(stream, nature)
    mirrored = stream.uniform(1)[0] < 0.5
    fine = _leaves(scene.top, corner, span, 2 * resolution)
    leaf = fine[::2, ::2]
    contrast = stream.between(*nature.contrast)
    picture = _halved(_colours(stream, leaves, contrast, nature)[fine])
    grey = _textured(stream, leaf, leaves, contrast, nature)
    grey += _shading(stream, scene, leaf, corner, span, nature)
    picture += grey[:, :, None]
    light = stream.normal(4, 4) * np.float32(nature.light) + np.float32(1)
    picture *= _enlarged(light, resolution, periodic=False)[:, :, None]
    passes = stream.between(0, nature.blur + 1) * (resolution / PICTURE) ** 2
    for _ in range(int(passes)):
        picture = _blurred(picture)
    levels: FloatArray = np.clip(np.rint(picture * np.float32(255)), 0, 255)
    return (levels[:, ::-1] if mirrored else levels).astype(np.uint8)


def _kind(stream: _Stream, nature: Nature) -> int:
    drawn = stream.between(0, sum(kind.share for kind in nature.foliage))
    for number, kind in enumerate(nature.foliage):
        drawn -= kind.share
        if drawn < 0:
            return number
    return len(nature.foliage) - 1


def _window(stream: _Stream, nature: Nature) -> tuple[tuple[int, int], int]:
    """Top left cell and size in cells of the part of a scene that a picture shows."""
    low, high = nature.zoom
    near = stream.between(0, 1)
    span = max(2, int((low + (high - low) * near * near) * SCENE))
    return (int(stream.between(0, SCENE - span)), int(stream.between(0, SCENE - span))), span


def _leaves(top: Indices, corner: tuple[int, int], span: int, size: int) -> Indices:
    """The leaf at each of [size, size] points of the window."""
    down, across = corner
    cells = top[down : down + span, across : across + span]
    while len(cells) < size:
        cells = _doubled(cells)
    places = (np.arange(size) * len(cells)) // size
    found: Indices = cells[places[:, None], places[None, :]]
    return found


def _doubled(cells: Indices) -> Indices:
    """Twice the size with slanted edges kept free of steps (the rule known as Scale2x)."""
    framed = np.pad(cells, 1, mode="edge")
    up, down, left, right = framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]
    edge = (up != down) & (left != right)
    made = np.empty((2 * len(cells), 2 * len(cells)), cells.dtype)
    for row, vertical in enumerate((up, down)):
        for column, beside in enumerate((left, right)):
            made[row::2, column::2] = np.where(edge & (beside == vertical), beside, cells)
    return made


def _colours(stream: _Stream, leaves: int, contrast: float, nature: Nature) -> FloatArray:
    """The colour of each leaf in one picture, float32 [leaves, 3] around 0..1."""
    colourful = stream.between(1 - nature.saturation, 1 + nature.saturation) * contrast
    spread = np.array(nature.leaf_spread, np.float32)
    spread *= np.array([contrast, colourful, colourful], np.float32)
    along = stream.normal(1, 3) * np.array(nature.picture_spread, np.float32)
    along = along + stream.normal(leaves, 3) * spread
    colours: FloatArray = np.array(nature.mean, np.float32) + along[:, :1] * AXES[0]
    colours += along[:, 1:2] * AXES[1]
    colours += along[:, 2:] * AXES[2]
    return colours


def _textured(
    stream: _Stream, leaf: Indices, leaves: int, contrast: float, nature: Nature
) -> FloatArray:
    """Each leaf's own piece of texture, turned, scaled and stretched, at its own strength."""
    drawn = stream.uniform(leaves)
    heavy = np.float32(nature.heavy)
    strength = drawn * ((1 - heavy) + 2 * heavy * drawn) * np.float32(2 * nature.texture * contrast)
    cosine, sine = stream.direction(leaves)
    scale = stream.uniform(leaves) + np.float32(0.5)
    narrow = scale / (1 + np.float32(nature.stretch) * stream.uniform(leaves))
    offset = stream.uniform(leaves, 2) * np.float32(TEXTURE) + np.float32(4 * TEXTURE)
    size = len(leaf)
    steps = np.arange(size, dtype=np.float32) * np.float32(PICTURE / size)
    down, across = steps[:, None], steps[None, :]
    along = (cosine * scale)[leaf] * down + (sine * scale)[leaf] * across + offset[leaf, 0]
    aside = (cosine * narrow)[leaf] * across - (sine * narrow)[leaf] * down + offset[leaf, 1]
    place = along.astype(np.int64) % TEXTURE * TEXTURE + aside.astype(np.int64) % TEXTURE
    rough = stream.uniform(leaves)[leaf]
    texture = _texture(nature.rough)[place] * rough + _texture(nature.smooth)[place] * (1 - rough)
    period = stream.uniform(leaves) * np.float32(28) + np.float32(4)
    striped = stream.uniform(leaves) < nature.stripes
    texture = np.where(striped[leaf], _stripes(along / period[leaf]) + texture / 2, texture)
    textured: FloatArray = texture * strength[leaf]
    return textured


def _stripes(phase: FloatArray) -> FloatArray:
    """A triangle wave of deviation 0.87 and period 1."""
    wave: FloatArray = abs(phase - np.floor(phase) - np.float32(0.5)) * np.float32(6) - np.float32(
        1.5
    )
    return wave


def _shading(
    stream: _Stream,
    scene: _Scene,
    leaf: Indices,
    corner: tuple[int, int],
    span: int,
    nature: Nature,
) -> FloatArray:
    """Leaves brighten from one end to the other."""
    change = stream.normal(len(scene.centre)) * np.float32(nature.shading)
    size = len(leaf)
    steps = np.arange(size, dtype=np.float32) * np.float32(span / size)
    down = (steps + np.float32(corner[0]))[:, None] - scene.centre[leaf, 0]
    across = (steps + np.float32(corner[1]))[None, :] - scene.centre[leaf, 1]
    along = down * scene.slope[leaf, 0] + across * scene.slope[leaf, 1]
    shaded: FloatArray = np.clip(along, -1, 1) * change[leaf]
    return shaded


@functools.lru_cache(maxsize=4)
def _scene(number: int, nature: Nature) -> _Scene:
    """Lay the leaves of one kind of scene on one another."""
    kind = nature.foliage[number]
    stream = _Stream(0x1EAF, number)
    radius = _radii(stream.uniform(kind.leaves), kind)
    cosine, sine = stream.direction(kind.leaves)
    slender = np.float32(nature.slender)
    width = radius * (slender + (1 - slender) * stream.uniform(kind.leaves))
    square = stream.uniform(kind.leaves) < nature.square
    centre = stream.uniform(kind.leaves, 2) * np.float32(SCENE)
    frames = np.stack([sine / radius, cosine / radius, cosine / width, -sine / width], axis=1)
    low = np.clip(centre - radius[:, None] * np.float32(1.3), 0, SCENE).astype(np.int64)
    high = np.clip(centre + radius[:, None] * np.float32(1.3), 0, SCENE).astype(np.int64)
    top = np.zeros((SCENE, SCENE), np.int64)
    cells = np.arange(SCENE, dtype=np.float32)
    for n in range(kind.leaves):
        rows, columns = slice(low[n, 0], high[n, 0]), slice(low[n, 1], high[n, 1])
        y, x = (cells[rows] - centre[n, 0])[:, None], (cells[columns] - centre[n, 1])[None, :]
        along, aside = y * frames[n, 0] + x * frames[n, 1], y * frames[n, 2] + x * frames[n, 3]
        if square[n]:
            inside = np.maximum(abs(along), abs(aside)) < np.float32(0.9)
        else:
            inside = along * along + aside * aside < 1
        top[rows, columns][inside] = n
    return _Scene(top, centre, frames[:, :2])


def _radii(share: FloatArray, kind: Foliage, largest: float = 220.0) -> FloatArray:
    """Radii in cells, given where each lies in the distribution, 0..1."""
    ends = np.array([largest, kind.smallest], np.float32)
    # The inverse of the distribution function of radius^-3 or radius^-1.5 between the ends.
    few, many = 1 / (ends * ends) if kind.steep else 1 / np.sqrt(ends)
    drawn = few + share * (many - few)
    radii: FloatArray = 1 / np.sqrt(drawn) if kind.steep else 1 / (drawn * drawn)
    return radii


@functools.lru_cache(maxsize=4)
def _texture(gain: float) -> FloatArray:
    """Periodic noise whose octaves grow by ``gain`` as they get longer; flat, deviation 1."""
    stream = _Stream(0x7E87)
    total = np.zeros((TEXTURE, TEXTURE), np.float32)
    strength = 1.0
    for octave in range(OCTAVES):
        lattice = stream.normal(TEXTURE >> octave, TEXTURE >> octave)
        total += _enlarged(lattice, TEXTURE, periodic=True) * np.float32(strength)
        strength *= gain
    # Rounded: the order in which a sum is taken differs between processors.
    spread = round(float(np.sqrt(np.mean(total.astype(np.float64) ** 2))), 3)
    flat: FloatArray = (total / np.float32(spread)).ravel()
    return flat


def _enlarged(lattice: FloatArray, size: int, *, periodic: bool) -> FloatArray:
    """A square lattice interpolated linearly to [size, size]."""
    cells = len(lattice)
    spacing = np.float32((cells if periodic else cells - 1) / size)
    position = np.arange(size, dtype=np.float32) * spacing
    before = position.astype(np.int64)
    share = position - before.astype(np.float32)
    after = (before + 1) % cells
    rows = lattice[before] * (1 - share)[:, None] + lattice[after] * share[:, None]
    enlarged: FloatArray = rows[:, before] * (1 - share) + rows[:, after] * share
    return enlarged


def _halved(picture: FloatArray) -> FloatArray:
    pairs = picture[::2] + picture[1::2]
    halved: FloatArray = (pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25)
    return halved


def _blurred(picture: FloatArray) -> FloatArray:
    """One pass of a 1-2-1 filter down and across; the border repeats."""
    tall: NDArray[Any] = np.concatenate([picture[:1], picture, picture[-1:]], axis=0)
    down = (tall[:-2] + tall[1:-1] * 2 + tall[2:]) * np.float32(0.25)
    wide = np.concatenate([down[:, :1], down, down[:, -1:]], axis=1)
    across: FloatArray = (wide[:, :-2] + wide[:, 1:-1] * 2 + wide[:, 2:]) * np.float32(0.25)
    return across
