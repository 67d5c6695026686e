"""What is known of a float network's activations: ranges, means and spreads per channel.

Two sources give the same value: the trained network's BatchNorm layers, which
``edgeeff.network.export`` embeds in the float .tflite, and a pass over pictures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edgeeff import foreign
from edgeeff.arrays import FloatArray
from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph

METADATA_NAME = "edgeeff.statistics/1"
"""Name of the flatbuffer metadata that holds them, as safetensors."""

WEIGHTS_NAME = "edgeeff.statistics.weights/1"
"""Likewise: the sha256 of the weights that they describe, hex."""


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


def rescaled(statistics: TensorStatistics, factor: npt.NDArray[np.float64]) -> TensorStatistics:
    """Those of channels that are multiplied by factors above zero, [channels]."""

    def times(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else (values * factor).astype(np.float32)

    return TensorStatistics(
        (statistics.mean * factor).astype(np.float32),
        times(statistics.deviation),
        times(statistics.minimum),
        times(statistics.maximum),
    )


def selected(statistics: TensorStatistics, channels: npt.NDArray[np.int64]) -> TensorStatistics:
    """What is known of some of the channels."""

    def some(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[channels]

    return TensorStatistics(
        statistics.mean[channels],
        some(statistics.deviation),
        some(statistics.minimum),
        some(statistics.maximum),
    )


@dataclass(frozen=True)
class Statistics:
    """The activations of one network by tensor name.

    Attributes:
        source: one of ``SOURCES``.
        tensors: only those about which something is known.
        outdated: the weights are no longer those that they describe.
    """

    source: str
    tensors: Mapping[str, TensorStatistics] = field(default_factory=dict)
    outdated: bool = False


PARTS = ("mean", "deviation", "minimum", "maximum")
SOURCES = ("batchnorm", "pictures")


def to_bytes(statistics: Statistics) -> bytes:
    """Serialise as safetensors: tensor ``NAME:mean`` and so on; deterministic."""
    import safetensors.numpy

    arrays = {
        f"{name}:{part}": np.ascontiguousarray(getattr(tensor, part), np.float32)
        for name, tensor in sorted(statistics.tensors.items())
        for part in PARTS
        if getattr(tensor, part) is not None
    }
    return safetensors.numpy.save(arrays, {"source": statistics.source})


def from_bytes(content: bytes) -> Statistics:
    """Read what ``to_bytes`` wrote. Raises ``InputError`` for anything else."""
    import safetensors.numpy

    hint = "convert the network again"
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:  # KeyError: of its type
        raise InputError(
            f"the embedded activation statistics are damaged: {foreign.reason(error)}", hint
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
    tensors = {name: TensorStatistics(**found) for name, found in parts.items()}
    return Statistics(_source(content), tensors)


def _source(content: bytes) -> str:
    """The source that safetensors with a valid header name, which its reader leaves out."""
    end = 8 + int.from_bytes(content[:8], "little")
    source = json.loads(content[8:end]).get("__metadata__", {}).get("source")
    if source not in SOURCES:
        raise InputError(
            f"the embedded activation statistics come from {source!r}, which is not known here",
            f"this edgeeff knows {', '.join(SOURCES)}; convert the network again",
        )
    return str(source)


def attach(graph: Graph, statistics: Statistics) -> None:
    """Put statistics into a float model, and with them which weights they describe."""
    graph.attach(METADATA_NAME, to_bytes(statistics))
    graph.attach(WEIGHTS_NAME, weights_sha256(graph).encode())


def attached(graph: Graph) -> Statistics | None:
    """The statistics in a float model, if it has any. Raises ``InputError`` if damaged."""
    embedded = graph.attached(METADATA_NAME)
    if not embedded:
        return None
    described = graph.attached(WEIGHTS_NAME)
    outdated = described != weights_sha256(graph).encode()
    return replace(from_bytes(embedded), outdated=outdated)


def detach(graph: Graph) -> None:
    """Take the statistics off: they are of no use in a quantized model."""
    for name in (METADATA_NAME, WEIGHTS_NAME):
        graph.detach(name)


def weights_sha256(graph: Graph) -> str:
    """Of all constants with their names, whatever their order in the file, hex."""
    constants = {
        tensor.name: values for tensor in graph.tensors if (values := tensor.values) is not None
    }
    digest = hashlib.sha256()
    for name, values in sorted(constants.items()):
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
