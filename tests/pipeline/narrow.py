"""A narrow B0, and weights of it as PyTorch has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import safetensors.numpy

from edgeeff.architectures.variants import find_variant
from edgeeff.state_dicts.layouts import places
from edgeeff.state_dicts.origins import ORIGINS

NARROW = replace(find_variant("b0"), width=0.125)


def state_dict(folder: Path, classes: int) -> str:
    """A torchvision network's weights."""
    network = replace(NARROW, classes=classes)
    found = places(ORIGINS["torchvision"].layout, network)
    arrays = {name: np.zeros(place.shape, np.float32) for name, place in found.items()}
    safetensors.numpy.save_file(arrays, folder / "best.safetensors")
    return str(folder / "best.safetensors")
