"""How long, and how fast at each step: the plan of a training, known before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.training.settings import TrainingSettings, usual_epochs

FINAL = 0.01
"""What is left of the highest rate at the end of the cosine."""

FINE_TUNING, FROM_NOTHING = 3e-4, 1e-3
"""The highest learning rates where none is given, for trained weights and for none."""

LEAST_STEPS = 8
"""Of an epoch: few pictures are taken in smaller batches."""


@dataclass(frozen=True)
class Phase:
    """Epochs that train the same layers.

    Attributes:
        name: ``head`` or ``all``.
        first: number of its first epoch.
        epochs: how many.
        rates: the learning rate of each step, float32 [steps].
    """

    name: str
    first: int
    epochs: int
    rates: NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """What a training will do.

    Attributes:
        epochs: in all.
        batch: pictures of a step.
        steps: of an epoch.
        phases: in order.
    """

    epochs: int
    batch: int
    steps: int
    phases: tuple[Phase, ...]

    def phase(self, epoch: int) -> Phase:
        """The phase that an epoch is in."""
        return next(one for one in reversed(self.phases) if epoch >= one.first)

    @property
    def common_steps(self) -> int:
        """Steps in which all layers learn."""
        return self.steps * sum(one.epochs for one in self.phases if one.name == "all")

    def to_json(self) -> dict[str, Any]:
        """The numbers that decide, as JSON values."""
        return {
            "epochs": self.epochs,
            "batch": self.batch,
            "steps": self.steps,
            "head_epochs": sum(one.epochs for one in self.phases if one.name == "head"),
            "learning_rate": float(self.phases[-1].rates.max()),
        }


def plan(settings: TrainingSettings, pictures: int, *, trained: bool, parts: int = 1) -> Plan:
    """The plan for so many pictures.

    Args:
        settings: epochs, head_epochs, batch, learning rates, warmup.
        pictures: to learn from.
        trained: whether the layers below the classifier have weights that know something.
        parts: devices of all workers; a batch is a multiple of it.
    """
    batch = min(settings.batch, max(parts, pictures // LEAST_STEPS))
    batch = max(parts, batch // parts * parts)
    steps = max(1, pictures // batch)
    epochs = settings.epochs or usual_epochs(pictures)
    usual = 1 if trained and epochs > 1 else 0
    head = min(usual if settings.head_epochs is None else settings.head_epochs, epochs)
    highest = settings.learning_rate or (FINE_TUNING if trained else FROM_NOTHING)
    phases = []
    if head:
        constant = np.full(head * steps, settings.head_learning_rate, np.float32)
        phases.append(Phase("head", 0, head, constant))
    if epochs > head:
        rates = cosine((epochs - head) * steps, highest, settings.warmup)
        phases.append(Phase("all", head, epochs - head, rates))
    return Plan(epochs, batch, steps, tuple(phases))


def cosine(steps: int, highest: float, warmup: float) -> NDArray[np.float32]:
    """Rates that rise along a line, then fall along half a cosine (Loshchilov, arXiv 1608.03983).

    Args:
        steps: how many rates.
        highest: the one between.
        warmup: share of the steps that rise.
    """
    rising = int(steps * warmup)
    up = (np.arange(rising) + 1) / (rising + 1)
    place = np.arange(steps - rising) / max(1, steps - rising)
    down = FINAL + (1 - FINAL) * (1 + np.cos(np.pi * place)) / 2
    return (highest * np.concatenate([up, down])).astype(np.float32)
