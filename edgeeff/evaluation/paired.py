"""How much accuracy a model lost against another on the same pictures.

Only the pictures count on which one of the two is right and the other is not: most of what makes
either accuracy uncertain is common to both and cancels. A few hundred pictures tell two
quantizations apart that thousands could not, were each judged on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError
from edgeeff.evaluation.accuracy import Z95

MOST_PICTURES = 1 << 31
"""More are never asked for."""


@dataclass(frozen=True)
class Drop:
    """What became of the pictures that the reference gets right.

    Attributes:
        images: how many pictures both were judged on.
        lost: the reference is right and the model is not.
        gained: the other way round.
    """

    images: int
    lost: int
    gained: int

    @property
    def value(self) -> float:
        """Accuracy of the reference less that of the model, -1..1."""
        return (self.lost - self.gained) / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval (``score_upper``)."""
        return (
            -score_upper(self.gained, self.lost, self.images),
            score_upper(self.lost, self.gained, self.images),
        )

    def images_to_prove(self, limit: float) -> int | None:
        """How many pictures, of which as many are lost and gained, prove a drop below ``limit``.

        ``None`` if no number that can be had would: the drop is hardly below it, or not at all.
        """
        if self.value >= limit:
            return None

        def proven(images: int) -> bool:
            share = images / self.images
            return score_upper(self.lost * share, self.gained * share, images) <= limit

        few, enough = 0, self.images
        while not proven(enough):
            few, enough = enough, 2 * enough
            if enough > MOST_PICTURES:
                return None
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if proven(middle) else (middle, enough)
        return enough

    def to_json(self) -> dict[str, Any]:
        """``{value, ci95: [low, high], lost, gained}``, shares as in ``Share.to_json``."""
        return {
            "value": self.value,
            "ci95": list(self.interval),
            "lost": self.lost,
            "gained": self.gained,
        }


def drop(reference: NDArray[np.int64], found: NDArray[np.int64]) -> Drop:
    """The drop in top-1 that ``accuracy.ranks`` of the same pictures amount to.

    Raises:
        InputError: none, or not of the same pictures.
    """
    if len(reference) != len(found) or not len(found):
        raise InputError(f"{len(reference)} pictures against {len(found)}", "judge both on all")
    before, after = reference == 0, found == 0
    return Drop(len(found), int((before & ~after).sum()), int((after & ~before).sum()))


def score_upper(lost: float, gained: float, images: float) -> float:
    """The upper end of the 95% interval of ``(lost - gained) / images``.

    Tango 1998, "Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design": the differences that a score test of the pairs does not reject.
    Without any pair that differs it is Wilson's: z² / (images + z²).
    """
    low, high = (lost - gained) / images, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if _rejected(lost, gained, images, middle):
            high = middle
        else:
            low = middle
    return high


def _rejected(lost: float, gained: float, images: float, difference: float) -> bool:
    """Whether the pairs rule out a difference above the one seen."""
    linear = -lost - gained + (2 * images - lost + gained) * difference
    constant = -gained * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear**2 - 8 * images * constant))
    gaining = (root - linear) / (4 * images)
    variance = images * (2 * gaining + difference * (1 - difference))
    distance = images * difference - (lost - gained)
    return distance**2 > Z95**2 * max(variance, 0.0)


def fewest_images(limit: float) -> int:
    """How many pictures prove a drop below ``limit`` for a model that is right where float is."""
    if not 0 < limit < 1:
        raise ValueError(f"a share between 0 and 1, not {limit}")
    return math.ceil(Z95**2 * (1 - limit) / limit)
