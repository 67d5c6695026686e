"""Pictures of one colour, as files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

RED = (200, 30, 40)


def save(path: Path, colour: tuple[int, int, int] = RED, size: tuple[int, int] = (20, 16)) -> Path:
    """Write one; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path
