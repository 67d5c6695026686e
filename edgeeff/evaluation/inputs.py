"""Where a model's preprocessing is written down."""

from __future__ import annotations

from pathlib import Path

from edgeeff.errors import InputError
from edgeeff.preprocessing import Preprocessing


def find_preprocessing(model: Path, *, otherwise: Preprocessing | None = None) -> Preprocessing:
    """The preprocessing of a model: as its manifest says.

    Args:
        model: a ``.tflite`` file.
        otherwise: what holds if it says nothing.

    Raises:
        InputError: it says nothing, and neither does the caller.
    """
    if otherwise is not None:
        return otherwise
    hint = "say it with --mean, --std and --resize (such as --mean 127 --std 128)"
    raise InputError(f"{model} does not say how its pictures are preprocessed", hint)
