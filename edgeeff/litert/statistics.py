"""What is known of a float network's activations: ranges, means and spreads per channel.

Two sources give the same value: the trained network's BatchNorm layers, which
``edgeeff.export`` embeds in the float .tflite, and a pass over pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from edgeeff.errors import InputError

METADATA_NAME = "edgeeff.statistics/1"
"""Name of the flatbuffer metadata that holds them, as safetensors."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TensorStatistics:
    """One activation tensor, channel by channel (the last axis).

    Attributes:
        mean: float32 [channels].
        deviation: standard deviation, float32 [channels]; ``None`` where not known.
        minimum: smallest value, float32 [channels]; ``None`` where not known.
        maximum: largest value, float32 [channels]; ``None`` where not known.
    """

    mean: FloatArray
    deviation: FloatArray | None = None
    minimum: FloatArray | None = None
    maximum: FloatArray | None = None


@dataclass(frozen=True)
class Statistics:
    """The activations of one network by tensor name.

    Attributes:
        source: ``"batchnorm"`` or ``"pictures"``.
        count: pictures seen; 0 for BatchNorm, whose training set is not known.
        tensors: only those about which something is known.
    """

    source: str
    count: int = 0
    tensors: Mapping[str, TensorStatistics] = field(default_factory=dict)


PARTS = ("mean", "deviation", "minimum", "maximum")


def to_bytes(statistics: Statistics) -> bytes:
    """Serialise as safetensors: tensor ``NAME:mean`` and so on; deterministic."""
    arrays = {
        f"{name}:{part}": np.ascontiguousarray(getattr(tensor, part), np.float32)
        for name, tensor in sorted(statistics.tensors.items())
        for part in PARTS
        if getattr(tensor, part) is not None
    }
    return safetensors.numpy.save(arrays, {"source": statistics.source})


def from_bytes(content: bytes) -> Statistics:
    """Read what ``to_bytes`` wrote. Raises ``InputError`` for anything else."""
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError) as error:
        hint = "convert the network again"
        raise InputError(
            f"the embedded activation statistics are damaged: {error}", hint
        ) from error
    parts: dict[str, dict[str, FloatArray]] = {}
    for key, values in arrays.items():
        name, _, part = key.rpartition(":")
        if part not in PARTS or values.ndim != 1 or not np.isfinite(values).all():
            raise InputError(f"the embedded activation statistics are damaged at {key!r}")
        parts.setdefault(name, {})[part] = values.astype(np.float32)
    incomplete = [name for name, found in parts.items() if "mean" not in found]
    if incomplete:
        raise InputError(f"the embedded activation statistics lack the mean of {incomplete[0]!r}")
    return Statistics("batchnorm", 0, {name: TensorStatistics(**p) for name, p in parts.items()})
