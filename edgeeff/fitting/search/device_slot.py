"""The one slot of a device: whoever measures has it alone.

Two locks, for what each can see. A file lock on this machine keeps apart all searches here,
whatever their study, and falls when its process ends. A queue in the study's storage keeps apart
the workers of one study on several machines that reach the same device. Neither keeps out a
program that asks for neither, such as another person's benchmark on the same phone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff.fitting.search.claims import Claim, Pulse, Watch, told
from edgeeff.fitting.search.storage import open_study

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def device_slot(storage: BaseStorage, device: str, *, pulse: Pulse | None = None) -> Iterator[None]:
    """Wait for the slot of a device, and hold it for the block.

    Args:
        storage: of the search.
        device: its address; ``local`` is another device on every machine.
        pulse: of the places in the queue.
    """
    pulse = pulse or Pulse()
    with contextlib.ExitStack() as held:
        if device != "local":
            held.enter_context(_first_in_queue(storage, device, pulse))
        held.enter_context(_file_lock(device))
        yield


@contextlib.contextmanager
def _file_lock(device: str) -> Iterator[None]:
    """Wait for this machine's lock of the device. Windows has no such lock: there it is none."""
    if sys.platform == "win32":
        yield
        return
    digest = hashlib.sha256(device.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"edgeeff-device-{digest}.lock"
    # Another user's file may be read only, which is enough to lock it.
    with contextlib.suppress(FileExistsError, PermissionError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644))
    with path.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _first_in_queue(storage: BaseStorage, device: str, pulse: Pulse) -> Iterator[None]:
    """Take a place in the device's queue: a running trial. The lowest number has the slot."""
    from optuna.trial import TrialState

    study, _ = open_study(storage, f"slot of {device}")
    claim = Claim(study, study.ask(), pulse.beat)
    watch = Watch(pulse.grace)
    try:
        with claim:
            while _others_before(study, claim.trial.number, watch):
                claim.check()
                time.sleep(min(pulse.beat, 0.5))
            yield
    finally:
        told(study, claim.trial.number, TrialState.COMPLETE, 0.0)


def _others_before(study: Study, number: int, watch: Watch) -> bool:
    """Whether a live place in the queue is before this one; dead ones are removed."""
    from optuna.trial import TrialState

    waiting = False
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.number >= number:
            continue
        if watch.abandoned(trial):
            told(study, trial.number, TrialState.FAIL)
        else:
            waiting = True
    return waiting
