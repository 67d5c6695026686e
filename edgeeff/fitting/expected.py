"""The accuracy that is expected of a network: published points, and what lies between them.

Nothing here was measured by edgeeff. On the line of compound scaling, top-1 is interpolated between
the published variants of a family by the logarithm of their multiply-accumulates, which is what the
compound coefficient counts (arXiv 1905.11946). Below the smallest variant, and beside the line in
resolution, published losses of related networks are taken over.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeeff.architectures.variants import VARIANTS, Variant, counts

PREDICTED = "predicted"
"""The provenance of every expected accuracy."""

PUBLISHED, INTERPOLATED, EXTRAPOLATED = "published", "interpolated", "extrapolated"

BELOW = ((-4.01, -17.2), (-2.90, -10.1), (-1.96, -5.9), (-0.94, -2.1), (0.0, 0.0))
"""Points lost below B0 by octaves of compute: the TinyNets B to E, which are B0 with less of
everything (arXiv 2010.14819, table 6: 202, 100, 52 and 24 million, 75.0, 71.2, 67.0 and 59.9%)."""

RESOLUTION = ((-0.81, -6.2), (-0.49, -3.4), (-0.22, -1.5), (0.0, 0.0), (1.0, 1.8))
"""Points won by octaves of resolution alone: MobileNet from 224 down to 128 pixels (arXiv
1704.04861, table 7), and B0 at twice its resolution (arXiv 1905.11946, table 7)."""

LOSS: Mapping[tuple[str, str], str] = {
    ("lite", "float32"): "none",
    ("lite", "float16"): "none",
    ("lite", "int8"): "published",
    ("lite", "dynamic"): "published",
    ("lite", "int16x8"): "published",
    ("edgetpu", "float32"): "none",
    ("edgetpu", "float16"): "none",
    ("edgetpu", "int8"): "published",
    ("edgetpu", "dynamic"): "published",
    ("edgetpu", "int16x8"): "published",
    ("b", "float32"): "none",
    ("b", "float16"): "none",
}
"""What is known of the accuracy that a precision costs: ``published`` is that of the authors' int8,
which is taken for the milder precisions too. Of a pair that is not here nothing is known: the
authors published no quantized B, and the int8 of a B0 was measured here at its features alone."""


@dataclass(frozen=True)
class Expected:
    """A top-1 accuracy on ImageNet that a network would have if it were trained as its family was.

    Attributes:
        top1: in percent.
        basis: ``published`` for this very network, ``interpolated`` between two of its family, or
            ``extrapolated``.
        at_most: it is that of the float network, and what the precision costs is not known.
    """

    top1: float
    basis: str
    at_most: bool = False

    @property
    def rank(self) -> tuple[bool, float]:
        """Orders networks: a known accuracy comes before one that is only bounded."""
        return not self.at_most, self.top1

    def __str__(self) -> str:
        return f"{'<= ' if self.at_most else ''}{self.top1:.1f}"

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, and that it is predicted."""
        return {**vars(self), "provenance": PREDICTED}


def expected(variant: Variant, resolution: int, precision: str) -> Expected:
    """The accuracy that is expected of a network in a precision.

    Args:
        variant: published, or scaled from one.
        resolution: side of its pictures in pixels.
        precision: as of ``convert``.
    """
    points = _published(variant.family)
    work = math.log2(counts(variant).macs)
    beside = math.log2(resolution / variant.resolution)
    known = LOSS.get((variant.family, precision))
    top1 = _on(work, [(macs, float(one.top1 or 0)) for macs, one in points])
    top1 += _on(work - points[0][0], BELOW) if work < points[0][0] else 0.0
    if beside:
        top1 += _on(beside, RESOLUTION)
    if known == "published":
        top1 -= _on(
            work, [(macs, float(one.top1 or 0) - float(one.top1_int8 or 0)) for macs, one in points]
        )
    return Expected(round(top1, 2), _basis(variant, work, beside, precision), known is None)


def _basis(variant: Variant, work: float, beside: float, precision: str) -> str:
    points = _published(variant.family)
    if beside or not points[0][0] <= work <= points[-1][0]:
        return EXTRAPOLATED
    exact = variant.name in VARIANTS and precision in ("float32", "int8")
    return PUBLISHED if exact else INTERPOLATED


@functools.cache
def _published(family: str) -> list[tuple[float, Variant]]:
    """The variants of a family by the logarithm of their work, the smallest first."""
    found = [
        (math.log2(counts(one).macs), one) for one in VARIANTS.values() if one.family == family
    ]
    return sorted(found, key=lambda point: point[0])


def _on(place: float, points: Sequence[tuple[float, float]]) -> float:
    """The value at a place on the line through points; beyond the ends, that of the last one."""
    places, values = zip(*points, strict=True)
    return float(np.interp(place, places, values))
