"""What a user says of the preprocessing of models whose files do not say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeeff.errors import UsageError
from edgeeff.evaluation.inputs import input_shape
from edgeeff.pictures.preprocessing import Preprocessing, from_options


@dataclass(frozen=True)
class Normalisation:
    """The words of ``--mean``, ``--std`` and ``--resize`` (see ``preprocessing.from_options``)."""

    mean: str
    std: str
    resize: str = "bilinear"

    def of(self, model: Path) -> Preprocessing:
        """The preprocessing for a model's pictures. Raises ``InputError``, ``UsageError``."""
        return from_options(input_shape(model), self.mean, self.std, self.resize)


def normalisation(
    mean: str | None, std: str | None, resize: str | None = None
) -> Normalisation | None:
    """What was said; ``None`` if nothing was. Raises ``UsageError`` for half of it."""
    if mean is None and std is None and resize is None:
        return None
    if mean is None or std is None:
        raise UsageError("--mean and --std go together", "such as --mean 127 --std 128")
    return Normalisation(mean, std, resize or "bilinear")
