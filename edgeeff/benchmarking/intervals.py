"""Intervals of medians from samples that are not independent of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 1000
MOST_VALUES = 20_000
"""Longer series are thinned evenly before resampling: neighbours say nearly the same."""

# Quantile 0.975 of Student's t by degrees of freedom; beyond the table the normal one.
STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179),
    *(2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064),
    *(2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL = 1.960


def student(degrees: int) -> float:
    """Quantile 0.975 of Student's t distribution."""
    return STUDENT[degrees - 1] if 1 <= degrees <= len(STUDENT) else NORMAL


def block_length(values: Values) -> int:
    """How many neighbours hang together: where the autocorrelation is lost in the noise.

    Measured on "above the median or not", which outliers do not move. At least the cube root
    of the length, the usual choice for nearly independent data; at most a fifth of it.
    """
    count = len(values)
    least: int = max(1, round(count ** (1 / 3)))
    most = max(1, count // 5)
    above = (values > np.median(values)).astype(np.float64)
    above -= above.mean()
    power = float(above @ above)
    if power == 0:
        return min(least, most)
    size = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(above, size)
    correlation = np.fft.irfft(spectrum * spectrum.conj(), size)[: most + 1] / power
    lost = np.flatnonzero(correlation < 2 / math.sqrt(count))
    dependent = int(lost[0]) if len(lost) else most
    return min(max(least, dependent), most)


def median_interval(values: Values, seed: int = 0) -> Interval:
    """The 95% interval in which the median of another such run is expected.

    A circular block bootstrap (Politis and Romano 1992) of the median, which keeps
    neighbours together, stretched by the square root of two around the median: the interval
    is for a second run's median, which is off by as much as the first one's. Distances are
    ratios throughout: times are positive, and what slows a machine multiplies.

    Args:
        values: the samples in order, positive.
        seed: of the resampling; the same samples and seed give the same interval.
    """
    middle = float(np.median(values))
    if len(values) < 2:
        return middle, middle
    thinned = values[:: math.ceil(len(values) / MOST_VALUES)]
    medians = _resampled_medians(thinned, block_length(thinned), np.random.default_rng(seed))
    low, high = (float(value) for value in np.quantile(medians, [0.025, 0.975]))
    stretch = math.sqrt(2)
    return (
        middle * min(1.0, (low / middle) ** stretch),
        middle * max(1.0, (high / middle) ** stretch),
    )


def repeats_interval(runs: Sequence[Values], seed: int = 0) -> Interval:
    """The same interval from several processes, which differ by more than their samples tell.

    It covers the bootstrap interval of all samples, and where the median of one more process
    is expected from the spread of these processes' medians (Student's t prediction interval).
    """
    everything = np.concatenate(list(runs))
    low, high = median_interval(everything, seed)
    if len(runs) < 2:
        return low, high
    logs = np.log([np.median(run) for run in runs])
    middle = float(np.median(everything))
    half = student(len(runs) - 1) * float(logs.std(ddof=1)) * math.sqrt(1 + 1 / len(runs))
    return min(low, middle * math.exp(-half)), max(high, middle * math.exp(half))


def ratio_interval(first: Sequence[Values], second: Sequence[Values]) -> tuple[float, Interval]:
    """How many times longer the second takes, from blocks that were measured in turn.

    Every pair of neighbouring blocks gives one ratio of medians, free of what slowed both.
    The ratios' geometric mean has a Student's t interval.

    Args:
        first: blocks of samples, at least two.
        second: as many blocks; the n-th was measured next to the first's n-th.
    """
    logs = np.array(
        [math.log(np.median(b) / np.median(a)) for a, b in zip(first, second, strict=True)]
    )
    middle = float(logs.mean())
    half = student(len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return math.exp(middle), (math.exp(middle - half), math.exp(middle + half))


def ratio_of_intervals(
    first: float, first_interval: Interval, second: float, second_interval: Interval
) -> tuple[float, Interval]:
    """How many times longer the second takes, from two figures measured apart.

    The relative half-widths add in squares, on each side.
    """
    ratio = second / first
    down = math.hypot(math.log(second / second_interval[0]), math.log(first_interval[1] / first))
    up = math.hypot(math.log(second_interval[1] / second), math.log(first / first_interval[0]))
    return ratio, (ratio * math.exp(-down), ratio * math.exp(up))


def _resampled_medians(values: Values, block: int, generator: np.random.Generator) -> Values:
    count = len(values)
    blocks = math.ceil(count / block)
    offsets = np.arange(block)
    medians = np.empty(RESAMPLES)
    # A chunk of resamples at a time: 1000 x 20,000 numbers would take 160 MB.
    chunk = max(1, 2_000_000 // (blocks * block))
    for start in range(0, RESAMPLES, chunk):
        rows = min(chunk, RESAMPLES - start)
        starts = generator.integers(0, count, (rows, blocks, 1))
        picked = ((starts + offsets) % count).reshape(rows, -1)[:, :count]
        medians[start : start + rows] = np.median(values[picked], axis=1)
    return medians
