"""What the timed region adds to an inference: under 2% of a 1 ms model is the claim.

    python benchmarks/latency_overhead.py

Times a call that keeps the processor busy for exactly 1 ms by the clock, and an empty call, with
the sampling loop of the workers. Medians of many, so that other programs do not count. Ends with
status 1 if the claim does not hold.
"""

from __future__ import annotations

import statistics
import sys
import time

from edgeeff.worker.sampling import sample

CLAIM = 0.02


def busy() -> None:
    end = time.perf_counter_ns() + 1_000_000
    while time.perf_counter_ns() < end:
        pass


def nothing() -> None:
    pass


def median_ns(call: object) -> float:
    assert callable(call)
    limits = {"min_runs": 2000, "min_seconds": 0, "max_seconds": 30}
    return statistics.median(sample(call, report=lambda runs: None, **limits).samples_ns)


def main() -> int:
    added = median_ns(busy) / 1e6 - 1
    empty = median_ns(nothing)
    print(f"a call of 1 ms is timed as {1 + added:.5f} ms: {added:.2%} more")
    print(f"an empty call is timed as {empty / 1000:.3f} us")
    return int(added >= CLAIM)


if __name__ == "__main__":
    sys.exit(main())
