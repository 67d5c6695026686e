"""Which of two figures is faster, as a ratio with an interval, or an honest 'no difference'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeeff.accelerators.plan import HARDWARE
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.document import Benchmark
from edgeeff.benchmarking.environment import differences
from edgeeff.benchmarking.intervals import Interval, ratio_interval, ratio_of_intervals
from edgeeff.benchmarking.measurement import Figure, Measurement
from edgeeff.errors import InputError, UsageError


def compare_interleaved(first: Measurement, second: Measurement) -> Comparison:
    """Compare two measurements of one session block by block."""
    unranked = _unranked(first.facts.provenance, second.facts.provenance)
    how = "interleaved"
    ratio: float | None = None
    interval: Interval | None = None
    pairs = min(len(first.blocks), len(second.blocks))
    if not unranked and pairs >= 2:
        one, two = (
            [np.asarray(block, np.float64) for block in which.blocks[:pairs]]
            for which in (first, second)
        )
        ratio, interval = ratio_interval(one, two)
    elif not unranked:
        how = "apart"
        ratio, interval = ratio_of_intervals(
            first.latency.median, first.latency.ci95, second.latency.median, second.latency.ci95
        )
    return Comparison(
        first.model,
        second.model,
        second.target,
        second.device,
        ratio,
        interval,
        unranked or verdict(interval),
        how,
    )


def compare_session(measurements: Sequence[Measurement]) -> list[Comparison]:
    """Every measurement of one session against the first of its target and device."""
    baselines: dict[tuple[str, str], Measurement] = {}
    found = []
    for measurement in measurements:
        place = (measurement.device, measurement.target)
        if place in baselines:
            found.append(compare_interleaved(baselines[place], measurement))
        else:
            baselines[place] = measurement
    return found


def compare_documents(
    first: Benchmark, second: Benchmark, *, anyway: bool = False
) -> list[Comparison]:
    """Compare the figures of two documents, pair by pair.

    With one figure each, those two; otherwise figures of the same model name and target, and
    where both documents have it, of the same device.

    Raises:
        InputError: no pair.
        UsageError: the environments differ and ``anyway`` is false.
    """
    found = []
    for one, two in _pairs(first, second):
        unlike = _unlike(first, one, second, two)
        if unlike and not anyway:
            raise UsageError(
                f"{one.model} and {two.model} were measured in different environments: "
                + "; ".join(unlike),
                "measure both again on one machine (edgeeff benchmark A.tflite B.tflite "
                "does it in turn), or --anyway",
            )
        found.append(_apart(one, two, unlike))
    return found


def verdict(interval: Interval | None) -> str:
    """A ratio's interval in words: below 1 the second is faster."""
    if interval is None:
        return "not measured"
    low, high = interval
    if high < 1:
        return "faster"
    return "slower" if low > 1 else "no difference"


def _apart(one: Figure, two: Figure, unlike: Sequence[str]) -> Comparison:
    unranked = _unranked(one.provenance, two.provenance)
    ratio: float | None = None
    interval: Interval | None = None
    if not unranked:
        ratio, interval = ratio_of_intervals(one.median, one.ci95, two.median, two.ci95)
    words = tuple(f"different environments: {difference}" for difference in unlike)
    return Comparison(
        one.model,
        two.model,
        two.target,
        two.device,
        ratio,
        interval,
        unranked or verdict(interval),
        "apart",
        words,
    )


def _unranked(*provenances: str) -> str:
    """Why figures of these provenances are not ranked; ``""`` if they are."""
    other = sorted({provenance for provenance in provenances if provenance != HARDWARE})
    if not other:
        return ""
    return f"not ranked: {' and '.join(other)} figures are no hardware figures"


def _pairs(first: Benchmark, second: Benchmark) -> list[tuple[Figure, Figure]]:
    if len(first.figures) == 1 and len(second.figures) == 1:
        return [(first.figures[0], second.figures[0])]
    pairs = []
    for one in first.figures:
        alike = [
            two for two in second.figures if (two.model, two.target) == (one.model, one.target)
        ]
        same = [two for two in alike if two.device == one.device]
        pairs += [(one, two) for two in same or alike]
    if not pairs:
        raise InputError(
            "the two documents have no model and target in common",
            "documents of one model each are compared whatever its name",
        )
    return pairs


def _unlike(first: Benchmark, one: Figure, second: Benchmark, two: Figure) -> list[str]:
    found = differences(first.machine(one.device), second.machine(two.device))
    for name in ("device", "target", "runtime", "threads", "options"):
        ours, theirs = getattr(one, name), getattr(two, name)
        if ours != theirs:
            found.append(f"{name}: {ours} against {theirs}")
    return found
