"""Samples that come three at a time, from one process after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from edgeeff.accelerators.plan import Heat, Samples
from edgeeff.devices.benchmark_model import Output
from edgeeff.devices.thermal import Warmth


@dataclass
class ProcessLog:
    """What the processes gave since this was made, by this computer's clock."""

    start: float = field(default_factory=time.monotonic)
    times_ns: list[int] = field(default_factory=list)
    heat: list[Heat] = field(default_factory=list)
    _per_second: list[int] = field(default_factory=list)
    _busy_us: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def add(self, began: float, output: Output) -> None:
        """Take the samples of a process that began so many seconds after the start."""
        times = output.timed.three_ns()
        self.times_ns += times
        second = int(began)
        self._per_second += [0] * (second + 1 - len(self._per_second))
        self._per_second[second] += len(times)
        for series in (output.warm_up, output.timed):
            self._busy_us += series.runs * series.mean

    def look(self, warmth: Warmth) -> None:
        """Note how warm the phone is now."""
        self.heat.append(Heat(self.elapsed, warmth.status, dict(warmth.celsius)))

    def samples(self, stopped_by: str) -> Samples:
        """All of it."""
        return Samples(
            tuple(self.times_ns),
            stopped_by,
            tuple(self._per_second),
            self._busy_us / 1e6 / self.elapsed,
            tuple(self.heat),
        )
