"""``fit_to_data``: the paper's grid search on the user's own pictures, within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgeeff import extras, files
from edgeeff.architectures.variants import Variant, find_variant, scaling_grid
from edgeeff.errors import GateFailed, InputError, UsageError
from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.first_weights import FirstWeights
from edgeeff.fitting.search.found import DOCUMENT, Found
from edgeeff.fitting.search.halving import Rung, halved, rungs
from edgeeff.fitting.search.measuring import inside, measured, told
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome
from edgeeff.fitting.search.space import Candidate, candidates
from edgeeff.fitting.search.storage import JOURNAL, open_storage
from edgeeff.fitting.search.training import short_training
from edgeeff.fitting.search.winner import Making, won
from edgeeff.fitting.targets import require_compiler, require_target
from edgeeff.fitting.timing import one_device
from edgeeff.progress import Progress
from edgeeff.training.settings import usual_epochs
from edgeeff.training.train import OnEpoch, digest, read

OnTrial = Callable[[Candidate, Rung, Outcome], None]
"""Is told of each short training that was done by this process."""


def fit_to_data(
    settings: SearchSettings,
    output: Path,
    *,
    storage: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    on_trial: OnTrial | None = None,
    on_epoch: OnEpoch | None = None,
    pulse: Pulse | None = None,
) -> Found:
    """Search how to scale a network for the user's pictures, and make the best one.

    Ways to spend ``2^phi`` times the base's compute on depth, width and resolution are trained
    briefly, the better ones longer (successive halving). With a budget, networks that are outside
    on the device are left out first. The winner is trained to the end, quantized and measured.

    Whatever ends a process, its running trial is all that is lost: the same call goes on. Several
    processes with the same storage share the work; each trial is done once.

    Args:
        settings: the base, the pictures, the budget.
        output: folder of the document, the winner's run and its files.
        storage: the path of a journal file or the URL of a database, as of Optuna; ``None``: a
            journal in ``output``.
        force: forget the journal in ``output``.
        progress: told of every stage.
        on_trial: told of every short training.
        on_epoch: called after every epoch of the winner's training.
        pulse: how soon a worker that ended is taken for dead.

    Raises:
        UsageError: values that cannot be meant, or a base too small to be scaled.
        InputError: pictures, weights or a storage that cannot be used, or no training that ended.
        ExtraMissing: TensorFlow, the quantizer or Optuna is not installed.
        TargetUnavailable: the device or the target cannot be used.
        OutputError: results cannot be written.
        GateFailed: no network is inside the budget, or the winner is not when it is measured again.
    """
    if force and storage is not None:
        raise UsageError("--force forgets the journal of --output alone", "name another --study")
    extras.require("fit", "the search")
    progress = progress or Progress()
    data = read(settings.training)
    base = replace(find_variant(settings.training.variant), classes=len(data.classes))
    pool = candidates(base, scaling_grid(), phi=settings.phi, most=settings.networks)
    files.refuse_unwritable(output)
    weights = FirstWeights(base, settings.training.weights, settings.training.seed, progress)
    _require_place(settings)
    shared = open_storage(storage or _journal(output, force=force))
    making = Making(shared, settings, data, weights, output, progress, on_epoch, pulse)
    found = _found(making, base, pool, on_trial)
    found.write()
    if not found.winner["inside"]:
        raise GateFailed(
            f"{found.chosen.variant.name} won, but measured again it {told(found.winner)}",
            f"{output / DOCUMENT} has all figures; a larger budget, or a lower --phi",
        )
    return found


def _require_place(settings: SearchSettings) -> None:
    """Miss a device, its target or a compiler before the trainings. ``TargetUnavailable``."""
    require_compiler(settings.target)
    with one_device(settings.device) as device:
        require_target(device, settings.target)


def _found(
    making: Making, base: Variant, pool: tuple[Candidate, ...], on_trial: OnTrial | None
) -> Found:
    """Measure the candidates if there is a budget, train them, and make the best one."""
    shared, settings, pulse = making.storage, making.settings, making.pulse
    study = settings.study_name(digest(making.data))
    costs: dict[str, Outcome] = {}
    left = pool
    if settings.limited:
        costs = measured(shared, study, pool, settings, making.folder, making.progress, pulse)
        left = inside(pool, costs, settings)
    plan, train = _rungs(len(left), making), partial(_short, making)
    chosen, rounds = halved(shared, study, left, plan, train, on_trial, pulse=pulse)
    winner, notes = won(making, study, chosen).notes, making.data.notes
    return Found(making.folder, settings, base, study, pool, costs, rounds, chosen, winner, notes)


def _rungs(count: int, making: Making) -> tuple[Rung, ...]:
    """The rungs for so many candidates."""
    epochs = making.settings.training.epochs or usual_epochs(len(making.data.train.labels))
    return rungs(count, epochs, making.settings.reduction)


def _short(making: Making, one: Candidate, epochs: int, claim: Claim) -> Outcome:
    return short_training(
        one.variant,
        replace(making.settings.training, epochs=epochs),
        making.data,
        claim,
        first_weights=making.first_weights,
        folder=making.folder,
        progress=making.progress,
    )


def _journal(output: Path, *, force: bool) -> Path:
    """The journal of a folder. Raises ``InputError`` for one that cannot be removed."""
    path = output / JOURNAL
    if force:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot remove {path}: {error.strerror}") from error
    return path
