"""Files of weights as Keras and edgeeff write them, and networks that are compared with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.network import weights
from tests import networks

TINY = networks.tiny_variant()


def values(model: Any) -> dict[str, np.ndarray]:
    """All weights by their names."""
    return {weight.name: weight.numpy() for weight in model.weights}


def assert_same(model: Any, other: Any) -> None:
    """Both have the same weights, to the bit and in the same order."""
    expected = values(other)
    assert list(values(model)) == list(expected)
    for name, found in values(model).items():
        np.testing.assert_array_equal(found, expected[name], name)


def save_whole(model: Any, path: Path) -> None:
    """With its layers, in the format that the path asks for."""
    model.save(path)


def save_weights(model: Any, path: Path) -> None:
    """The weights alone, likewise."""
    model.save_weights(path)


OWN_FILES: dict[str, Callable[[Any, Path], None]] = {
    "whole.h5": save_whole,
    "weights.h5": save_weights,
    "numbered.weights.h5": save_weights,
    "archive.keras": save_whole,
    "named.safetensors": weights.save_safetensors,
    "checkpoint": save_weights,
}
"""What saves a network, by the name of the file."""
