"""Small data sets that come with a Debian or Python package, by name."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeeff import files
from edgeeff.errors import ExtraMissing, InputError, unknown_name
from edgeeff.training.data.pictures import PictureArrays
from edgeeff.training.data.sets import DataSet, split

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts it."""

GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
FASHION_SHARE = 1 / 12
"""Of the 60,000 training pictures, set aside to choose by: 5,000."""

DIGITS_TEST = 360
"""The last of scikit-learn's 1,797 digits: other writers' than most of those before."""


def named_data_set(name: str, *, share: float | None = None, seed: int = 0) -> DataSet:
    """A data set by its name.

    Args:
        name: a key of ``NAMED``.
        share: of the training pictures of each class, set aside as ``val``; ``None``: the usual.
        seed: of which they are.

    Raises:
        UsageError: no such name.
        InputError: files that are not there, or damaged.
        ExtraMissing: the package that has it is not installed.
    """
    if name not in NAMED:
        raise unknown_name("data set", name, NAMED)
    return NAMED[name](share, seed)


def _fashion_mnist(share: float | None, seed: int) -> DataSet:
    if not FASHION_MNIST.is_dir():
        raise InputError(
            f"Fashion-MNIST is not in {FASHION_MNIST}",
            "apt install dataset-fashion-mnist, or --data DIR with one folder per class",
        )
    train, test = (
        PictureArrays(f"fashion-mnist {part}", *_idx(FASHION_MNIST, part))
        for part in ("train", "t10k")
    )
    whole = DataSet("fashion-mnist", GARMENTS, train, train, test, whole=True)
    return split(whole, FASHION_SHARE if share is None else share, seed)


def _idx(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures [count, 28, 28] and labels [count] in the format of MNIST."""
    try:
        pictures, labels = (
            gzip.decompress(files.read_bytes(folder / f"{part}-{kind}-ubyte.gz"))
            for kind in ("images-idx3", "labels-idx1")
        )
        return (
            np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 28, 28),
            np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
        )
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"{folder}: the files of {part} are damaged", "install it again"
        ) from error


def _digits(share: float | None, seed: int) -> DataSet:
    if importlib.util.find_spec("sklearn") is None:
        raise ExtraMissing("the digits come with scikit-learn", "pip install scikit-learn")
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.rint(found.images * (255 / 16)).astype(np.uint8)
    every = PictureArrays("digits", pixels, found.target.astype(np.int64))
    train, test = (
        every.taken(places)
        for places in (
            range(len(pixels) - DIGITS_TEST),
            range(len(pixels) - DIGITS_TEST, len(pixels)),
        )
    )
    names = tuple(map(str, range(10)))
    whole = DataSet("digits", names, train, train, test, whole=True, mirrored=False)
    return split(whole, 0.2 if share is None else share, seed)


NAMED: Mapping[str, Callable[[float | None, int], DataSet]] = {
    "fashion-mnist": _fashion_mnist,
    "digits": _digits,
}
"""Data sets by name; each takes the share to set aside and the seed."""
