"""Who works on which trial: a claim with a heartbeat, in any storage.

Optuna's own heartbeat knows databases alone, and neither journals nor ask and tell
(``RDBStorage`` says so; github.com/optuna/optuna, issue 6615). Here the heartbeat is a user
attribute that the worker counts up. Whoever watches takes the time by its own clock: a claim is
abandoned if its count stood still for the grace period, so clocks of machines need not agree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial, TrialState

HEARTBEAT, ERROR, NOTES = "heartbeat", "error", "notes"
"""User attributes of a trial: the count, why it has no value, and what its worker found.

A failed trial without an error is one that was taken over.
"""


class ClaimLost(Exception):  # noqa: N818 - a message between threads, which no user sees
    """Another worker took the trial over, because this one's heartbeat had stood still."""


@dataclass(frozen=True)
class Pulse:
    """How often a claim shows that it is alive, and when it is taken for dead, in seconds."""

    beat: float = 10.0
    grace: float = 90.0


@dataclass
class Watch:
    """When the heartbeat of each trial was last seen to move, by this process's clock."""

    grace: float
    _seen: dict[int, tuple[Any, float]] = field(default_factory=dict)

    def abandoned(self, trial: FrozenTrial) -> bool:
        """Whether a running trial's heartbeat has stood still for the grace period."""
        count, now = trial.user_attrs.get(HEARTBEAT), time.monotonic()
        if trial.number not in self._seen or self._seen[trial.number][0] != count:
            self._seen[trial.number] = (count, now)
        return now - self._seen[trial.number][1] >= self.grace


class Claim:
    """A running trial that belongs to this process; use as a context, which keeps it alive."""

    def __init__(self, study: Study, trial: Trial, beat: float) -> None:
        self.trial = trial
        self._study, self._beat = study, beat
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, daemon=True)

    def __enter__(self) -> Claim:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise ``ClaimLost`` if another worker took the trial over."""
        if self._lost.is_set():
            raise ClaimLost

    def take(self, parameters: Mapping[str, float]) -> bool:
        """Have the trial know its parameters, as ``enqueue_trial`` fixed them.

        Returns:
            Whether it is this process's: not if it was taken over since it was asked for.
        """
        import optuna

        try:
            for name, value in parameters.items():
                self.trial.suggest_float(name, value, value)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True

    def finish(self, value: float | None, *, error: str = "", notes: Any = None) -> bool:
        """Close the trial with its value, or without one for an error that is its own fault.

        Returns:
            Whether it counts: not if another worker took it over.
        """
        from optuna.trial import TrialState

        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        marked = self._marked({NOTES: notes, ERROR: error})
        return marked and told(self._study, self.trial.number, state, value)

    def release(self, reason: str) -> bool:
        """Give the trial up, so that another worker does it; whether it was still this one's."""
        from optuna.trial import TrialState

        marked = self._marked({ERROR: reason})
        return marked and told(self._study, self.trial.number, TrialState.FAIL)

    def _keep_alive(self) -> None:
        count = 0
        while True:
            count += 1
            if not self._marked({HEARTBEAT: count}):
                self._lost.set()
                return
            if self._ended.wait(self._beat):
                return

    def _marked(self, attributes: Mapping[str, Any]) -> bool:
        """Set user attributes; ``False`` if the trial is not running any more."""
        import optuna

        try:
            for name, value in attributes.items():
                self.trial.set_user_attr(name, value)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True


def told(study: Study, number: int, state: TrialState, value: float | None = None) -> bool:
    """Finish a running trial; ``False`` if another process has done so."""
    import optuna

    try:
        study.tell(number, value, state=state)
    except (optuna.exceptions.UpdateFinishedTrialError, ValueError):
        # ``tell`` raises ValueError for a trial that was finished when it looked.
        return False
    return True
