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
    guessing = None if found is None else against_guessing(found.top1, found.classes)
    if found is None or guessing is None:
        return None
    return (
        f"top-1 of {found.top1.value:.1%} {whose} is {guessing}: are the labels in the order of "
        "its outputs, and --mean, --std and --resize those of its training?"
    )


def of_several_classes(exclusive: bool, found: Accuracy | None) -> str | None:
    """A doubt if accuracy is of a network in which no class excludes another.

    Args:
        exclusive: whether one does, as ``Classifier.exclusive`` says.
        found: its accuracy; ``None`` without labels.
    """
    if exclusive or found is None:
        return None
    return (
        "each class has a score of its own, and several may be right: top-1 and top-5 count the "
        "one label of a picture"
    )


def against_guessing(top1: Share, classes: int) -> str | None:
    """In words, what a share of right answers is to guessing.

    Returns:
        What follows "is"; ``None`` if it is better, or the pictures are too few to tell.
    """
    chance = 1 / classes
    if top1.low > chance or top1.high >= (1 + chance) / 2:
        return None
    if top1.high < chance:
        return f"worse than guessing among {classes:,} classes"
    return f"what guessing among {classes:,} classes gives"


def another_network(reference: Path | None, found: Fidelity | None) -> str | None:
    """A doubt if a model and its reference have nothing in common; ``None`` if they have."""
    if reference is None or found is None or found.median_image_sqnr_db >= UNLIKE_DB:
        return None
    return (
        f"the answers differ by more than they say ({found.median_image_sqnr_db:.1f} dB at the "
        f"median picture): is {reference} the float network that the model was made from?"
    )


def quantized_reference(reference: Path | None, quantized: bool) -> str | None:
    """A doubt if a reference is itself quantized; ``None`` if it is float or there is none."""
    if reference is None or not quantized:
        return None
    return (
        f"{reference} is quantized itself: these figures compare two quantized models, and say "
        "nothing of what the float network would answer"
    )
