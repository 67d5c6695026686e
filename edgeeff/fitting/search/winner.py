"""The winner of a search: trained to the end, quantized, and measured again."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeeff import files
from edgeeff.errors import InputError
from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.device_slot import device_slot
from edgeeff.fitting.search.first_weights import FirstWeights
from edgeeff.fitting.search.measuring import costs, fits
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.space import Candidate
from edgeeff.fitting.targets import runnable
from edgeeff.pipeline.conversion import Conversion, Settings, convert
from edgeeff.progress import Progress
from edgeeff.training import runs
from edgeeff.training.data.sets import DataSet, parts_of
from edgeeff.training.runs import Run
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.train import OnEpoch, digest, resume_training, train

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

RUN = "run"
"""The folder of the winner's training."""


@dataclasses.dataclass(frozen=True)
class Making:
    """What making a winner takes."""

    storage: BaseStorage
    settings: SearchSettings
    data: DataSet
    first_weights: FirstWeights
    folder: Path
    progress: Progress
    on_epoch: OnEpoch | None
    pulse: Pulse | None = None


def won(making: Making, name: str, chosen: Candidate) -> Outcome:
    """Make the winner's files, once for all processes of the search.

    Raises:
        InputError: its training or its conversion failed.
    """

    def do(task: Task, claim: Claim) -> Outcome:
        run = _trained(making, chosen, claim)
        made = _converted(making, run)
        model = runnable(made.model, making.settings.target)
        with device_slot(making.storage, making.settings.device, pulse=making.pulse):
            cost = costs(model, making.settings, making.progress, again=True)
        return Outcome(
            run.best.val_top1 if run.best else None, notes=_notes(making, run, made, model, cost)
        )

    task = Task(chosen.variant.name, chosen.parameters)
    shared = share(making.storage, f"{name}, winner", (task,), do, pulse=making.pulse)
    outcome = shared[task.name]
    if outcome.value is None:
        raise InputError(f"{task.name} won, but could not be made: {outcome.error}")
    return outcome


def _trained(making: Making, chosen: Candidate, claim: Claim) -> Run:
    """Train the winner; a training that was stopped goes on."""

    def on_epoch(run: Run, left: float) -> None:
        claim.check()
        if making.on_epoch is not None:
            making.on_epoch(run, left)

    output = making.folder / RUN
    settings = dataclasses.replace(making.settings.training, variant=chosen.variant.name)
    if runs.is_run(output):
        former = runs.read_run(output)
        if same_training(former, settings, digest(making.data)):
            if former.finished:
                return former
            return resume_training(output, progress=making.progress, on_epoch=on_epoch)
    settings = dataclasses.replace(
        settings, weights=making.first_weights(chosen.variant, making.folder)
    )
    return train(
        settings,
        output,
        force=True,
        progress=making.progress,
        on_epoch=on_epoch,
        data=making.data,
    )


def same_training(run: Run, settings: TrainingSettings, pictures: str) -> bool:
    """Whether a run is the training of some settings, whatever file its first weights lie in.

    Args:
        run: that a folder holds.
        settings: of the training that is wanted.
        pictures: their digest.
    """
    wanted = dataclasses.replace(settings, weights=run.settings.weights)
    return run.settings == wanted and run.digest == pictures


def _converted(making: Making, run: Run) -> Conversion:
    return convert(
        None,
        Settings(
            precision=making.settings.file_precision,
            weights=str(run.folder),
            calibration=_calibration(making.settings.training.data),
            output=making.folder,
            force=True,
        ),
        making.progress,
    )


def _calibration(data: Path | None) -> Path | None:
    """The folder of the training pictures; ``None`` where there is none, as for a table."""
    if data is None or not data.is_dir():
        return None
    return parts_of(data).get("train", data)


def _notes(
    making: Making, run: Run, made: Conversion, model: Path, cost: dict[str, Any]
) -> dict[str, Any]:
    """What is kept of a winner; ``model`` is the file that was timed."""
    weights, told = making.first_weights.told(run.variant)
    return {
        "machine": platform.node(),
        "folder": str(making.folder.absolute()),
        "run": RUN,
        "model": model.name,
        "sha256": files.sha256(model),
        "precision": making.settings.file_precision,
        "weights": weights,
        "epochs": len(run.epochs),
        "val_top1": run.best.val_top1 if run.best else None,
        "test_top1": run.test_top1,
        "inside": fits(cost, making.settings),
        **cost,
        "notes": [*told, *run.notes, *made.notes],
    }
