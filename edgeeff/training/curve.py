"""The learning curve of a run as a picture: losses and accuracies over the epochs."""

from __future__ import annotations

from collections.abc import Sequence

from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, beside
from edgeeff.drawing.svg import BLUE, ORANGE, Plot
from edgeeff.training.runs import Run


def curve(run: Run) -> Plot:
    """Draw the epochs of a run, one at least."""
    return beside(_name(run), charts(run))


def charts(run: Run) -> tuple[Chart, Chart]:
    """The losses and the accuracies of a run over its epochs."""
    name, best = _name(run), run.best
    said = f", best {best.val_top1:.2%} in epoch {best.epoch}" if best else ""
    loss = _chart(
        f"{name}: loss",
        Axis("loss"),
        [one.loss for one in run.epochs],
        [one.val_loss for one in run.epochs],
    )
    top1 = _chart(
        f"top-1{said}",
        Axis("top-1", "{:.0%}".format, bounds=(0.0, 1.0)),
        [one.accuracy for one in run.epochs],
        [one.val_top1 for one in run.epochs],
    )
    return loss, top1


def _name(run: Run) -> str:
    return f"{run.settings.variant} on {run.settings.dataset or run.settings.data}"


def _chart(title: str, y: Axis, training: Sequence[float], judged: Sequence[float]) -> Chart:
    series = [
        Series(
            name, colour, [Point(number, one) for number, one in enumerate(line, 1)], joined=True
        )
        for name, colour, line in (
            ("in training, changed pictures", ORANGE, training),
            ("to choose by, running average", BLUE, judged),
        )
    ]
    return Chart(title, Axis("epoch"), y, series)
