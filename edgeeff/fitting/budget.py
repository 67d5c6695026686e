"""Which networks keep within a budget, measured or predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.costs import CostModel, cost_model
from edgeeff.fitting.measured import HELD_OUT, Measured, built, timed
from edgeeff.fitting.settings import FitSettings


@dataclass(frozen=True)
class Limits:
    """The budget, and what there is of each candidate to hold against it.

    Attributes:
        settings: with the limits.
        measured: so far.
    """

    settings: FitSettings
    measured: Sequence[Measured]

    @property
    def by_time(self) -> bool:
        """Whether latency is what is limited first."""
        return self.settings.max_latency is not None

    @property
    def limit(self) -> float:
        """The most that a network may cost: milliseconds if latency is limited, else bytes."""
        return float(self.settings.max_latency or self.settings.max_bytes or 0)

    def cost(self, measured: Measured) -> float | None:
        """What a network was measured to cost; ``None`` if that failed."""
        if self.by_time:
            return measured.timing.median if measured.timing else None
        return measured.bytes

    def inside(self, measured: Measured) -> bool:
        """Whether a measured network keeps within every limit."""
        cost, most = self.cost(measured), self.settings.max_bytes
        small = most is None or (measured.bytes is not None and measured.bytes <= most)
        return cost is not None and cost <= self.limit and small

    def models(self) -> Models:
        """Models of what the networks that are not held out cost."""
        known = [one for one in self.measured if one.role != HELD_OUT]
        classes = self.settings.classes
        return Models(
            self,
            cost_model(timed(known) if self.by_time else built(known), classes),
            cost_model(built(known), classes),
        )

    def best(self) -> list[Measured]:
        """The networks inside the budget, the most accurate first, the cheaper of equals."""
        found = [one for one in self.measured if self.inside(one)]
        return sorted(found, key=lambda one: (_reversed(one.candidate), self.cost(one) or 0.0))


@dataclass(frozen=True)
class Models:
    """What candidates are predicted to cost, and whether that is inside the budget."""

    limits: Limits
    costs: CostModel
    bytes: CostModel

    def cost(self, candidate: Candidate) -> float | None:
        """Milliseconds or bytes, as of ``Limits.limit``."""
        return self.costs.cost(candidate)

    def share(self, candidate: Candidate) -> float | None:
        """The predicted cost as a share of the budget; of two limits, the larger share."""
        cost, size = self.costs.cost(candidate), self.bytes.cost(candidate)
        if cost is None or size is None:
            return None
        most = self.limits.settings.max_bytes
        return max(cost / self.limits.limit, size / most if most else 0.0)


def frontier(points: Iterable[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    """The candidates that none is both better and cheaper than, from cheap to costly.

    Args:
        points: candidates and what they cost.
    """
    found: list[tuple[Candidate, float]] = []
    for candidate, cost in sorted(points, key=lambda point: (point[1], _reversed(point[0]))):
        if not found or candidate.expected.rank > found[-1][0].expected.rank:
            found.append((candidate, cost))
    return found


def _reversed(candidate: Candidate) -> tuple[bool, float]:
    """Sorts the best candidates to the front."""
    known, top1 = candidate.expected.rank
    return not known, -top1
