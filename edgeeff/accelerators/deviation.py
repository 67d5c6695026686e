"""How far an accelerator's outputs are from the CPU's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Deviation:
    """Two models' outputs for one input, compared; the largest over all outputs counts.

    Attributes:
        relative_rmse: root mean square difference over the reference's standard deviation.
        relative_max: largest difference over the reference's range (largest minus smallest).
        same_top: whether the largest value is at the same place in every output.
    """

    relative_rmse: float
    relative_max: float
    same_top: bool

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)


def deviation(wanted: Sequence[Values], found: Sequence[Values]) -> Deviation:
    """Compare outputs of the same shapes; values that are not finite deviate infinitely.

    An output that is the same everywhere has no spread: its largest magnitude stands in for it.
    """
    pairs = [
        (w.astype(np.float64).ravel(), f.astype(np.float64).ravel())
        for w, f in zip(wanted, found, strict=True)
    ]
    return Deviation(
        max(_over(float(np.sqrt(np.mean((f - w) ** 2))), float(w.std()), w) for w, f in pairs),
        max(_over(float(np.abs(f - w).max()), float(np.ptp(w)), w) for w, f in pairs),
        all(int(w.argmax()) == int(f.argmax()) for w, f in pairs),
    )


def _over(difference: float, spread: float, wanted: NDArray[np.float64]) -> float:
    if not np.isfinite(difference):
        return float("inf")
    scale = spread or float(np.abs(wanted).max()) or 1.0
    return difference / scale
