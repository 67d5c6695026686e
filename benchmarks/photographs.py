"""Write the photographs that ship with scikit-image and scikit-learn as PNG files.

    python benchmarks/photographs.py FOLDER

Whichever of the two packages is installed gives its pictures: 18 and 2, in RGB. They have no
labels; they serve to compare a quantized network with its float one on real photographs.
Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from PIL import Image

FILES = {
    "skimage": (
        "data/astronaut.png",
        "data/brick.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/clock_motion.png",
        "data/coffee.png",
        "data/coins.png",
        "data/grass.png",
        "data/gravel.png",
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/moon.png",
        "data/motorcycle_left.png",
        "data/motorcycle_right.png",
        "data/page.png",
        "data/retina.jpg",
        "data/rocket.jpg",
        "data/text.png",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}


def photographs() -> list[Path]:
    """The files of the installed packages, without importing them."""
    found = []
    for package, names in FILES.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folder = Path(spec.submodule_search_locations[0])
            found += [folder / name for name in names if (folder / name).exists()]
    return found


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    pictures = photographs()
    if not pictures:
        sys.exit("neither scikit-image nor scikit-learn is installed: pip install scikit-image")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        Image.open(picture).convert("RGB").save(folder / f"{picture.stem}.png")
    print(f"{len(pictures)} photographs in {folder}")


if __name__ == "__main__":
    main()
