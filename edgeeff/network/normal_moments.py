"""Mean and spread of what follows a normal distribution: clipped, bent, or added up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import erf

from edgeeff.arrays import Vector

QUADRATURE_POINTS = 64
"""Gauss-Hermite; 128 change swish's moments by less than 1e-6 of the deviation."""


@dataclass(frozen=True)
class Moments:
    """The activations of one layer, channel by channel.

    Attributes:
        mean: [channels].
        deviation: standard deviation, [channels]; ``None`` where not known.
        normal: the values may be taken as normally distributed, as BatchNorm's output is.
    """

    mean: Vector
    deviation: Vector | None = None
    normal: bool = False


def activated(before: Moments | None, activation: str) -> Moments | None:
    """What an activation makes of a normal distribution; ``None`` where that is not known.

    Args:
        before: of its input.
        activation: a key of ``CLIPS`` or ``CURVES``.
    """
    if before is None or before.deviation is None or not before.normal:
        return None
    if activation in CLIPS:
        return Moments(*clipped_normal(before.mean, before.deviation, *CLIPS[activation]))
    if activation in CURVES:
        return _numeric(before.mean, before.deviation, CURVES[activation])
    return None


def added(terms: Sequence[Moments | None]) -> Moments | None:
    """The sum of tensors, as if they varied each by itself; ``None`` unless all are known."""
    known = [term for term in terms if term is not None]
    if len(known) < len(terms):
        return None
    deviations = [term.deviation for term in known if term.deviation is not None]
    mean = np.sum([term.mean for term in known], axis=0)
    if len(deviations) < len(known):
        return Moments(mean)
    return Moments(mean, np.sqrt(np.sum(np.square(deviations), axis=0)))


def clipped_normal(
    mean: Vector, deviation: Vector, lower: float, upper: float
) -> tuple[Vector, Vector]:
    """Mean and standard deviation of a normal variable clipped to [lower, upper].

    Args:
        mean: of the variable before.
        deviation: of the variable before; 0 stands for a constant.
        lower: smallest value after.
        upper: largest value after; may be infinite.
    """
    spread = np.maximum(deviation, 1e-12)
    low, high = (lower - mean) / spread, (upper - mean) / spread
    inside = _cumulative(high) - _cumulative(low)
    # First and second moment of the part inside, about the mean and in deviations.
    first = _density(low) - _density(high)
    second = inside + low * _density(low) - _times_density(high)
    below, above = _cumulative(low), _cumulative(-high)
    top = 0.0 if math.isinf(upper) else upper
    clipped = lower * below + top * above + mean * inside + spread * first
    square = lower**2 * below + top**2 * above
    square += mean**2 * inside + 2 * mean * spread * first + spread**2 * second
    return clipped, np.sqrt(np.maximum(square - clipped**2, 0.0))


def _numeric(mean: Vector, deviation: Vector, curve: Callable[[Vector], Vector]) -> Moments:
    """Moments of a curve of a normal variable, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_POINTS)
    weights = weights / weights.sum()
    values = curve(mean[:, None] + deviation[:, None] * nodes)
    after = values @ weights
    return Moments(after, np.sqrt(np.square(values - after[:, None]) @ weights))


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _swish(x: Vector) -> Vector:
    return x * _sigmoid(x)


def _hard_swish(x: Vector) -> Vector:
    return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


CLIPS: Mapping[str, tuple[float, float]] = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}
CURVES: Mapping[str, Callable[[Vector], Vector]] = {
    "swish": _swish,
    "hard_swish": _hard_swish,
    "sigmoid": _sigmoid,
}


def _cumulative(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + erf(x / math.sqrt(2))))


def _density(x: Vector) -> Vector:
    return np.asarray(np.exp(-0.5 * np.minimum(np.square(x), 1400.0)) / math.sqrt(2 * math.pi))


def _times_density(x: Vector) -> Vector:
    finite = np.where(np.isinf(x), 0.0, x)
    product: Vector = finite * np.where(np.isinf(x), 0.0, _density(x))
    return product
