"""The int8 grid of a network's input: where it can be, the raw byte is the normalised pixel."""

from __future__ import annotations

import numpy as np

from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.grid import Grid


def pixel_grid(preprocessing: Preprocessing) -> Grid | None:
    """The int8 grid on which raw byte ``p`` is the normalised pixel ``p``.

    Returns:
        ``None`` if there is none: the channels differ, or the mean is no byte.
    """
    mean, std = set(preprocessing.mean), set(preprocessing.std)
    if len(mean) > 1 or len(std) > 1 or preprocessing.mean[0] not in range(256):
        return None
    return Grid(1 / preprocessing.std[0], int(preprocessing.mean[0]) - 128)


def normalised_grid(preprocessing: Preprocessing) -> Grid:
    """The int8 grid of a network's normalised input."""
    ends = preprocessing.normalised(np.array([[0], [255]], np.uint8))
    return pixel_grid(preprocessing) or Grid.of_range(float(ends.min()), float(ends.max()))


RAW = Grid(1.0, -128)
"""Pixels 0..255 as int8, exactly."""
