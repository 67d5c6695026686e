"""Successive halving: all candidates are trained briefly, the best of them longer.

Karnin et al., ICML 2013; Jamieson and Talwalkar, arXiv 1502.07943. Each rung trains from the first
weights again, with a schedule of its own that comes to its end: its figures can be compared, and a
rung needs nothing of the machines that did the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edgeeff.errors import InputError
from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.space import Candidate

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

Train = Callable[[Candidate, int, Claim], Outcome]
"""Trains a candidate for so many epochs; what it gives is the higher the better."""

ToldOf = Callable[[Candidate, "Rung", Outcome], None]
"""Is told of each training that was done here."""


@dataclass(frozen=True)
class Rung:
    """One round.

    Attributes:
        candidates: how many are trained.
        epochs: for how long.
    """

    candidates: int
    epochs: int


@dataclass(frozen=True)
class Round:
    """A rung that was climbed: what became of each of its candidates, by the variant's name."""

    rung: Rung
    outcomes: Mapping[str, Outcome]


def halved(
    storage: BaseStorage,
    name: str,
    pool: Sequence[Candidate],
    plan: Sequence[Rung],
    train: Train,
    told_of: ToldOf | None = None,
    *,
    pulse: Pulse | None = None,
) -> tuple[Candidate, tuple[Round, ...]]:
    """Train candidates rung by rung, together with all processes that do the same.

    Args:
        storage: of ``open_storage``.
        name: of the search in it.
        pool: the candidates.
        plan: of ``rungs``.
        train: trains one of them.
        told_of: is told of each training that was done here.
        pulse: of the claims.

    Returns:
        The best candidate of the last rung, and all rounds.

    Raises:
        InputError: none of a rung could be trained.
    """
    left = {one.variant.name: one for one in pool}
    rounds: list[Round] = []
    for number, rung in enumerate(plan, start=1):
        outcomes = share(
            storage,
            f"{name}, rung {number}",
            tuple(Task(one, left[one].parameters) for one in left),
            partial(_trained, left, rung, train),
            told_of=partial(_tell, left, rung, told_of),
            pulse=pulse,
        )
        rounds.append(Round(rung, outcomes))
        kept = best(tuple(left), outcomes, plan[number].candidates if number < len(plan) else 1)
        if not kept:
            raise InputError(
                f"none of {len(left)} networks could be trained: "
                f"{next(iter(outcomes.values())).error}"
            )
        left = {one: left[one] for one in kept}
    return next(iter(left.values())), tuple(rounds)


def _trained(
    left: Mapping[str, Candidate], rung: Rung, train: Train, task: Task, claim: Claim
) -> Outcome:
    return train(left[task.name], rung.epochs, claim)


def _tell(
    left: Mapping[str, Candidate],
    rung: Rung,
    told_of: ToldOf | None,
    task: Task,
    outcome: Outcome,
) -> None:
    if told_of is not None:
        told_of(left[task.name], rung, outcome)


def rungs(candidates: int, epochs: int, reduction: int = 3) -> tuple[Rung, ...]:
    """The rounds that leave one of some candidates.

    Args:
        candidates: at the beginning.
        epochs: of the training that the winner gets afterwards; the last round has a part of them.
        reduction: one of so many goes on, and is trained so many times as long.
    """
    counts = [candidates]
    while counts[-1] > reduction:
        counts.append(max(1, round(counts[-1] / reduction)))
    if counts[-1] == 1 and len(counts) > 1:
        counts.pop()
    plan: list[Rung] = []
    for place, count in enumerate(counts):
        length = max(1, round(epochs / reduction ** (len(counts) - place)))
        if not plan or length > plan[-1].epochs:  # the same training again would tell the same
            plan.append(Rung(count, length))
    return tuple(plan)


def best(names: Sequence[str], outcomes: Mapping[str, Outcome], count: int) -> tuple[str, ...]:
    """The names of the highest values, the best first; equal ones in the order of the names."""
    valued = {name: one for name in names if (one := outcomes[name].value) is not None}
    return tuple(sorted(valued, key=lambda name: -valued[name])[:count])
