"""Tasks that several workers do between them: each is done once, whoever of them is killed.

A set of tasks is one study; a task is a trial that waits, runs, and is finished. The process that
makes the study fills it. ``ask`` hands a waiting trial to one process alone. A trial that was
abandoned is failed by one of the others, which puts a new one of the same task in its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgeeff.errors import InputError, UsageError
from edgeeff.fitting.search.claims import (
    ERROR,
    NOTES,
    Claim,
    ClaimLost,
    Pulse,
    Watch,
    told,
)
from edgeeff.fitting.search.storage import open_study

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

TASK = "task"
"""The user attribute that names the task of a trial."""

MOST_ATTEMPTS = 3
"""Workers that a task may take along before it is given up: it may be what kills them."""

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Task:
    """What is to be done once.

    Attributes:
        name: of its own in its set.
        parameters: what tells it from the others, for whoever looks into the study.
    """

    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        value: the higher the better; ``None``: it failed.
        error: why it failed.
        notes: what its worker found besides, as JSON values.
    """

    value: float | None
    error: str = ""
    notes: Any = None


Do = Callable[[Task, Claim], Outcome]
"""Does a task; asks the claim now and then whether it is still its own."""

Told = Callable[[Task, Outcome], None]


def share(
    storage: BaseStorage,
    name: str,
    tasks: tuple[Task, ...],
    do: Do,
    *,
    pulse: Pulse | None = None,
    told_of: Told | None = None,
) -> dict[str, Outcome]:
    """Do tasks together with all processes that call this with the same storage and name.

    Args:
        storage: of ``open_storage``.
        name: of the set.
        tasks: all of the set.
        do: does one task here. ``InputError`` and ``UsageError`` are the task's own fault: it
            fails for good. Whatever else it raises ends this worker, and another takes the task.
        pulse: of the claims.
        told_of: is told of each task that was done here.

    Returns:
        What became of every task, by its name, once all of them are done.
    """
    study, made = open_study(storage, name)
    worker = _Worker(study, {task.name: task for task in tasks}, pulse or Pulse())
    if made:
        worker.fill(tasks)
    while not worker.finished():
        claim = worker.claim()
        if claim is None:
            time.sleep(worker.pause)
            continue
        task, claimed = claim
        outcome = _done(task, claimed, do, worker)
        if outcome is not None and told_of is not None:
            told_of(task, outcome)
    return worker.outcomes()


def _done(task: Task, claim: Claim, do: Do, worker: _Worker) -> Outcome | None:
    """Do a task and close its trial; ``None`` if it was taken over meanwhile."""
    with claim:
        try:
            outcome = do(task, claim)
        except ClaimLost:
            return None
        except (InputError, UsageError) as error:
            outcome = Outcome(None, error.message)
        except BaseException as error:
            if claim.release(f"interrupted: {type(error).__name__}"):
                worker.fill([task])
            raise
    counts = claim.finish(outcome.value, error=outcome.error, notes=outcome.notes)
    return outcome if counts else None


class _Worker:
    """One process at work on a set."""

    def __init__(self, study: Study, tasks: Mapping[str, Task], pulse: Pulse) -> None:
        self._study, self._tasks, self._pulse = study, tasks, pulse
        self._watch = Watch(pulse.grace)
        self._missing_since: dict[str, float] = {}
        self.pause = min(pulse.beat, 1.0)

    def fill(self, tasks: Any) -> None:
        """Put trials that wait into the study."""
        for task in tasks:
            self._study.enqueue_trial(dict(task.parameters), user_attrs={TASK: task.name})

    def finished(self) -> bool:
        """Whether every task is done; takes over what was abandoned, and fills what is missing."""
        trials = self._trials()
        done = {trial.user_attrs[TASK] for trial in trials if _counts(trial)}
        open_tasks = set(self._tasks) - done
        if not open_tasks:
            return True
        for trial in trials:
            if _runs(trial) and self._watch.abandoned(trial):
                self._take_over(trial, trials)
        live = {trial.user_attrs[TASK] for trial in trials if _runs(trial) or _waits(trial)}
        self._fill_missing(open_tasks - live)
        return False

    def claim(self) -> tuple[Task, Claim] | None:
        """A task that this process has to itself now; ``None`` if none waits."""
        while any(_waits(trial) for trial in self._trials()):
            trial = self._study.ask()
            claim = Claim(self._study, trial, self._pulse.beat)
            task = self._tasks.get(str(trial.user_attrs.get(TASK)))
            if task is None or self._is_anothers(task.name, trial.number):
                claim.release("nothing was left to do")
            elif claim.take(task.parameters):
                return task, claim
        return None

    def _is_anothers(self, name: str, number: int) -> bool:
        """Whether a task is done, or another process has an earlier trial of it."""
        return any(
            _counts(one) or (_runs(one) and one.number < number)
            for one in self._trials()
            if one.user_attrs[TASK] == name
        )

    def outcomes(self) -> dict[str, Outcome]:
        """What became of the tasks that are done."""
        found: dict[str, Outcome] = {}
        for trial in self._trials():
            if _counts(trial):
                found.setdefault(trial.user_attrs[TASK], _outcome(trial))
        return found

    def _trials(self) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.user_attrs.get(TASK) in self._tasks]

    def _take_over(self, trial: FrozenTrial, trials: list[FrozenTrial]) -> None:
        """Fail an abandoned trial; the one process that succeeds puts another in its place."""
        from optuna.trial import TrialState

        name = trial.user_attrs[TASK]
        lost = sum(one.user_attrs[TASK] == name and _was_lost(one) for one in trials)
        if lost + 1 >= MOST_ATTEMPTS:
            told(self._study, trial.number, TrialState.PRUNED)
        elif told(self._study, trial.number, TrialState.FAIL):
            self.fill([self._tasks[name]])

    def _fill_missing(self, names: set[str]) -> None:
        """Fill in tasks that nobody has for the grace period: who should have was killed."""
        now = time.monotonic()
        self._missing_since = {name: self._missing_since.get(name, now) for name in names}
        for name, since in self._missing_since.items():
            if now - since >= self._pulse.grace:
                self.fill([self._tasks[name]])


def _counts(trial: FrozenTrial) -> bool:
    return trial.state.name in ("COMPLETE", "PRUNED")


def _runs(trial: FrozenTrial) -> bool:
    return trial.state.name == "RUNNING"


def _waits(trial: FrozenTrial) -> bool:
    return trial.state.name == "WAITING"


def _was_lost(trial: FrozenTrial) -> bool:
    return trial.state.name == "FAIL" and ERROR not in trial.user_attrs


def _outcome(trial: FrozenTrial) -> Outcome:
    notes = trial.user_attrs.get(NOTES)
    if trial.state.name == "COMPLETE":
        return Outcome(trial.value, "", notes)
    error = trial.user_attrs.get(ERROR) or f"its process ended {MOST_ATTEMPTS} times"
    return Outcome(None, error, notes)
