"""Labelled pictures in a fixed order, whether they lie in files or in one array."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeeff.pictures.images import Picture, read_rgb

UNLABELLED = -1
"""The label of a picture whose class is not known."""


class Pictures(Protocol):
    """Pictures that are opened one at a time, by their place in the list."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class index of every picture, int64 [count]; ``UNLABELLED`` where none is known."""

    def open(self, place: int) -> Image.Image:
        """One picture as upright RGB. Raises ``InputError`` for one that cannot be read."""

    def name(self, place: int) -> str:
        """What a message calls the picture."""

    def mark(self, place: int) -> int:
        """A number that is another one for most changes of the picture, known at little cost."""

    def taken(self, places: Sequence[int]) -> Pictures:
        """Only the pictures at these places, in this order."""

    @property
    def longest_side(self) -> int | None:
        """Pixels that no side exceeds; ``None`` where only opening every picture would tell."""


@dataclass(frozen=True)
class PictureFiles:
    """Pictures in files of their own.

    Attributes:
        files: in order, each with the index of its class.
    """

    files: tuple[Picture, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """As ``Pictures.labels``."""
        found = [UNLABELLED if one.label is None else one.label for one in self.files]
        return np.array(found, np.int64)

    def open(self, place: int) -> Image.Image:
        """As ``Pictures.open``; safe in threads while the caller silences Pillow's warnings."""
        return read_rgb(self.files[place].path)

    def name(self, place: int) -> str:
        """The path."""
        return str(self.files[place].path)

    def mark(self, place: int) -> int:
        """The size of the file in bytes; -1: it is not there."""
        try:
            return os.path.getsize(self.files[place].path)
        except OSError:
            return -1

    def taken(self, places: Sequence[int]) -> PictureFiles:
        """As ``Pictures.taken``."""
        return PictureFiles(tuple(self.files[place] for place in places))

    @property
    def longest_side(self) -> int | None:
        """Not known: the files would have to be opened."""
        return None


@dataclass(frozen=True, eq=False)
class PictureArrays:
    """Pictures of one size in one array, such as those of Fashion-MNIST.

    Attributes:
        source: what they are called.
        pixels: uint8 [count, height, width], grey.
        labels: int64 [count].
    """

    source: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def open(self, place: int) -> Image.Image:
        """As ``Pictures.open``."""
        return Image.fromarray(self.pixels[place]).convert("RGB")

    def name(self, place: int) -> str:
        """The source and the place."""
        return f"{self.source}[{place}]"

    def mark(self, place: int) -> int:
        """A checksum of the pixels."""
        return zlib.crc32(self.pixels[place].tobytes())

    def taken(self, places: Sequence[int]) -> PictureArrays:
        """As ``Pictures.taken``."""
        chosen = np.asarray(places, np.int64)
        return PictureArrays(self.source, self.pixels[chosen], self.labels[chosen])

    @property
    def longest_side(self) -> int | None:
        """Of every picture."""
        height, width = self.pixels.shape[1:]
        return max(int(height), int(width))
