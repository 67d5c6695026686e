"""``edgeeff train``: fine-tune a variant on pictures, epoch by epoch, each safe on disk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeeff import extras, files
from edgeeff.accelerators.machine import read_machine
from edgeeff.architectures.variants import Variant, find_variant
from edgeeff.errors import InputError, OutputError
from edgeeff.progress import Progress
from edgeeff.shell import word
from edgeeff.tflite.manifest import versions
from edgeeff.training import runs
from edgeeff.training.data.named import named_data_set
from edgeeff.training.data.pictures import Pictures
from edgeeff.training.data.sets import DataSet, read_data_set
from edgeeff.training.doubts import doubts
from edgeeff.training.runs import Run
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.start import find_start

if TYPE_CHECKING:
    from edgeeff.training.events import Events
    from edgeeff.training.session import Session

OnEpoch = Callable[[Run, float], None]
"""Called after each epoch with the run so far, and the seconds that are left by estimate."""


def train(
    settings: TrainingSettings,
    output: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    on_epoch: OnEpoch | None = None,
    data: DataSet | None = None,
) -> Run:
    """Fine-tune a variant on labelled pictures.

    After every epoch the folder holds the best and the last weights, everything that is needed to
    go on, and the figures so far: whatever ends the process, one epoch at most is lost.

    Args:
        settings: the network, the pictures, and how.
        output: the folder of the run.
        force: begin anew where there is a run.
        progress: told of every stage, and of every step.
        on_epoch: called after every epoch.
        data: the pictures, where ``read`` was called already.

    Raises:
        UsageError: unknown names, values that cannot be meant, or not enough memory.
        InputError: pictures, labels or weights that cannot be used, or a loss that is no number.
        ExtraMissing: TensorFlow is not installed.
        OutputError: there is a run already, or it cannot be written.
    """
    if runs.is_run(output) and not force:
        raise OutputError(
            f"{output} holds a run already",
            f"--resume {word(output)} goes on with it, --force begins anew, "
            "--output DIR goes elsewhere",
        )
    files.refuse_unwritable(output)
    extras.require("convert", "train")
    variant = find_variant(settings.variant)
    settings = replace(settings, variant=variant.name)
    data = data or read(settings)
    find_start(variant, settings, whole=data.whole)  # miss weights before TensorFlow is imported
    return _run(_Job(settings, variant, data, output, progress or Progress(), on_epoch), None)


def resume_training(
    output: Path, *, progress: Progress | None = None, on_epoch: OnEpoch | None = None
) -> Run:
    """Go on with a run that was stopped: it ends as it would have ended without the stop.

    Args:
        output: the folder of the run.
        progress: told of every stage, and of every step.
        on_epoch: called after every epoch.

    Raises:
        InputError: no run, one that is finished, or whose pictures have changed since.
        UsageError, ExtraMissing, OutputError: as ``train``.
    """
    run = runs.read_run(output)
    if run.finished:
        raise InputError(
            f"{output} is finished: {len(run.epochs)} of {run.plan['epochs']} epochs are done",
            f"edgeeff convert --weights {word(output)} goes on from it",
        )
    extras.require("convert", "train")
    variant = find_variant(run.settings.variant)
    data = read(run.settings)
    if digest(data) != run.digest or data.classes != run.labels:
        raise InputError(
            f"the pictures of {data.source} are not those that {output} was begun with",
            "edgeeff train --output DIR begins a new run",
        )
    return _run(_Job(run.settings, variant, data, output, progress or Progress(), on_epoch), run)


def read(settings: TrainingSettings) -> DataSet:
    """The data set that settings name. Raises ``InputError`` or ``UsageError``."""
    if settings.data is None:
        return named_data_set(str(settings.dataset), share=settings.share, seed=settings.seed)
    share = 0.2 if settings.share is None else settings.share
    return read_data_set(settings.data, val=settings.val_data, share=share, seed=settings.seed)


def digest(data: DataSet) -> str:
    """Of the names, labels and contents of all pictures, in order; hex.

    Of a file's content its size counts: pictures are read later.
    """
    found = hashlib.sha256()
    for part in filter(None, (data.train, data.val, data.test)):
        for place, label in enumerate(part.labels):
            name = Path(part.name(place)).name
            found.update(f"{name} {label} {part.mark(place)}\n".encode())
        found.update(b"\n")
    return found.hexdigest()


@dataclass(frozen=True)
class _Job:
    settings: TrainingSettings
    variant: Variant
    data: DataSet
    output: Path
    progress: Progress
    on_epoch: OnEpoch | None


def _run(job: _Job, former: Run | None) -> Run:
    """Read the pictures, make the network, and go through the epochs that are left."""
    with job.progress.stage("import TensorFlow"):
        from edgeeff.training.events import Events
        from edgeeff.training.session import Session
    with files.scratch_folder(job.output) as scratch:
        session = Session(
            job.settings, job.variant, job.data, former, scratch=scratch, progress=job.progress
        )
        run = former or _begun(job, session)
        if run.epochs:
            session.restore(run)
        events = Events(job.output) if session.chief else None
        with session.out_of_memory():
            run = _epochs(job, session, events, run)
        return _finished(job, session, run)


def _begun(job: _Job, session: Session) -> Run:
    """The run before its first epoch, on disk."""
    parts: dict[str, Pictures | None] = {
        "train": job.data.train,
        "val": job.data.val,
        "test": job.data.test,
    }
    counts = {name: len(part.labels) if part else 0 for name, part in parts.items()}
    run = Run(
        folder=job.output,
        settings=job.settings,
        labels=job.data.classes,
        preprocessing=session.preprocessing,
        weights=session.weights,
        pictures=counts | {"skipped": len(session.skipped)},
        digest=digest(job.data),
        built=runs.built_of(session.variant),
        plan=session.plan.to_json(),
        environment={"versions": versions(), **session.environment(), "machine": read_machine()},
        notes=(*job.data.notes, *session.notes),
    )
    if session.chief:
        for former in job.output.glob(runs.EVENTS):
            former.unlink()
        files.write_together(
            {
                job.output / runs.LABELS: ("\n".join(run.labels) + "\n").encode(),
                job.output / runs.SETTINGS: job.settings.to_toml().encode(),
                job.output / runs.SUMMARY: session.summary().encode(),
                **_documents(run),
            }
        )
    return run


def _epochs(job: _Job, session: Session, events: Events | None, run: Run) -> Run:
    """Train and judge each epoch that is left, and write it down."""
    left = range(len(run.epochs), session.plan.epochs)
    begin = time.perf_counter()
    with job.progress.stage("train", len(left) * session.plan.steps) as advance:
        for number in left:
            epoch = session.epoch(number, advance)
            run = _written(session, replace(run, epochs=(*run.epochs, epoch)))
            if events:
                events.add(epoch)
            if job.on_epoch:
                done = number + 1 - left.start
                seconds = (time.perf_counter() - begin) / done * (len(left) - done)
                job.on_epoch(run, seconds)
    return run


def _written(session: Session, run: Run) -> Run:
    """Write the weights, the state and the figures of the latest epoch: all of them or none."""
    weights, state = session.average(), session.state()
    contents = {runs.LAST: weights, runs.STATE: state}
    if run.best == run.epochs[-1]:
        contents[runs.BEST] = session.best = weights
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    run = replace(run, sha256={**run.sha256, **sums})
    if session.chief:
        placed = {run.folder / name: content for name, content in contents.items()}
        files.write_together({**placed, **_documents(run)})
    return run


def _finished(job: _Job, session: Session, run: Run) -> Run:
    """Judge the best weights on the test part, if there is one, and close the run."""
    top1 = None
    if job.data.test is not None:
        top1 = session.judge_best(job.data.test, job.progress)
    run = replace(run, test_top1=top1, finished=True)
    run = replace(run, notes=(*run.notes, *doubts(run)))
    if session.chief:
        files.write_together(_documents(run))
        (run.folder / runs.STATE).unlink(missing_ok=True)
    return run


def _documents(run: Run) -> dict[Path, bytes]:
    from edgeeff.training.curve import curve

    found: dict[Path, Any] = {
        run.folder / runs.DOCUMENT: run.document(),
        run.folder / runs.RESULTS: run.table(),
    }
    if run.epochs:
        found[run.folder / runs.CURVE] = curve(run).svg
    return {path: text.encode() for path, text in found.items()}
