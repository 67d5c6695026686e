"""The paper's grid search, with a score of the caller's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeeff.architectures.variants import VARIANTS, Variant, scaled, scaling_grid
from edgeeff.errors import InputError
from edgeeff.fitting.search.claims import Claim
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.storage import open_storage


@dataclass(frozen=True)
class Scored:
    """One point of ``scaling_search``: the factors, the network they make, its score."""

    alpha: float
    beta: float
    gamma: float
    variant: Variant
    score: float


def scaling_search(
    score: Callable[[Variant], float],
    *,
    base: Variant = VARIANTS["b0"],
    step: float = 0.05,
    tolerance: float = 0.1,
    storage: str | Path | None = None,
    name: str | None = None,
) -> tuple[Scored, ...]:
    """Search how to spend twice the compute of ``base``: on depth, width or resolution.

    Tries every point of ``scaling_grid``. Source: arXiv 1905.11946, 3.3.

    Args:
        score: how good a network is, higher is better: usually trains and evaluates it. A network
            for which it raises ``InputError`` has no score.
        base: the network to scale, with ``phi`` = 1.
        step: distance of the grid's points.
        tolerance: how far from 2 the compute may be.
        storage: the path of a journal, or the URL of a database, that keeps the scores: a search
            that was stopped goes on, and several processes share one. ``None``: nothing is kept.
        name: of the search in the storage; ``None``: tells base, step and tolerance. Another
            score needs another name.

    Returns:
        All points with a score, the best first; equal scores in the order of the grid.

    Raises:
        UsageError: ``step`` or ``tolerance`` leaves no point.
        InputError: no network has a score that is a number, or the storage cannot be used.
        ExtraMissing: Optuna is not installed.
    """
    networks = {
        network.name: (point, network)
        for point in scaling_grid(step, tolerance)
        for network in [scaled(1, *point, base=base)]
    }

    def do(task: Task, claim: Claim) -> Outcome:
        value = float(score(networks[task.name][1]))
        if math.isnan(value):
            raise InputError(f"the score of {task.name} is not a number", "did training diverge?")
        return Outcome(value)

    tasks = tuple(
        Task(network, dict(zip(("alpha", "beta", "gamma"), point, strict=True)))
        for network, (point, _) in networks.items()
    )
    name = name or f"scaling of {base.name}, step {step:g}, tolerance {tolerance:g}"
    outcomes = share(open_storage(storage), name, tasks, do)
    found = [
        Scored(*networks[task.name][0], networks[task.name][1], value)
        for task in tasks
        if (value := outcomes[task.name].value) is not None
    ]
    if not found:
        raise InputError(outcomes[tasks[0].name].error, "no network has a score")
    return tuple(sorted(found, key=lambda one: -one.score))
