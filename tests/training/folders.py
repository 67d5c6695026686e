"""Small folders of pictures to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHADES = {"bright": 200, "dark": 60, "middle": 130}


def class_folders(folder: Path, counts: dict[str, int], size: tuple[int, int] = (24, 20)) -> Path:
    """A folder per class with so many noisy pictures of its shade."""
    for number, (name, count) in enumerate(sorted(counts.items())):
        generator = np.random.default_rng(number)
        place = folder / name
        place.mkdir(parents=True)
        for index in range(count):
            noise = generator.normal(SHADES.get(name, 100), 20, (*size, 3))
            pixels = np.clip(noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{index:03d}.png")
    return folder
