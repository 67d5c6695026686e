"""Photographs of animals, tools and buildings, from Debian's package gcompris-qt-data.

GCompris teaches children with them. Nothing of edgeeff was ever tuned on them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

FOLDER = Path("/usr/share/gcompris-qt/rcc")

RESOURCES = (
    "categorization",
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
)
"""The resource files whose large opaque pictures are photographs, all of them; chosen by eye before
any network had seen one. The package's other files mix them with paintings and drawings."""

SMALLEST = 224
"""Pixels of the short side; what is smaller are buttons and thumbnails."""


def photographs() -> Iterator[Image.Image]:
    """Each photograph, RGB, in the order of the files: 185 in version 3.1."""
    if not FOLDER.exists():
        raise SystemExit(f"{FOLDER} is missing: apt-get install gcompris-qt-data")
    for name in RESOURCES:
        for content in entries((FOLDER / f"{name}.rcc").read_bytes()):
            if content[:3] == b"\xff\xd8\xff" or content[8:12] == b"WEBP":
                image = Image.open(io.BytesIO(content))
                if image.mode == "RGB" and min(image.size) >= SMALLEST:
                    yield image


def entries(resource: bytes) -> Iterator[bytes]:
    """The files in a Qt resource file, one after the other.

    Its header has the places of three parts: a tree, the data and the names. The data are the
    files, each after its length; all numbers are 32 bits, the high byte first.
    """
    tree, data, names = struct.unpack(">3I", resource[8:20])
    end = min(place for place in (tree, names, len(resource)) if place > data)
    while data < end:
        (length,) = struct.unpack(">I", resource[data : data + 4])
        yield resource[data + 4 : data + 4 + length]
        data += 4 + length
