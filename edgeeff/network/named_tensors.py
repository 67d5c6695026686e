"""A network's weights between a file and the network: tensors by name.

The names are ``layer/variable`` as tf_keras has them (``stem_conv/kernel``,
``block1a_dwconv/depthwise_kernel``, ``stem_bn/moving_mean``, ``logits/bias``). They are also
the names inside the .safetensors files that edgeeff writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.network.saved_layers import SavedLayer

Arrays = Mapping[str, npt.NDArray[Any]]

VARIABLES: Mapping[str, tuple[str, ...]] = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "normalization": ("mean", "variance", "count"),
}
"""The variables of a layer class, in the order in which Keras numbers them."""

LARGEST_TENSOR = 1 << 26
"""Elements; the largest of any variant (B7's classifier) has 2.6 million."""


@dataclass(frozen=True)
class PixelScaling:
    """What a network does to pixels (0..255) before its first convolution.

    Attributes:
        mean: per channel (R, G, B).
        std: per channel; ``(pixel - mean) / std`` is what the convolution sees.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class NamedTensors:
    """What a weight file holds.

    Attributes:
        tensors: arrays in Keras' layout by name.
        scaling: of the network that the file was saved from, if the file says.
        layers: of that network, if the file describes them; ``None``: it holds weights alone.
    """

    tensors: Arrays
    scaling: PixelScaling | None = None
    layers: tuple[SavedLayer, ...] | None = None


def check_size(file: object, name: str, shape: Iterable[int]) -> None:
    """Raise ``InputError`` for a tensor too large for any EfficientNet, before it is read."""
    elements = 1
    for size in shape:
        elements *= size
    if elements > LARGEST_TENSOR:
        raise InputError(
            f"{file}: tensor {name!r} of shape {list(shape)} is too large for an EfficientNet",
            "is this the weight file of another network?",
        )


def as_float32(file: object, name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The values as float32. Raises ``InputError`` if they are not finite numbers."""
    if values.dtype.kind not in "fiu":
        raise InputError(f"{file}: tensor {name!r} holds {values.dtype}, not numbers")
    converted = values.astype(np.float32)
    if not np.isfinite(converted).all():
        raise InputError(
            f"{file}: tensor {name!r} holds values that are not finite numbers",
            "the training that wrote it diverged, or the file is damaged",
        )
    return converted
