"""The outcome of comparing two figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeeff.benchmarking.intervals import Interval


@dataclass(frozen=True)
class Comparison:
    """How the second figure relates to the first.

    Attributes:
        baseline: the first model's name.
        model: the second's.
        ratio: second median over first; below 1: faster. ``None`` where it would mean nothing.
        ci95: the ratio's 95% interval.
        verdict: ``faster``, ``slower``, ``no difference``, or why there is none.
        how: ``interleaved`` in one session, or ``apart``.
        warnings: what was overlooked on purpose, such as different environments.
    """

    baseline: str
    model: str
    target: str
    device: str
    ratio: float | None
    ci95: Interval | None
    verdict: str
    how: str
    warnings: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The comparison in words."""
        where = self.target if self.device == "local" else f"{self.target} of {self.device}"
        if self.ratio is None or self.ci95 is None:
            return f"{self.model} against {self.baseline} on {where}: {self.verdict}"
        low, high = self.ci95
        return (
            f"{self.model} takes {self.ratio:.3f} times as long as {self.baseline} on "
            f"{where} ({low:.3f} to {high:.3f}, {self.how}): {self.verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            **vars(self),
            "ci95": list(self.ci95) if self.ci95 else None,
            "warnings": list(self.warnings),
        }
