"""Shapes of the pictures that networks take: any height and width, RGB or grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError

Shape = tuple[int, int, int]
"""Height, width and channels: 3 of RGB, 1 of grey."""

LUMA = (19595, 38470, 7471)
"""Of red, green and blue in grey (ITU-R BT.601), in 65536ths: what Pillow's mode ``L`` and Keras'
``color_mode="grayscale"`` make of a picture."""


def check_ends(inputs: int, outputs: int, name: str) -> None:
    """Refuse a network that takes more than a picture, or gives more than an answer.

    Args:
        inputs: how many it has.
        outputs: likewise.
        name: of the network, for messages.

    Raises:
        InputError: it has not one of each.
    """
    if (inputs, outputs) != (1, 1):
        counts = ((inputs, "input"), (outputs, "output"))
        found = " and ".join(f"{count} {end}{'' if count == 1 else 's'}" for count, end in counts)
        raise InputError(f"{name} has {found}", "a classifier has one of each")


def picture_shape(dimensions: Sequence[int | None], name: str) -> Shape:
    """The shape of the pictures of an input [batch, height, width, channels].

    Args:
        dimensions: of the input.
        name: of the network, for messages.

    Raises:
        InputError: no picture can be made of it.
    """
    if len(dimensions) == 4 and dimensions[0] != 0:
        height, width, channels = dimensions[1:]
        if height and width and min(height, width) > 0 and channels in (1, 3):
            return height, width, channels
        if any(side is None or side < 0 for side in (height, width)):
            raise InputError(
                f"{name} takes pictures of any size: its input is {list(dimensions)}",
                "export it for pictures of one height and width",
            )
    raise InputError(
        f"{name} has an input of shape {list(dimensions)}",
        "a classifier of pictures has [batch, height, width, 3] for RGB, or 1 for grey",
    )


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey of RGB pictures, uint8 [..., 3] to [..., 1]."""
    total = pixels.astype(np.uint32) @ np.array(LUMA, np.uint32) + np.uint32(1 << 15)
    made: NDArray[np.uint8] = (total >> np.uint32(16)).astype(np.uint8)[..., None]
    return made
