"""The timed loop: warm-up until the rolling median settles, then samples of nanoseconds."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgeeff.accelerators.plan import Plan, Samples, WarmedUp

WINDOW = 10
"""Warm-up runs in a rolling median."""

SETTLED = 0.03
"""Two windows' medians this close, as a share, count as settled."""

SECOND_NS = 1_000_000_000

REPORT_NS = 500_000_000
"""How often a long loop says how far it is, between two samples."""

Report = Callable[[int], None]
"""Called about twice a second with the number of runs so far, outside the timed region."""


def warm_up(invoke: Callable[[], None], plan: Plan, report: Report) -> WarmedUp:
    """Run until timings are steady; the very first inference is reported apart.

    Settled means: the medians of the last two windows of ``WINDOW`` runs differ by at most
    ``SETTLED``. Slow models (fewer runs than that fit into the time) end unsettled.
    """
    start = time.perf_counter_ns()
    times = [_timed(invoke)]
    reported = start
    while True:
        elapsed = (time.perf_counter_ns() - start) / 1e9
        enough = len(times) >= plan.warmup_runs and elapsed >= plan.warmup_seconds
        if (enough and _settled(times)) or elapsed >= plan.warmup_max_seconds:
            return WarmedUp(times[0], len(times), elapsed, _settled(times))
        times.append(_timed(invoke))
        reported = _report(report, len(times), reported)


def sample(
    invoke: Callable[[], None],
    *,
    min_runs: int,
    min_seconds: float,
    max_seconds: float,
    report: Report,
) -> Samples:
    """Time inferences until both minima are reached, or the time is over.

    Nothing but two clock readings and the call is between the start and the end of a sample;
    Python's garbage collector rests meanwhile.
    """
    clock = time.perf_counter_ns
    times: list[int] = []
    per_second: list[int] = []
    append = times.append
    least_ns, most_ns = int(min_seconds * 1e9), int(max_seconds * 1e9)
    runs_reached_ns: int | None = None
    with _no_collection():
        start = reported = clock()
        while True:
            before = clock()
            invoke()
            after = clock()
            append(after - before)
            _count(per_second, (before - start) // SECOND_NS)
            elapsed = after - start
            if runs_reached_ns is None and len(times) >= min_runs:
                runs_reached_ns = elapsed
            if runs_reached_ns is not None and elapsed >= least_ns:
                reason = "runs" if runs_reached_ns == elapsed else "seconds"
                break
            if elapsed >= most_ns:
                reason = "cap"
                break
            reported = _report(report, len(times), reported)
    return Samples(tuple(times), reason, tuple(per_second), sum(times) / elapsed)


def _count(per_second: list[int], second: int) -> None:
    while len(per_second) <= second:
        per_second.append(0)
    per_second[second] += 1


def _timed(invoke: Callable[[], None]) -> int:
    before = time.perf_counter_ns()
    invoke()
    return time.perf_counter_ns() - before


def _settled(times: list[int]) -> bool:
    if len(times) < 2 * WINDOW:
        return False
    last = statistics.median(times[-WINDOW:])
    previous = statistics.median(times[-2 * WINDOW : -WINDOW])
    return abs(last - previous) <= SETTLED * previous


def _report(report: Report, runs: int, reported: int) -> int:
    now = time.perf_counter_ns()
    if now - reported < REPORT_NS:
        return reported
    report(runs)
    return now


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
