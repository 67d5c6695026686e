"""Axes: which numbers are marked, and where a value lies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)
"""Between marks, times a power of ten."""

WANTED = 5
"""Marks on an axis, about."""

DIGITS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), tuple(range(10, 100, 5)))
"""Of the marks on an axis of powers of ten, fewest first."""

APART = 38.0
"""Pixels between marks, at least: what is written beside them is about as wide."""

LEAST, MOST, LEAST_LOG = -1e12, 1e12, 1e-12
"""Values beyond are not drawn: they say nothing, and come from a damaged file."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes:
        title: with the unit.
        form: writes a number beside its mark.
        log: in powers of ten; only values above 0 are drawn.
        bounds: what its ends do not pass, such as 0 and 1 of a share.
    """

    title: str
    form: Callable[[float], str] = "{:g}".format
    log: bool = False
    bounds: tuple[float, float] = (LEAST, MOST)

    def shows(self, value: float) -> bool:
        """Whether a value can be drawn."""
        return math.isfinite(value) and (LEAST_LOG if self.log else LEAST) < value < MOST


@dataclass(frozen=True)
class Scale:
    """An axis with its ends, over a stretch of pixels.

    Attributes:
        axis: what it shows.
        low: value at ``start``.
        high: value at ``end``.
        start: pixel of the low end.
        end: pixel of the high end, which may lie before it.
    """

    axis: Axis
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; beyond the ends, that of the nearer one."""
        low, high, value = (self._straight(one) for one in (self.low, self.high, value))
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def marks(self) -> list[float]:
        """The numbers to be written, from low to high."""
        marks = _powers(self.low, self.high) if self.axis.log else _even(self.low, self.high)
        kept: list[float] = []
        for mark in marks:
            if not kept or abs(self.at(mark) - self.at(kept[-1])) >= APART or not self.axis.log:
                kept.append(mark)
        return kept

    def _straight(self, value: float) -> float:
        return math.log10(max(value, LEAST_LOG / 10)) if self.axis.log else value


def scale(axis: Axis, values: Iterable[float], start: float, end: float) -> Scale:
    """The scale that holds all values that can be drawn, with some room at its ends."""
    shown = [value for value in values if axis.shows(value)] or [1.0]
    low, high = min(shown), max(shown)
    if axis.log:
        room = max((high / low) ** 0.06, 1.1)
        return Scale(axis, low / room, high * room, start, end)
    size = max(abs(low), abs(high))
    room = 0.06 * (high - low) if high - low > 1e-9 * size else 0.05 * size or 0.05
    least, most = axis.bounds
    low, high = max(least, low - room), min(most, high + room)
    return Scale(axis, low, high if high > low else low + room, start, end)


def _even(low: float, high: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / WANTED))
    step = next(s * power for s in STEPS if (high - low) / (s * power) <= WANTED + 1)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    marks: list[float] = []
    for digits in DIGITS:
        marks = [d * 10.0**p for p in powers for d in digits if low <= d * 10.0**p <= high]
        if len(marks) >= WANTED - 1:
            break
    return sorted(marks) or [low, high]
