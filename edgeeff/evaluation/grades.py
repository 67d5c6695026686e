"""Whether a figure of fidelity is good, fair or bad for a quantized classifier.

The limits are what networks of about 1000 classes showed (docs/results.md): above the good ones no
labelled pictures told a quantized network from its float network. What is bad is what ``verdict``
calls a ruined network.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.evaluation.accuracy import Share, wilson
from edgeeff.evaluation.verdict import LEAST_AGREEMENT, LEAST_SQNR_DB, MOST_KL

GOOD, FAIR, BAD = "good", "fair", "BAD"


@dataclass(frozen=True)
class Bounds:
    """Between the two a figure is fair.

    Attributes:
        good: from here on it is good.
        bad: beyond this it is bad.
    """

    good: float
    bad: float

    def grade(self, value: float) -> str:
        """``GOOD``, ``FAIR`` or ``BAD``; which side is better follows from the bounds."""
        sign = 1 if self.good > self.bad else -1
        if sign * value >= sign * self.good:
            return GOOD
        return FAIR if sign * value >= sign * self.bad else BAD


AGREEMENT = Bounds(good=0.96, bad=LEAST_AGREEMENT)
"""Share of pictures with the float network's answer, 0..1."""

SQNR_DB = Bounds(good=21, bad=LEAST_SQNR_DB)
"""Of the median picture's logits."""

KL = Bounds(good=0.01, bad=MOST_KL)
"""Divergence of the probabilities, in nats."""

FEW_OWN_DB = 4
"""From this much below the median picture's ratio on, that of the sums is of a few pictures: Lite
networks measured at most 3.1 dB between the two, a B0 up to 28 (docs/results.md)."""


def few_own(summed: float, median: float) -> bool:
    """Whether a few pictures own the error of all together, and are answered much worse.

    A sum that is good itself leaves no picture that is answered badly, however much better the
    median picture has it.

    Args:
        summed: the ratio of the logits of all pictures, in dB.
        median: that of the median picture.
    """
    return median - summed >= FEW_OWN_DB and SQNR_DB.grade(summed) != GOOD


def agreement_grade(share: Share) -> tuple[str, bool]:
    """The grade of a share, and whether the pictures are enough to prove it good.

    It is bad only if its whole interval is.
    """
    grade = AGREEMENT.grade(share.value)
    if grade == BAD and share.high >= AGREEMENT.bad:
        grade = FAIR
    return grade, share.low >= AGREEMENT.good


def few(images: int) -> bool:
    """Whether so many pictures prove no agreement good, even if all of them are answered alike."""
    return not agreement_grade(wilson(images, images))[1]
