"""What a measurement makes doubtful: that labels, preprocessing or reference are the right ones.

A network that was trained is better than guessing, and a quantized one is like its float network.
Where neither holds, the files are seldom the fault.
"""

from __future__ import annotations

from pathlib import Path

from edgeeff.evaluation.accuracy import Accuracy, Share
from edgeeff.evaluation.fidelity import Fidelity

UNLIKE_DB = 0.0
"""SQNR of the median picture below which errors are larger than what the network says."""


def near_chance(whose: str, found: Accuracy | None) -> str | None:
    """A doubt if a network is no better than guessing, as far as the pictures tell.

    Args:
        whose: the network, in words.
        found: its accuracy; ``None`` without labels.

    Returns:
        A sentence; ``None`` if it is better, or the pictures are too few to tell.
    """
    if found is None or not guesses(found.top1, found.classes):
        return None
    return (
        f"top-1 of {found.top1.value:.1%} {whose} is what guessing among {found.classes:,} classes "
        "gives: are the labels in the order of its outputs, and --mean, --std and --resize those "
        "of its training?"
    )


def guesses(top1: Share, classes: int) -> bool:
    """Whether a share of right answers is what guessing gives; not if pictures are too few."""
    chance = 1 / classes
    return top1.low <= chance and top1.high < (1 + chance) / 2


def another_network(reference: Path | None, found: Fidelity | None) -> str | None:
    """A doubt if a model and its reference have nothing in common; ``None`` if they have."""
    if reference is None or found is None or found.median_image_sqnr_db >= UNLIKE_DB:
        return None
    return (
        f"the answers differ by more than they say ({found.median_image_sqnr_db:.1f} dB at the "
        f"median picture): is {reference} the float network that the model was made from?"
    )
