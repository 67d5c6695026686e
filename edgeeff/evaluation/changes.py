"""The pictures on which a model names another class than its float network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff import files
from edgeeff.pictures.images import Picture

MOST_LISTED = 64
"""Pictures of a document: those that the float network was surest of."""


@dataclass(frozen=True)
class Answer:
    """A network's most likely class, and the probability that it gives it."""

    number: int
    probability: float

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """``{class, name, probability}``; the name is null where none is known."""
        name = classes[self.number] if self.number < len(classes) else None
        return {"class": self.number, "name": name, "probability": self.probability}


@dataclass(frozen=True)
class Change:
    """A picture with another answer than before.

    Attributes:
        path: of the picture.
        label: its right class; ``None`` if that is not known.
        reference: the float network's answer.
        model: the answer of the model that was judged.
        sha256: of the picture's file, where the change is listed.
    """

    path: Path
    label: int | None
    reference: Answer
    model: Answer
    sha256: str = ""

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "label": self.label,
            "reference": self.reference.to_json(classes),
            "model": self.model.to_json(classes),
        }


def changes(
    pictures: Sequence[Picture], reference: NDArray[np.float64], model: NDArray[np.float64]
) -> Iterator[Change]:
    """Those of some pictures whose most likely class differs.

    Args:
        pictures: in the order of the rows.
        reference: the float network's probabilities, [pictures, classes].
        model: likewise of the model.
    """
    before, after = reference.argmax(axis=1), model.argmax(axis=1)
    for row in np.flatnonzero(before != after).tolist():
        yield Change(
            pictures[row].path,
            pictures[row].label,
            Answer(int(before[row]), float(reference[row, before[row]])),
            Answer(int(after[row]), float(model[row, after[row]])),
        )


def surest(found: Sequence[Change]) -> tuple[Change, ...]:
    """The changes to list: the float network's surest answers first."""
    ordered = sorted(found, key=lambda change: (-change.reference.probability, str(change.path)))
    listed = ordered[:MOST_LISTED]
    return tuple(replace(change, sha256=files.sha256(change.path)) for change in listed)
