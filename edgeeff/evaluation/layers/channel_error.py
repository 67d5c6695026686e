"""Signal and noise of each channel of an activation, gathered picture by picture."""

from __future__ import annotations

import math

import numpy as np

from edgeeff.arrays import FloatArray

SILENT = 1e-4
"""A channel of less than this share of the usual power carries nothing that could be lost."""

FAINT = 0.01
"""A channel of less than this share of the usual power counts as if it had so much."""


class ChannelError:
    """What another version of an activation does to it."""

    def __init__(self, channels: int) -> None:
        self._power = np.zeros(channels, np.float64)
        self._noise = np.zeros(channels, np.float64)

    def add(self, truth: FloatArray, found: FloatArray) -> None:
        """Count one more picture; both have the channels last."""
        x = truth.reshape(-1, truth.shape[-1])
        error = x - found.reshape(x.shape)
        self._power += np.einsum("ij,ij->j", x, x, dtype=np.float64)
        self._noise += np.einsum("ij,ij->j", error, error, dtype=np.float64)

    def sqnr_db(self) -> float:
        """Signal to noise, every channel weighed by its own spread.

        Otherwise a channel that reaches far beyond the others would hide what it does to them. A
        channel with next to no signal does not count more than one with a tenth of the usual, and
        one that is silent not at all: trained networks have such channels, which nobody reads.
        """
        power = self._power
        usual = float(np.median(power[power > 0])) if power.any() else 0.0
        weight = (power > SILENT * usual) / np.maximum(power, FAINT * usual + 1e-30)
        total, lost = float((power * weight).sum()), float((self._noise * weight).sum())
        if lost == 0:
            return math.inf
        return 10 * math.log10(total / lost) if total > 0 else -math.inf
