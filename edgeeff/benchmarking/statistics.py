"""What samples say: percentiles, an interval, and what a reader must know about their shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeeff.benchmarking.intervals import Interval, Values, repeats_interval

DRIFT = 0.05
"""First third against last third of a run, as a share of the median."""

NOISY = 0.05
"""Half the interval as a share of the median, above which the machine is too noisy."""

OUTLIER_SPREADS = 5.0
"""Slower than the median by so many standard deviations (estimated from the MAD)."""

OUTLIER_SHARE = 0.02
MODE_SHARE = 0.1
VALLEY = 0.6


@dataclass(frozen=True)
class Latency:
    """The figures of one measurement, in milliseconds. Headline: median and p90.

    ``ci95`` is where the median of another run on this machine is expected (see
    ``intervals``); ``mad`` is the median absolute deviation.
    """

    median: float
    p90: float
    p5: float
    p95: float
    p99: float
    min: float
    max: float
    mad: float
    ci95: Interval

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        names = ("median", "p90", "p5", "p95", "p99", "min", "max", "mad")
        return {**{name: getattr(self, name) for name in names}, "ci95": list(self.ci95)}


@dataclass(frozen=True)
class Shape:
    """What is special about the samples; nothing is deleted because of it.

    Attributes:
        drift: last third's median over first third's, minus one; the largest of the runs.
        modes: how many peaks the distribution has.
        outliers: how many samples are far slower than the rest.
        spread: half of ``ci95`` as a share of the median.
    """

    drift: float
    modes: int
    outliers: int
    spread: float

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "drift": self.drift,
            "modes": self.modes,
            "outliers": self.outliers,
            "spread": self.spread,
        }


def summarise(runs_ns: Sequence[Sequence[int]], seed: int = 0) -> Latency:
    """The figures of samples in nanoseconds, one sequence per process, all of them counted."""
    runs = [_milliseconds(run) for run in runs_ns]
    values = np.concatenate(runs)
    median = float(np.median(values))
    p5, p90, p95, p99 = (float(value) for value in np.percentile(values, [5, 90, 95, 99]))
    return Latency(
        median=median,
        p90=p90,
        p5=p5,
        p95=p95,
        p99=p99,
        min=float(values.min()),
        max=float(values.max()),
        mad=float(np.median(np.abs(values - median))),
        ci95=repeats_interval(runs, seed),
    )


def shape(runs_ns: Sequence[Sequence[int]], latency: Latency) -> Shape:
    """What is special about samples whose figures are ``latency``."""
    runs = [_milliseconds(run) for run in runs_ns]
    values = np.concatenate(runs)
    limit = latency.median + OUTLIER_SPREADS * 1.4826 * max(latency.mad, latency.median * 1e-3)
    low, high = latency.ci95
    return Shape(
        drift=max((drift(run) for run in runs), key=abs),
        modes=modes(values),
        outliers=int((values > limit).sum()),
        spread=(high - low) / 2 / latency.median,
    )


def warnings_of(found: Shape, runs: int) -> list[str]:
    """The shape in words, only what a reader must know."""
    words = []
    if abs(found.drift) > DRIFT:
        kind = "slower" if found.drift > 0 else "faster"
        words.append(
            f"drift: the last third of a run is {abs(found.drift):.0%} {kind} than the first"
        )
    if found.modes > 1:
        words.append(f"the samples have {found.modes} peaks: two speeds were mixed")
    if found.outliers > OUTLIER_SHARE * runs:
        words.append(f"{found.outliers} of {runs} samples are far slower than the rest")
    if found.spread > NOISY:
        words.append(
            f"machine too noisy: another run's median may be {found.spread:.0%} off; "
            "close other programs and repeat"
        )
    return words


def drift(values: Values) -> float:
    """Median of the last third over that of the first, minus one; 0 for fewer than 9 values."""
    third = len(values) // 3
    if third < 3:
        return 0.0
    return float(np.median(values[-third:]) / np.median(values[:third])) - 1


def modes(values: Values) -> int:
    """How many peaks a distribution has, each with a tenth of the samples and a valley between.

    Peaks of a Gaussian kernel density over the 1st to 99th percentile; two of them count as
    two if the density between falls below 60% of the lower one. Fewer than 30 values: 1.
    """
    if len(values) < 30:
        return 1
    low, high = np.percentile(values, [1, 99])
    inside = values[(values >= low) & (values <= high)]
    quartiles = np.percentile(inside, [25, 75])
    deviation = min(float(inside.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    width = 0.9 * (deviation or float(inside.std())) * len(inside) ** -0.2
    if width <= 0:
        return 1
    grid = np.linspace(low, high, 256)
    density = _density(inside, grid, width)
    return len(_peaks(density, grid, inside))


def _density(values: Values, grid: Values, width: float) -> Values:
    """A kernel density through a histogram, so that 50,000 values cost no more than 100."""
    step = grid[1] - grid[0]
    edges = np.concatenate([grid - step / 2, [grid[-1] + step / 2]])
    counts = np.histogram(values, edges)[0].astype(np.float64)
    reach = np.arange(-len(grid) + 1, len(grid)) * step
    kernel = np.exp(-0.5 * (reach / max(width, step)) ** 2)
    return np.convolve(counts, kernel, mode="valid")


def _peaks(density: Values, grid: Values, values: Values) -> list[int]:
    rising = np.concatenate([[True], density[1:] > density[:-1]])
    falling = np.concatenate([density[:-1] >= density[1:], [True]])
    kept: list[int] = []
    for peak in np.flatnonzero(rising & falling):
        if not kept:
            kept.append(int(peak))
            continue
        between = density[kept[-1] : peak + 1]
        valley = int(kept[-1] + between.argmin())
        if density[valley] < VALLEY * min(density[kept[-1]], density[peak]):
            share = float((values <= grid[valley]).mean())
            if MODE_SHARE <= share <= 1 - MODE_SHARE:
                kept.append(int(peak))
        elif density[peak] > density[kept[-1]]:
            kept[-1] = int(peak)
    return kept


def _milliseconds(samples_ns: Sequence[int]) -> Values:
    return np.asarray(samples_ns, np.float64) / 1e6
