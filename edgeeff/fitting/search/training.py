"""A candidate's short training: what a task of a rung does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError
from edgeeff.fitting.search.claims import Claim
from edgeeff.fitting.search.sharing import Outcome
from edgeeff.progress import Progress
from edgeeff.training.data.sets import DataSet
from edgeeff.training.runs import Run
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.train import train

FirstWeights = Callable[[Variant, Path], str]
"""Makes the weights that a network begins with, in a folder; gives what ``train`` takes."""


def short_training(
    variant: Variant,
    settings: TrainingSettings,
    data: DataSet,
    claim: Claim,
    *,
    first_weights: FirstWeights,
    folder: Path,
    progress: Progress,
) -> Outcome:
    """Train a network and judge it by the pictures to choose by. Those of the test stay unseen.

    Args:
        variant: the network.
        settings: of the training; its variant does not matter.
        data: the pictures.
        claim: to the task; asked after every epoch.
        first_weights: of the network.
        folder: where a folder is made that is gone afterwards.
        progress: told of every stage.

    Raises:
        ClaimLost: another worker does this.
        InputError, UsageError: the loss is no number, or there is not enough memory.
    """

    def on_epoch(run: Run, left: float) -> None:
        claim.check()

    with files.scratch_folder(folder) as scratch:
        run = train(
            replace(settings, variant=variant.name, weights=first_weights(variant, scratch)),
            scratch / "run",
            progress=progress,
            on_epoch=on_epoch,
            data=replace(data, test=None),
        )
    return Outcome(_value(run), notes=_notes(run))


def _value(run: Run) -> float:
    if run.best is None:
        raise InputError("no epoch was done")
    return run.best.val_top1


def _notes(run: Run) -> dict[str, Any]:
    return {
        "epochs": len(run.epochs),
        "val_loss": run.best.val_loss if run.best else None,
        "seconds": round(sum(epoch.seconds for epoch in run.epochs), 1),
    }
