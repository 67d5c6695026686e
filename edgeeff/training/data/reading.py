"""Pictures read once, in parallel, into one array of bytes that every epoch takes from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from edgeeff.errors import InputError
from edgeeff.pictures.images import Skipped, silent
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Advance
from edgeeff.training.data.pictures import Pictures

MARGIN = 8 / 7
"""Side of a kept picture by that of the network's input: what 224 of 256 pixels leave to crops."""

SHARE_OF_MEMORY = 1 / 3
"""Of what is free, that one array may take; a larger one lies in a file."""

READERS = min(16, os.cpu_count() or 1)
"""Threads that read: Pillow lets others run while it decodes and resizes."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pictures in memory.

    Attributes:
        squares: uint8 [count, side, side, 3], RGB.
        sizes: int32 [count, 2], height and width of each picture before it was made square.
        labels: int64 [count], as ``Pictures.labels``.
        skipped: pictures that could not be read, and why; they are not in the arrays.
    """

    squares: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    labels: NDArray[np.int64]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.squares)


def judged(
    pictures: Pictures,
    preprocessing: Preprocessing,
    *,
    scratch: Path | None = None,
    advance: Advance | None = None,
) -> Pixels:
    """Pictures exactly as ``edgeeff evaluate`` and an app make them: for judging, and distilling.

    Args:
        pictures: with labels or without.
        preprocessing: the one rule, ``Preprocessing.pixels``.
        scratch: a folder for a file that takes what memory does not; ``None``: memory takes all.
        advance: called with 1 after every picture.

    Raises:
        InputError: none of them can be read.
        OutputError: the file cannot be written.
    """
    return _read(pictures, preprocessing.resolution, preprocessing.pixels, scratch, advance)


def kept_whole(
    pictures: Pictures,
    resolution: int,
    *,
    scratch: Path | None = None,
    advance: Advance | None = None,
) -> Pixels:
    """Whole pictures pressed into squares a little larger than the input, for random crops.

    Pressed, all have one shape and every part of them is there; a crop of the right proportions,
    which ``Pixels.sizes`` gives, undoes it. Pictures that are smaller stay as small.

    Args, raises: as of ``judged``; ``resolution`` is the side of the network's input.
    """
    side = int(np.ceil(resolution * MARGIN))
    side = min(side, pictures.longest_side or side)

    def pressed(image: Image.Image) -> NDArray[np.uint8]:
        small = image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(small)

    return _read(pictures, side, pressed, scratch, advance)


def _read(
    pictures: Pictures,
    side: int,
    make: Callable[[Image.Image], NDArray[np.uint8]],
    scratch: Path | None,
    advance: Advance | None,
) -> Pixels:
    """Read every picture, in parallel and in order; leave out those that cannot be read."""
    labels = pictures.labels
    squares = _allocated((len(labels), side, side, 3), scratch)
    sizes = np.zeros((len(labels), 2), np.int32)

    def read(place: int) -> InputError | None:
        try:
            image = pictures.open(place)
        except InputError as error:
            return error
        squares[place] = make(image)
        sizes[place] = image.height, image.width
        return None

    failed: dict[int, InputError] = {}
    with silent(), ThreadPoolExecutor(READERS) as pool:
        for place, error in enumerate(pool.map(read, range(len(labels)))):
            if error is not None:
                failed[place] = error
            if advance:
                advance(1)
    skipped = tuple(_skipped(pictures, failed))
    if len(skipped) == len(labels):
        raise InputError(
            f"none of {len(labels)} pictures can be read, the first: {skipped[0].reason}"
        )
    if not skipped:
        return Pixels(squares, sizes, labels)
    there = np.array([place for place in range(len(labels)) if place not in failed])
    for place, source in enumerate(there):  # in place: a copy might not fit
        squares[place] = squares[source]
    return Pixels(squares[: len(there)], sizes[there], labels[there], skipped)


def _skipped(pictures: Pictures, failed: dict[int, InputError]) -> Iterator[Skipped]:
    for place, error in failed.items():
        name = pictures.name(place)
        yield Skipped(Path(name), error.message.removeprefix(f"{name}: "))


def _allocated(shape: tuple[int, ...], scratch: Path | None) -> NDArray[np.uint8]:
    """An array in memory, or in a file where it would take too much of that."""
    free = psutil.virtual_memory().available
    if scratch is None or np.prod(shape, dtype=np.int64) <= free * SHARE_OF_MEMORY:
        return np.empty(shape, np.uint8)
    number = len(list(scratch.glob("pictures-*")))
    return np.memmap(scratch / f"pictures-{number}", np.uint8, "w+", shape=shape)
