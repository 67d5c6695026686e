"""Which networks keep within a budget, measured or predicted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from edgeeff.fitting.candidates import Candidate, may_win
from edgeeff.fitting.costs import CostModel, cost_model
from edgeeff.fitting.measured import HELD_OUT, Measured, built, steady
from edgeeff.fitting.settings import FitSettings


@dataclass(frozen=True)
class Limits:
    """The budget, and what there is of each candidate to hold against it.

    Attributes:
        settings: with the limits.
        measured: so far.
        taken_over: how many of them were measured for another budget.
    """

    settings: FitSettings
    measured: Sequence[Measured]
    taken_over: int = 0

    @property
    def by_time(self) -> bool:
        """Whether latency is what is limited first."""
        return self.settings.max_latency is not None

    @property
    def limit(self) -> float:
        """The most that a network may cost: milliseconds if latency is limited, else bytes."""
        return float(self.settings.max_latency or self.settings.max_bytes or 0)

    @cached_property
    def costs(self) -> Mapping[Candidate, float]:
        """What the measured networks cost: their steady latency, or their bytes."""
        return steady(self.measured) if self.by_time else dict(built(self.measured))

    @property
    def known(self) -> list[tuple[Candidate, float]]:
        """What the model of the costs is made of: all but the networks that judge it."""
        held_out = {one.candidate for one in self.measured if one.role == HELD_OUT}
        return [(one, cost) for one, cost in self.costs.items() if one not in held_out]

    @property
    def judges(self) -> list[tuple[Candidate, float]]:
        """The costs of the networks that were held out."""
        held_out = {one.candidate for one in self.measured if one.role == HELD_OUT}
        return [(one, cost) for one, cost in self.costs.items() if one in held_out]

    def cost(self, measured: Measured) -> float | None:
        """What a network was measured to cost; ``None`` if that failed."""
        return self.costs.get(measured.candidate)

    @property
    def able(self) -> list[Measured]:
        """The networks that were measured and may win."""
        return [
            one
            for one in self.measured
            if one.candidate in self.costs and may_win(one.candidate, self.settings)
        ]

    def inside(self, measured: Measured) -> bool:
        """Whether a measured network keeps within every limit."""
        cost, most = self.cost(measured), self.settings.max_bytes
        small = most is None or (measured.bytes is not None and measured.bytes <= most)
        return cost is not None and cost <= self.limit and small

    def models(self) -> Models:
        """Models of what the networks that are not held out cost."""
        classes = self.settings.classes
        sizes = [one for one in self.measured if one.role != HELD_OUT]
        return Models(
            self,
            cost_model(self.known, classes),
            cost_model(built(sizes), classes),
        )

    def best(self) -> list[Measured]:
        """The networks inside the budget, the most accurate first, the cheaper of equals."""
        found = [one for one in self.able if self.inside(one)]
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
