"""What a user says of the preprocessing of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeeff.errors import UsageError
from edgeeff.evaluation.inputs import find_preprocessing, input_shape
from edgeeff.pictures.preprocessing import Preprocessing, from_options

ANY = 224
"""A side of pictures: RGB ones take whatever words others take."""


@dataclass(frozen=True)
class Normalisation:
    """The words of ``--mean``, ``--std`` and ``--resize`` (see ``preprocessing.from_options``).

    Attributes:
        scale: the first two; ``None``: as the model's file says.
        resize: ``None``: bilinear where the scale is given, else as the file says.
    """

    scale: tuple[str, str] | None
    resize: str | None = None

    def of(self, model: Path) -> Preprocessing:
        """The preprocessing for a model's pictures. Raises ``InputError``, ``UsageError``."""
        if self.scale is not None:
            return from_options(input_shape(model), *self.scale, self.resize or "bilinear")
        own = find_preprocessing(model)
        return own if self.resize is None else own.resized(self.resize)


def normalisation(
    mean: str | None, std: str | None, resize: str | None = None
) -> Normalisation | None:
    """What was said; ``None`` if nothing was. Raises ``UsageError`` as ``scale`` does."""
    said = scale(mean, std, resize)
    return None if said is None and resize is None else Normalisation(said, resize)


def scale(mean: str | None, std: str | None, resize: str | None = None) -> tuple[str, str] | None:
    """Mean and std; ``None`` if neither was said.

    Raises:
        UsageError: words that are wrong for every model, or one without the other.
    """
    from_options(
        ANY,
        "0" if mean is None else mean,
        "1" if std is None else std,
        "bilinear" if resize is None else resize,
    )
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        given, missing = (f"--mean {mean}", "--std") if std is None else (f"--std {std}", "--mean")
        raise UsageError(
            f"{given} without {missing}: they go together", "such as --mean 127 --std 128"
        )
    return mean, std
