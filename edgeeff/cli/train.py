"""``edgeeff train``: a network on classes of one's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.command import Command
from edgeeff.cli.numbers import FINITE
from edgeeff.cli.terminal import Terminal, common_options
from edgeeff.errors import UsageError
from edgeeff.shell import word

if TYPE_CHECKING:
    from edgeeff.progress import Progress
    from edgeeff.training.runs import Run
    from edgeeff.training.train import OnEpoch

STRATEGIES = click.Choice(["auto", "one", "mirrored", "multiworker"])
A_PATH = click.Path(path_type=Path)
ARTIFACTS = Path("artifacts")


@click.command(
    "train", cls=Command, short_help="A network for classes of your own, from a folder of pictures."
)
@click.option("--variant", help="Such as lite0 (the default) or b0.")
@click.option("--data", type=A_PATH, help="A folder per class, train/ and val/, or a CSV.")
@click.option("--dataset", help="In its place: fashion-mnist or digits.")
@click.option("--val-data", type=A_PATH, help="Pictures to choose the best epoch by.")
@click.option("--weights", help="To start from: auto, imagenet, none, FILE or RUN.")
@click.option("--resolution", type=click.IntRange(32), help="Side of the input in pixels.")
@click.option(
    "--resize", help="bilinear or bicubic, perhaps with a crop: bicubic:0.875; or squash."
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Passes over the pictures; default: 4 to 60, by their number.",
)
@click.option("--batch", type=click.IntRange(1), help="Pictures of a step (32).")
@click.option("--learning-rate", type=FINITE, help="At its highest.")
@click.option("--strategy", type=STRATEGIES, help="Which devices: auto takes what is there.")
@click.option("--seed", type=int, help="Of all that is random (0).")
@click.option("--config", type=A_PATH, help="All settings as TOML; options given here win.")
@click.option("--output", type=A_PATH, help="Folder of the run; default: in artifacts/.")
@click.option("--resume", type=A_PATH, metavar="RUN", help="Go on with a run that was stopped.")
@click.option("--force", is_flag=True, help="Begin anew where there is a run.")
@click.option("--qat", is_flag=True, help="Then train its integer network, and write that.")
@click.option("--qat-steps", type=click.IntRange(1), help="Of --qat: 16 pictures each (300).")
@click.option("--distill", is_flag=True, help="Of --weights only the integer network, as --qat.")
@common_options
def command(
    terminal: Terminal,
    config: Path | None,
    output: Path | None,
    resume: Path | None,
    force: bool,
    qat: bool,
    qat_steps: int | None,
    distill: bool,
    **options: Any,
) -> None:
    """Fine-tune a network on labelled pictures, from ImageNet weights where there are any.

    Each folder of --data is a class; train/, val/ and test/ are found by their names. After
    every epoch the run's folder holds all that is needed to go on. With --distill nothing but the
    integer network of --weights is trained, to answer as the float one: --data needs no labels,
    and without it synthetic pictures do.

    \b
    Example:
      edgeeff train --variant lite0 --data flowers/ --output flowers-run
      edgeeff train --resume flowers-run
      edgeeff convert --weights flowers-run --int8
      edgeeff train --variant b0 --weights flowers.pth --distill --data photos/
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.training.settings import read_settings, settings_of
    from edgeeff.training.train import train

    if qat_steps is not None and not (qat or distill):
        raise UsageError("--qat-steps without --qat or --distill", "add one of them")
    given = {name: value for name, value in options.items() if value is not None}
    if distill:
        if config or resume or qat:
            raise UsageError("--distill goes without --config, --resume and --qat", "leave it out")
        _distilled(terminal, given, output=output, force=force, steps=qat_steps)
        return
    progress, after = terminal.progress(), _words_of_qat(qat, qat_steps)

    said = set[str]()

    def on_epoch(run: Run, left: float) -> None:
        _say_notes(terminal, run, said)
        terminal.say(_line(run, left))

    if resume is not None:
        if given or config or output or force:
            raise UsageError("--resume goes alone", "a run's settings stay as they are")
        with _told_how_to_go_on(terminal, resume, after, b""):
            run = _gone_on(resume, progress, on_epoch, qat=qat)
        _say_notes(terminal, run, said)
        _finish(terminal, run, qat=qat, steps=qat_steps)
        return
    table = {**(read_settings(config) if config else {}), **given}
    if "data" in given or "dataset" in given:  # the one of the two replaces the other
        table |= {name: given.get(name) for name in ("data", "dataset")}
    settings = settings_of(table, str(config or "the command line"))
    output = output or ARTIFACTS / f"efficientnet-{settings.variant}-run"
    with _told_how_to_go_on(terminal, output, after, _document(output)):
        run = train(settings, output, force=force, progress=progress, on_epoch=on_epoch)
    _say_notes(terminal, run, said)
    _finish(terminal, run, qat=qat, steps=qat_steps)


def _gone_on(folder: Path, progress: Progress, on_epoch: OnEpoch, *, qat: bool) -> Run:
    """The run with the epochs that were left; of a finished one, ``qat`` is all that is."""
    from edgeeff.training.runs import is_run, read_run
    from edgeeff.training.train import resume_training

    if qat and is_run(folder):
        run = read_run(folder)
        if run.finished:
            return run
    return resume_training(folder, progress=progress, on_epoch=on_epoch)


