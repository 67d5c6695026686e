"""Estimators: from what pictures did to a tensor, the range that its int8 grid should span.

They work on what one pass over the pictures noted (``observation.Observed``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from edgeeff.quantization.calibration.observation import (
    BINS,
    KEPT_BITS,
    Observed,
    bin_values,
    coarse_values,
)
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Ranges

Range = tuple[float, float]
Estimator = Callable[[Observed, Ranges], Range]

LEVELS = 255
CANDIDATES = np.linspace(0.2, 1.0, 41)
"""Shares of the full range that ``mse`` and ``entropy`` try."""

EVEN_BINS = 2048
"""Of the histogram that ``entropy`` compares: eight for each level of the full range."""

SHARES = np.geomspace(0.05, 1.0, 32)
"""Shares of the lower and of the upper end that ``geometric`` tries."""


def minmax(observed: Observed, rule: Ranges) -> Range:
    """The smallest and the largest value seen."""
    return float(observed.minimum.min()), float(observed.maximum.max())


def percentile(observed: Observed, rule: Ranges) -> Range:
    """The values between which ``rule.percentile`` percent of all lie, half cut on each side."""
    values, counts = _sorted_bins(observed)
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - rule.percentile / 100) / 2
    low = values[min(int(np.searchsorted(share, tail, side="right")), len(values) - 1)]
    high = values[min(int(np.searchsorted(share, 1 - tail)), len(values) - 1)]
    bottom, top = minmax(observed, rule)
    return max(float(low), bottom), min(float(high), top)


def mse(observed: Observed, rule: Ranges) -> Range:
    """The share of the full range whose int8 grid has the least squared error.

    Clipping costs on the few values outside, rounding on all inside (Banner et al. 2019,
    "Post training 4-bit quantization", section 3, by search instead of a model density).
    """
    values, counts = _sorted_bins(observed)
    low, high = minmax(observed, rule)

    def error(share: float) -> float:
        grid = Grid.of_range(low * share, high * share)
        return float(counts @ (values - grid.dequantize(grid.quantize(values))) ** 2)

    best = min(CANDIDATES, key=lambda share: error(float(share)))
    return low * float(best), high * float(best)


def geometric(observed: Observed, rule: Ranges) -> Range:
    """The range whose squared error has the least geometric mean over the pictures.

    Networks without a bound on their activations answer a few pictures with values far beyond
    all others. Their error owns any sum over pictures, and a range that holds them gives every
    picture coarse steps; in a mean of logarithms each picture has one voice.
    """
    low, high = (min(observed.minimum.min(), 0.0), max(observed.maximum.max(), 0.0))
    counts = np.stack(observed.pictures, axis=1).astype(np.float64)
    values = coarse_values()
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    below, few = _cut_off(values, counts, low * SHARES)
    above, many = _cut_off(-values[::-1], counts[::-1], -high * SHARES)
    inside = counts.sum(axis=0) - few[:, None] - many[None]
    steps = np.maximum(high * SHARES[None] - low * SHARES[:, None], 1e-12) / LEVELS
    rounded = inside * (steps**2 / 12)[..., None]
    error = np.log(below[:, None] + above[None] + rounded + 1e-30).mean(axis=-1)
    best_low, best_high = np.unravel_index(np.argmin(error), error.shape)
    return low * float(SHARES[best_low]), high * float(SHARES[best_high])


def _cut_off(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Squared error of raising what is below each end to it, and how much that is.

    Args:
        values: in order, [bins].
        counts: [bins, pictures].
        ends: [ends].

    Returns:
        Both [ends, pictures].
    """
    place = np.searchsorted(values, ends)
    none = np.zeros((1, counts.shape[1]))
    number, total, square = (
        np.concatenate([none, np.cumsum(counts * power[:, None], axis=0)])[place]
        for power in (np.ones_like(values), values, values**2)
    )
    error = square - 2 * ends[:, None] * total + ends[:, None] ** 2 * number
    return np.maximum(error, 0), number


def entropy(observed: Observed, rule: Ranges) -> Range:
    """The share of the full range that keeps most of the values' distribution.

    Migacz, "8-bit inference with TensorRT" (2017): the least Kullback-Leibler divergence from the
    histogram, what lies outside counted to its ends, to its int8 version, in which all filled bins
    of a level have the same share.
    """
    low, high = minmax(observed, rule)
    counts = even_histogram(observed)
    if not counts.any():
        return low, high
    width = (high - low) / EVEN_BINS
    middles = (low + width * (np.arange(EVEN_BINS) + 0.5)).astype(np.float32)

    def divergence(share: float) -> float:
        grid = Grid.of_range(low * share, high * share)
        inside = np.flatnonzero((middles >= grid.minimum) & (middles <= grid.maximum))
        if not len(inside):
            return float("inf")
        first, last = inside[0], inside[-1]
        kept = counts[first : last + 1]
        original = kept.copy()
        original[0] += counts[:first].sum()
        original[-1] += counts[last + 1 :].sum()
        raw = grid.quantize(middles[first : last + 1]).astype(np.int64) + 128
        levels = np.bincount(raw, weights=kept, minlength=LEVELS + 1)
        members = np.bincount(raw, weights=kept > 0, minlength=LEVELS + 1)
        spread = np.divide(levels, members, out=np.zeros_like(levels), where=members > 0)[raw]
        p, q = original / original.sum(), np.where(kept > 0, spread, 0) / max(kept.sum(), 1e-12)
        filled = p > 0
        # A bin that holds nothing but what was cut off has no share of the int8 version.
        return float(np.sum(p[filled] * np.log(p[filled] / np.maximum(q[filled], 1e-12))))

    best = min(CANDIDATES, key=lambda share: divergence(float(share)))
    return low * float(best), high * float(best)


ESTIMATORS: Mapping[str, Estimator] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
    "geometric": geometric,
}
"""By the name that a recipe gives."""


def _sorted_bins(
    observed: Observed,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    values = bin_values()
    filled = np.flatnonzero(observed.histogram)
    order = filled[np.argsort(values[filled], kind="stable")]
    # The middle of the outermost bins can lie beyond what was seen.
    inside = np.clip(values[order], observed.minimum.min(), observed.maximum.max())
    return inside, observed.histogram[order]


def even_histogram(observed: Observed) -> npt.NDArray[np.float64]:
    """The values in ``EVEN_BINS`` bins of one width from the smallest to the largest.

    The bins of ``Observed`` are ever narrower towards zero; each is spread over its width. Zeros
    are left out: every grid has them exactly, and behind a ReLU they are half of all.
    """
    zeros = (0, BINS // 2)
    filled = np.setdiff1d(np.flatnonzero(observed.histogram), zeros).astype(np.uint32)
    ends = [((filled + more) << np.uint32(32 - KEPT_BITS)).view(np.float32) for more in (0, 1)]
    low, high = float(observed.minimum.min()), float(observed.maximum.max())
    start, end = (np.clip(bound, low, high).astype(np.float64) for bound in np.sort(ends, axis=0))
    if not len(filled):
        return np.zeros(EVEN_BINS)
    order = np.lexsort((end, start))
    counts = observed.histogram[filled][order]
    upto = np.cumsum(counts)
    places = np.stack([start[order], end[order]], axis=1).reshape(-1)
    known = np.stack([upto - counts, upto], axis=1).reshape(-1)
    below = np.interp(np.linspace(low, high, EVEN_BINS + 1), places, known)
    below[0], below[-1] = 0, counts.sum()
    return np.diff(below)
