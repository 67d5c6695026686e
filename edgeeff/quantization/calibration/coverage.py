"""Whether the calibration pictures are enough: how ranges grow as pictures are added.

The one pass over the pictures keeps each picture's extremes of each activation, from which the
range after any number of pictures follows, in any order. A range never stops growing: extremes
of n samples do so with the logarithm of n. What counts is whether the growth still matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.quantization.calibration import ranges
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.calibration.pictures import CalibrationSet
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.statistics import TensorStatistics

WIDENED = 0.08
"""If the last half of the pictures widened ranges by more, they are not enough: with less
widening more pictures bought no accuracy, with more some sets lost much (docs/images.md)."""

FEWEST = 8
"""Of fewer pictures the growth cannot be told from chance."""

SENSIBLE = 20
"""So many unlike pictures were always enough."""

ORDERS = 20
"""Random orders that are averaged: in a folder's own order classes come one after the other."""

DECAY = 0.4
"""The widening by the last half falls with about this power of the number of pictures."""


@dataclass(frozen=True)
class Point:
    """How much of the final ranges a number of pictures shows.

    Attributes:
        pictures: how many.
        mean: share of the final range, 0..1, mean over the activations.
        worst: the same of the activation with the least.
    """

    pictures: int
    mean: float
    worst: float


@dataclass(frozen=True)
class Coverage:
    """How the ranges that pictures decide grew with the pictures.

    Attributes:
        pictures: how many there are, not counting copies.
        activations: how many ranges they decide.
        curve: shares of the final ranges after 1, 2, 5, 10, ... pictures.
        widened: by what share the last half of the pictures widened the ranges, mean.
        most: the same of the activation that was widened most.
        most_of: its name.
        odd: names of further pictures that reach so far beyond these that they do not count.
        copies: how many further pictures are the same as one of these.
    """

    pictures: int
    activations: int
    curve: tuple[Point, ...]
    widened: float
    most: float
    most_of: str
    odd: tuple[str, ...] = ()
    copies: int = 0

    @property
    def enough(self) -> bool:
        """Whether more pictures would hardly change the ranges."""
        return self.pictures >= FEWEST and self.widened <= WIDENED

    @property
    def wanted(self) -> int:
        """About how many pictures would be enough."""
        if self.enough:
            return self.pictures
        if self.pictures < FEWEST:
            return SENSIBLE
        more = float(max(self.widened / WIDENED, 1.0) ** (1 / DECAY))
        return max(SENSIBLE, 10 * math.ceil(self.pictures * more / 10))

    @property
    def verdict(self) -> str:
        """One line for people."""
        if self.pictures < FEWEST:
            beside = f", the other {self.copies} are copies" if self.copies else ""
            return f"not enough: only {self.pictures} calibrate{beside}; take about {self.wanted}"
        last = f"the last {self.pictures - self.pictures // 2} of {self.pictures} pictures"
        grown = f"widened ranges by {self.widened:.1%}"
        if self.enough:
            return f"enough: {last} {grown}"
        return f"not enough: {last} still {grown}; calibrate with about {self.wanted}"

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; of the curve a list for each column."""
        return {
            "enough": self.enough,
            "verdict": self.verdict,
            "activations": self.activations,
            "odd": list(self.odd),
            "widened": {"mean": self.widened, "most": self.most, "most_of": self.most_of},
            "curve": {
                "pictures": [point.pictures for point in self.curve],
                "mean": [point.mean for point in self.curve],
                "worst": [point.worst for point in self.curve],
            },
        }


def coverage(
    names: Sequence[str], extremes: npt.NDArray[np.floating[Any]], *, seed: int = 0
) -> Coverage | None:
    """How ranges grew with pictures, averaged over random orders of them.

    Args:
        names: of the activations.
        extremes: smallest and largest value, [activations, pictures, 2].
        seed: of the orders.

    Returns:
        ``None`` if there are no activations that ever differ from zero.
    """
    low, high = np.minimum(extremes[..., 0], 0), np.maximum(extremes[..., 1], 0)
    final = high.max(axis=1, initial=0) - low.min(axis=1, initial=0)
    alive = final > 0
    if not alive.any():
        return None
    low, high, final = low[alive], high[alive], final[alive]
    pictures = low.shape[1]
    counts = _counts(pictures)
    random = np.random.default_rng(seed)
    shares = np.zeros((len(final), len(counts)))
    for _ in range(ORDERS):
        order = random.permutation(pictures)
        top = np.maximum.accumulate(high[:, order], axis=1)
        bottom = np.minimum.accumulate(low[:, order], axis=1)
        width = (top - bottom)[:, np.asarray(counts) - 1]
        shares += width / final[:, None] / ORDERS
    half = shares[:, counts.index(max(1, pictures // 2))]
    widened = 1 / np.maximum(half, 1e-6) - 1
    most = int(widened.argmax())
    kept = [name for name, lives in zip(names, alive, strict=True) if lives]
    return Coverage(
        pictures,
        len(final),
        tuple(
            Point(count, min(1.0, float(column.mean())), min(1.0, float(column.min())))
            for count, column in zip(counts, shares.T, strict=True)
        ),
        float(1 / max(half.mean(), 1e-6) - 1),
        float(widened[most]),
        kept[most],
    )


def of_observation(
    graph: Graph,
    observed: Mapping[int, Observed],
    batchnorm: Mapping[int, TensorStatistics],
    calibration: CalibrationSet,
    *,
    odd: tuple[str, ...] = (),
) -> Coverage | None:
    """The coverage of what one pass over pictures saw; copies would seem to widen nothing.

    Args:
        graph: the network.
        observed: of every activation (``observation.observe``).
        batchnorm: the statistics whose word counts above pictures (``ranges.trusted``).
        calibration: the pictures; a last batch may have been filled up with the first ones.
        odd: names of pictures that were left out of these.

    Returns:
        ``None`` if no range depends on the pictures.
    """
    tensors = list(ranges.from_pictures(graph, batchnorm))
    if not tensors:
        return None
    unlike = calibration.unlike
    extremes = np.array([observed[tensor].extremes for tensor in tensors])[:, list(unlike)]
    found = coverage([graph.name(tensor) for tensor in tensors], extremes)
    copies = len(calibration.pictures) - len(unlike)
    return replace(found, odd=odd, copies=copies) if found else None


def _counts(pictures: int) -> list[int]:
    """1, 2, 5, 10, 20, ... below the number of pictures, its half and itself."""
    steps = {factor * 10**power for power in range(7) for factor in (1, 2, 5)}
    return sorted({n for n in steps if n < pictures} | {max(1, pictures // 2), pictures})
