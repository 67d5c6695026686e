"""Which network is built and measured next: a survey, networks held out, then what may win.

What comes next follows from what is measured already, so a run that was stopped goes on by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeeff.fitting.budget import Limits, Models, frontier
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.measured import HELD_OUT, SEARCH, SURVEY, Measured

HELD_OUT_NETWORKS = 10
"""That judge the model, of 40 or more."""

FAR = 2.5
"""Times the budget: what is dearer teaches nothing about what is inside."""

NEAR = 1 / 8
"""Likewise, below the budget."""

MARGIN = 1.05
"""Times the budget: up to here a prediction may be wrong and the network inside all the same."""

WORTH = 0.1
"""Points of accuracy that a better network must promise to be measured."""

OFF_LINE = 0.5
"""How far apart two resolutions of a network are, beside what they change in its work."""


@dataclass(frozen=True)
class Next:
    """A candidate to measure, and why."""

    candidate: Candidate
    role: str


@dataclass(frozen=True)
class _Choice:
    pool: Sequence[Candidate]
    limits: Limits

    @property
    def measured(self) -> Sequence[Measured]:
        return self.limits.measured

    @cached_property
    def counted(self) -> list[Measured]:
        """What counts towards the networks that are asked for.

        Of those that were measured for another budget, these are what says something of this one.
        """
        limits = self.limits
        near = {
            one.candidate
            for one in limits.able
            if one.role != SEARCH and NEAR <= limits.costs[one.candidate] / limits.limit <= FAR
        }
        return [
            one
            for place, one in enumerate(self.measured)
            if place >= limits.taken_over or one.candidate in near
        ]

    def of(self, role: str) -> int:
        """How many were measured for a reason."""
        return sum(one.role == role for one in self.counted)

    def left(self) -> list[Candidate]:
        """The candidates that were not measured."""
        seen = {one.candidate for one in self.measured}
        return [candidate for candidate in self.pool if candidate not in seen]


def next_candidate(pool: Sequence[Candidate], limits: Limits) -> Next | None:
    """What to measure next; ``None``: enough is known.

    Args:
        pool: all that may win.
        limits: the budget, and what was measured.
    """
    choice, most = _Choice(pool, limits), limits.settings.most_networks
    survey = max(most // 2, len(dict.fromkeys(map(_kind, pool))))
    held_out = min(HELD_OUT_NETWORKS, most // 4)
    steps: tuple[tuple[str, int, Callable[[_Choice], Candidate | None]], ...] = (
        (SURVEY, survey, _survey),
        (HELD_OUT, held_out, _held_out),
        (SEARCH, most, _search),
    )
    for role, wanted, step in steps:
        if choice.of(role) < wanted and len(choice.counted) < most:
            found = step(choice)
            if found is not None:
                return Next(found, role)
    return None


def _survey(choice: _Choice) -> Candidate | None:
    """The candidate that is least like those that were measured, each kind in its turn."""
    kinds = dict.fromkeys(_kind(candidate) for candidate in choice.pool)
    measured = {
        kind: [one for one in choice.measured if _kind(one.candidate) == kind] for kind in kinds
    }
    left = choice.left()
    for kind in sorted(kinds, key=lambda kind: len(measured[kind])):
        found = [
            one for one in left if _kind(one) == kind and _is_near(one, measured[kind], choice)
        ]
        if found and not measured[kind]:
            return min(found, key=_work)
        if found:
            known = [one.candidate for one in measured[kind]]
            return max(found, key=lambda one: min(_apart(one, other) for other in known))
    return None


def _is_near(candidate: Candidate, known: Sequence[Measured], choice: _Choice) -> bool:
    """Whether a candidate costs about as much as the budget, in proportion to its work."""
    costs = [(one, choice.limits.cost(one)) for one in known]
    pairs = [(cost, _work(one.candidate)) for one, cost in costs if cost is not None]
    if not pairs:
        return not known
    cost, work = min(pairs, key=lambda pair: abs(pair[1] - _work(candidate)))
    share = cost * 2 ** (_work(candidate) - work) / choice.limits.limit
    return NEAR <= share <= FAR


def _held_out(choice: _Choice) -> Candidate | None:
    """One at random of those that are predicted to cost about as much as the budget."""
    models, left = choice.limits.models(), choice.left()
    order = np.random.default_rng(choice.limits.settings.seed).permutation(len(left))
    mixed = (left[place] for place in order)
    near = (one for one in mixed if NEAR * 2 <= (models.share(one) or math.inf) <= 2)
    return next(near, None)


def _search(choice: _Choice) -> Candidate | None:
    """The best of what may be inside; if none is better than the best one, the frontier."""
    models = choice.limits.models()
    shares = {one: models.share(one) or math.inf for one in choice.left()}
    best = choice.limits.best()
    least = (False, 0.0)
    if best:
        known, top1 = best[0].candidate.expected.rank
        least = (known, top1 + WORTH)
    better = [one for one in shares if shares[one] <= MARGIN and one.expected.rank > least]
    if better:
        return max(better, key=lambda one: (one.expected.rank, -shares[one]))
    return _on_frontier(choice, models, shares)


def _on_frontier(
    choice: _Choice, models: Models, shares: dict[Candidate, float]
) -> Candidate | None:
    """The candidate of the predicted frontier that is nearest to the budget."""
    costs = {one.candidate: choice.limits.cost(one) for one in choice.measured}
    costs |= {one: models.cost(one) for one in shares}
    line = frontier((one, cost) for one, cost in costs.items() if cost is not None)
    near = [one for one, _ in line if one in shares and NEAR * 2 <= shares[one] <= 2]
    return min(near, key=lambda one: abs(math.log(shares[one])), default=None)


def _kind(candidate: Candidate) -> tuple[str, str]:
    return candidate.network.family, candidate.precision


def _work(candidate: Candidate) -> float:
    return math.log2(candidate.counts.macs)


def _apart(one: Candidate, other: Candidate) -> float:
    """How different two networks of a kind are, in octaves of work."""
    beside = math.log2(_beside(one) / _beside(other))
    return abs(_work(one) - _work(other)) + OFF_LINE * abs(beside)


def _beside(candidate: Candidate) -> float:
    return candidate.resolution / candidate.network.resolution
