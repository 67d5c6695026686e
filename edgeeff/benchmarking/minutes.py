"""Long runs: the median of every minute, and what slowed the device down meanwhile."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeeff.accelerators.plan import Heat, Run, Samples
from edgeeff.benchmarking.statistics import DRIFT
from edgeeff.devices.thermal import status_name

MINUTE = 60
"""Seconds."""

IDLE = 0.2
"""Share of a sustained run without inferences above which it warms less than an app would."""


def joined(blocks: Sequence[tuple[float, Samples]]) -> Samples:
    """Blocks that were sampled one after the other as one, with pauses, by one clock.

    Args:
        blocks: when each began, in seconds of any clock that only grows, and what it gave.
    """
    counts: list[int] = []
    heat = []
    for begin, block in blocks:
        since = begin - blocks[0][0]
        offset = int(since)
        counts += [0] * (offset + len(block.per_second) - len(counts))
        for second, count in enumerate(block.per_second, offset):
            counts[second] += count
        heat += [dataclasses.replace(look, second=since + look.second) for look in block.heat]
    parts = [block for _, block in blocks]
    reasons = [part.stopped_by for part in parts]
    return Samples(
        samples_ns=tuple(sample for part in parts for sample in part.samples_ns),
        stopped_by="cap" if "cap" in reasons else reasons[-1],
        per_second=tuple(counts),
        busy_share=statistics.fmean(part.busy_share for part in parts),
        heat=tuple(heat),
    )


def minute_medians(samples_ns: Sequence[int], per_second: Sequence[int]) -> list[dict[str, Any]]:
    """The median, in milliseconds, of every minute in which samples began.

    Args:
        samples_ns: in order.
        per_second: how many of them began in each second.
    """
    minutes = np.repeat(np.arange(len(per_second)) // MINUTE, per_second)
    values = np.asarray(samples_ns, np.float64) / 1e6
    return [
        {
            "minute": int(minute),
            "median": float(np.median(values[minutes == minute])),
            "runs": int((minutes == minute).sum()),
        }
        for minute in np.unique(minutes)
    ]


def minutes_of(runs: Sequence[Run]) -> list[list[dict[str, Any]]]:
    """The minutes of every process; empty if none of them ran longer than one."""
    if max(len(run.per_second) for run in runs) <= MINUTE:
        return []
    return [minute_medians(run.samples_ns, run.per_second) for run in runs]


def warnings_of_run(run: Run, *, sustained: bool) -> list[str]:
    """What happened in the course of a run that its overall median does not show.

    Args:
        run: of one process.
        sustained: the run is to show how a device fares that works without a pause.
    """
    words = [*_slowed(run), *_throttled(run.heat)]
    if sustained and run.busy_share < 1 - IDLE:
        words.append(
            f"the device inferred {run.busy_share:.0%} of the time (starting processes took the "
            "rest): in an app that never pauses it gets warmer"
        )
    return words


def _slowed(run: Run) -> list[str]:
    minutes = minute_medians(run.samples_ns, run.per_second)
    # The few samples after the last whole minute say little. By the clock: a device that became
    # much slower gives few in whole minutes, too.
    if len(minutes) > 1 and len(run.per_second) < MINUTE * (minutes[-1]["minute"] + 0.5):
        minutes.pop()
    first = minutes[0]["median"]
    slower = [entry["median"] > (1 + DRIFT) * first for entry in minutes]
    if not slower[-1]:
        return []
    # The minute after the last one that was still as fast as the first.
    since = max(number for number, slow in enumerate(slower) if not slow) + 1
    return [
        f"slower from minute {minutes[since]['minute']} on: {minutes[-1]['median']:.3f} ms in the "
        f"last minute, {first:.3f} in minute 0"
    ]


def _throttled(heat: Sequence[Heat]) -> list[str]:
    found = [look for look in heat if look.thermal_status]
    if not found:
        return []
    worst = max(look.thermal_status or 0 for look in found)
    return [
        f"throttled in minute {int(found[0].second // MINUTE)}: thermal status "
        f"{status_name(found[0].thermal_status)}, {status_name(worst)} at worst"
    ]