def _finish(terminal: Terminal, run: Run, *, qat: bool, steps: int | None) -> None:
    """Say what a run made; with ``qat``, train and write its integer network."""
    if not qat:
        terminal.document(run.document())
    _summary(terminal, run, qat=qat)
    if qat:
        from edgeeff.cli.summary import summary
        from edgeeff.pipeline.conversion import Settings, convert
        from edgeeff.pipeline.settings import QAT_STEPS

        settings = Settings(
            weights=str(run.folder),
            qat=True,
            qat_steps=steps or QAT_STEPS,
            output=run.folder,
            force=True,
        )
        try:
            made = convert(None, settings, terminal.progress())
        except KeyboardInterrupt:
            again = f"edgeeff train --resume {word(run.folder)}{_words_of_qat(qat, steps)}"
            terminal.note(f"{again} begins the integer network anew")
            raise
        summary(terminal, made)


DISTILLED = ("variant", "weights", "data", "resolution", "seed")
"""The options that ``--distill`` goes with."""


def _distilled(
    terminal: Terminal,
    given: dict[str, Any],
    *,
    output: Path | None,
    force: bool,
    steps: int | None,
) -> None:
    """Train the integer network of weights to answer as the float one, and write it."""
    from edgeeff.cli.summary import summary
    from edgeeff.pipeline.conversion import convert
    from edgeeff.pipeline.settings import QAT_STEPS, Settings

    for name in given:
        if name not in DISTILLED:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--distill and {option} contradict", f"leave out {option}")
    variant = given.pop("variant", None)
    settings = Settings(
        **given, qat=True, qat_steps=steps or QAT_STEPS, output=output or ARTIFACTS, force=force
    )
    summary(terminal, convert(variant, settings, terminal.progress()))


def _words_of_qat(qat: bool, steps: int | None) -> str:
    """The options that train the integer network, as they were given."""
    return (" --qat" if qat else "") + (f" --qat-steps {steps}" if steps else "")


@contextlib.contextmanager
def _told_how_to_go_on(
    terminal: Terminal, output: Path, after: str, former: bytes
) -> Iterator[None]:
    """Say what is saved of a run that is interrupted, and how it goes on.

    Args:
        terminal: to say it on.
        output: folder of the run.
        after: options of what was to come after it.
        former: the document of a run there that this one is not.
    """
    try:
        yield
    except KeyboardInterrupt:
        again = f"edgeeff train --resume {word(output)}{after}"
        terminal.note(_stopped(output, again, former))
        raise


def _document(folder: Path) -> bytes:
    """What a run in a folder says of itself; nothing if there is none."""
    from edgeeff import files
    from edgeeff.training import runs

    return files.read_bytes(folder / runs.DOCUMENT) if runs.is_run(folder) else b""


def _stopped(folder: Path, again: str, former: bytes) -> str:
    """What is saved of a run that was interrupted, and the line that goes on."""
    from edgeeff.training import runs

    if _document(folder) in (b"", former):
        return "stopped before the training began: nothing of it is saved"
    run = runs.read_run(folder)
    if run.finished:
        return f"stopped after all epochs: the run in {folder} is finished"
    if not run.best:
        return f"stopped in the first epoch, nothing of it is saved: {again} begins it anew"
    saved = f"{len(run.epochs)} of {run.plan['epochs']} epochs are saved in {folder}"
    best = f"the best, {run.best.epoch}, names {run.best.val_top1:.2%} of val right"
    return f"stopped: {saved} ({best}): {again} goes on"


def _line(run: Run, left: float) -> str:
    """An epoch in one line, with an estimate of what is left."""
    one = run.epochs[-1]
    return (
        f"epoch {one.epoch} of {run.plan['epochs']}: loss {one.loss:.3f}, "
        f"val top-1 {one.val_top1:.2%}, {one.images_per_second:.1f} pictures/s, "
        f"{left / 60:.0f} min left"
    )


def _say_notes(terminal: Terminal, run: Run, said: set[str]) -> None:
    """Say what the user must be told, but for what was ``said`` already."""
    for note in run.notes:
        if note not in said:
            terminal.note(note)
    said.update(run.notes)


def _summary(terminal: Terminal, run: Run, *, qat: bool) -> None:
    """What a run made, and what to do next if that is left to the user."""
    from edgeeff.training import runs

    best = run.best
    rows = [
        (
            "classes",
            f"{len(run.labels)}: {', '.join(run.labels[:6])}{', …' * (len(run.labels) > 6)}",
        ),
        ("pictures", ", ".join(f"{count} {part}" for part, count in run.pictures.items() if count)),
        ("weights", f"began with {run.weights.source}"),
        ("best", f"epoch {best.epoch}: {best.val_top1:.2%} of val" if best else "none"),
        *([("test", f"{run.test_top1:.2%}")] if run.test_top1 is not None else []),
        ("took", f"{sum(one.seconds for one in run.epochs) / 60:.1f} min"),
        ("kept", str(run.folder / runs.BEST)),
    ]
    epochs = "1 epoch" if len(run.epochs) == 1 else f"{len(run.epochs)} epochs"
    terminal.pairs(rows, title=f"{run.folder}: {run.settings.variant}, {epochs}")
    if not qat:
        terminal.say("\nnext:")
        terminal.command("edgeeff convert", f"--weights {word(run.folder)}", "--int8")
