"""Runs of ``edgeeff train`` as the report shows them."""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.drawing.charts import chart
from edgeeff.drawing.svg import Plot
from edgeeff.training.curve import charts
from edgeeff.training.runs import Run


@dataclass(frozen=True)
class Training:
    """A run.

    Attributes:
        name: its place in the folder.
        facts: names and values, in words.
        command: makes it again.
        plots: loss and accuracy by epoch; none before the first epoch is done.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    command: str
    plots: tuple[Plot, ...]


def training(name: str, run: Run) -> Training:
    """What is shown of a run."""
    settings, best = run.settings, run.best
    pictures = ", ".join(f"{count:,} {part}" for part, count in run.pictures.items() if count)
    done = f"{len(run.epochs)} of {run.plan.get('epochs')} epochs"
    facts = [
        ("network", f"{settings.variant}, {run.preprocessing.resolution} pixels"),
        ("pictures", f"{settings.dataset or settings.data}: {pictures}"),
        ("classes", f"{len(run.labels):,}"),
        ("began with", run.weights.source),
        ("state", "finished" if run.finished else f"not finished: {done}"),
    ]
    if best is not None:
        right = f"{best.val_top1:.2%} of the pictures to choose by"
        facts.append(("best", f"epoch {best.epoch}: {right}"))
    if run.test_top1 is not None:
        facts.append(("test", f"{run.test_top1:.2%} of pictures that nothing was chosen by"))
    facts += [("note", note) for note in run.notes]
    facts += [(f"sha256 of {file}", digest) for file, digest in run.sha256.items()]
    drawn = tuple(map(chart, charts(run))) if run.epochs else ()
    return Training(name, tuple(facts), run.command, drawn)
