"""What the figures of a run make doubtful."""

from __future__ import annotations

from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.doubts import against_guessing
from edgeeff.training.runs import Run


def doubts(run: Run) -> tuple[str, ...]:
    """A sentence if the best weights are no better than guessing, as far as the pictures tell."""
    if run.best is None:
        return ()
    top1, judged, classes = run.best.val_top1, run.pictures["val"], len(run.labels)
    guessing = against_guessing(wilson(round(top1 * judged), judged), classes)
    if guessing is None:
        return ()
    return (
        f"top-1 of {top1:.1%} of val is {guessing}: is each picture in the folder of its class? "
        "More --epochs or another --learning-rate may help",
    )
