"""List labelled ImageNet pictures of public collections as `edgeeff evaluate --data` reads them.

    python benchmarks/imagenet.py FOLDER > FOLDER/pictures.csv

FOLDER is one of

- `imagenet-sample-images` (a repository of EliSchwartz): one training picture of each class, the
  class's WordNet number at the beginning of its name;
- the 1,000 photographs of the NIPS 2017 competition on adversarial attacks, which are no part of
  ImageNet and labelled with its classes: `images.csv` beside the folder `images`, as in `dataset`
  of ZhengyuZhao's repository `Targeted-Transfer`.

Indices count from 0, as the networks' outputs do. Nothing is downloaded.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CLASSES = 1000
WORDNET = re.compile(r"(n\d{8})_.+\.JPEG")


def listed(folder: Path) -> list[tuple[str, int]]:
    """Each picture's path below the folder, and its class."""
    if (folder / "images.csv").exists():
        return list(_competition(folder))
    return _sample(folder)


def _competition(folder: Path) -> Iterator[tuple[str, int]]:
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            # There 0 is "background".
            yield f"images/{row['ImageId']}.png", int(row["TrueLabel"]) - 1


def _sample(folder: Path) -> list[tuple[str, int]]:
    numbers = {file.name: found[1] for file in folder.iterdir() if (found := _wordnet(file))}
    classes = sorted(set(numbers.values()))
    if len(classes) != CLASSES:
        sys.exit(f"{folder}: pictures of {len(classes)} classes, not {CLASSES}")
    return [(name, classes.index(number)) for name, number in sorted(numbers.items())]


def _wordnet(file: Path) -> re.Match[str] | None:
    return WORDNET.fullmatch(file.name)


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    csv.writer(sys.stdout, lineterminator="\n").writerows(listed(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
