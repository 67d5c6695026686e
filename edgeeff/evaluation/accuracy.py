"""Top-1 and top-5 accuracy, with the interval that the number of images allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError

Z95 = 1.959963984540054
"""The normal quantile of a two-sided 95% interval."""


@dataclass(frozen=True)
class Share:
    """A share of images, and its 95% confidence interval.

    Attributes:
        value: 0..1.
        low: lower end of Wilson's interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """``{value, ci95: [low, high]}``."""
        return {"value": self.value, "ci95": [self.low, self.high]}


@dataclass(frozen=True)
class Accuracy:
    """How often the right class is the first, or among the first five.

    Attributes:
        images: how many were judged.
        top1: share of images whose class is the first.
        top5: among the first five; ``None`` for a network of five classes or fewer.
        classes: of the network.
    """

    images: int
    top1: Share
    top5: Share | None
    classes: int


def ranks(outputs: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes come before the right one.

    Among equal outputs the lower index comes first, as it does in the apps and libraries that
    take an ``argmax``; quantized probabilities are often equal.

    Args:
        outputs: [images, classes], raw or real values.
        labels: the right class of each image.

    Returns:
        int64 [images]; 0 is a hit.
    """
    if outputs.ndim != 2 or labels.shape != outputs.shape[:1]:
        raise InputError(f"{labels.size} labels for outputs of shape {list(outputs.shape)}")
    if labels.size and not 0 <= labels.min() <= labels.max() < outputs.shape[1]:
        raise InputError(f"labels outside 0..{outputs.shape[1] - 1}", "labels count from 0")
    right = np.take_along_axis(outputs, labels[:, None], axis=1)
    lower = np.arange(outputs.shape[1])[None, :] < labels[:, None]
    before = (outputs > right) | ((outputs == right) & lower)
    counts: NDArray[np.int64] = before.sum(axis=1, dtype=np.int64)
    return counts


def accuracy(found: NDArray[np.int64], classes: int) -> Accuracy:
    """The accuracy that ``ranks`` amount to. Raises ``InputError`` if there are none."""
    top5 = wilson(int((found < 5).sum()), len(found)) if classes > 5 else None
    return Accuracy(len(found), wilson(int((found == 0).sum()), len(found)), top5, classes)


def wilson(hits: int, images: int) -> Share:
    """A share and Wilson's 95% score interval (Wilson 1927), honest at 0, at 1 and when small."""
    if images < 1:
        raise InputError("no images to judge")
    value, square = hits / images, Z95 * Z95
    centre = (value + square / (2 * images)) / (1 + square / images)
    spread = math.sqrt(value * (1 - value) / images + square / (4 * images * images))
    half = Z95 * spread / (1 + square / images)
    # At the ends rounding would leave the share itself a hair outside its interval.
    return Share(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))
