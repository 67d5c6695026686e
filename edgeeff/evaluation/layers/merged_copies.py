"""Undoes the splitting of channels, to compare a split network with the float one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray
from edgeeff.quantization.corrections.splitting import Chain, first_chain
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

ALIKE = 0.9
"""Cosine between two kernels from which one can be a copy of the other."""


@dataclass(frozen=True)
class MergedCopies:
    """Which channels of a quantized network's first chain are copies.

    Attributes:
        chain: of the float network.
        source: the float channel behind each quantized one, int64 [quantized channels].
        channels: of the float network.
    """

    chain: Chain
    source: npt.NDArray[np.int64]
    channels: int

    @property
    def replaced(self) -> npt.NDArray[np.int64]:
        """Float channels that are not in the quantized network: copies took their places."""
        return np.flatnonzero(self.source[: self.channels] != np.arange(self.channels))

    def concerns(self, operator: Operator) -> bool:
        """Whether the channels of an operator's output were copied."""
        return operator in (self.chain.first, self.chain.depthwise)

    def values(self, found: FloatArray, truth: FloatArray) -> FloatArray:
        """The mean of each channel's copies; channels that were replaced as in ``truth``.

        Args:
            found: of the quantized network, [..., quantized channels].
            truth: of the float network, [..., channels].
        """
        count = np.bincount(self.source, minlength=self.channels)
        mean: FloatArray = (self._sum(found) / np.maximum(count, 1)).astype(np.float32)
        mean[..., self.replaced] = truth[..., self.replaced]
        return mean

    def kernel(self, operator: Operator, found: FloatArray, truth: FloatArray) -> FloatArray:
        """A layer's kernel as if nothing had been copied; arguments as for ``values``."""
        if operator == self.chain.first:
            return np.moveaxis(
                self.values(np.moveaxis(found, 0, -1), np.moveaxis(truth, 0, -1)), -1, 0
            )
        if operator == self.chain.depthwise:
            return self.values(found, truth)
        if operator == self.chain.merging:
            # What replaced channels contributed is in the bias.
            return self._sum(found)
        return found

    def bias(self, operator: Operator, found: FloatArray, truth: FloatArray) -> FloatArray:
        """A layer's bias likewise."""
        return self.values(found, truth) if self.concerns(operator) else found

    def _sum(self, found: FloatArray) -> FloatArray:
        total: FloatArray = found @ np.eye(self.channels, dtype=np.float32)[self.source]
        return total


def merged_copies(graph: Graph, first_kernel: FloatArray) -> MergedCopies | None:
    """Find copies by their kernels.

    Args:
        graph: the float network.
        first_kernel: real values of the quantized network's first convolution.

    Returns:
        ``None`` if there are none.
    """
    chain = first_chain(graph)
    if chain is None:
        return None
    own = _directions(graph.weights(chain.first))
    cosine = _directions(first_kernel) @ own.T
    places = np.arange(len(cosine))
    source = np.where(places < len(own), places, cosine.argmax(axis=1))
    itself = cosine[places, source]
    best = cosine.max(axis=1)
    source = np.where((best > ALIKE) & (itself < ALIKE), cosine.argmax(axis=1), source)
    if len(source) == len(own) and (source == places).all():
        return None
    return MergedCopies(chain, source, len(own))


def _directions(kernel: FloatArray) -> npt.NDArray[np.float64]:
    rows = kernel.reshape(len(kernel), -1).astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = rows / np.where(length > 0, length, 1.0)
    return unit
