"""The int8 grid of an activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOWEST, HIGHEST = -128, 127

RESCALING_END = 256.0
"""XNNPACK loads no layer of which any channel's input scale times weight scale over output scale
gets there (xnn_create_convolution2d_nhwc_qs8_qc8w and its like)."""


def rescaling(rows: npt.NDArray[np.float32], source: float, target: float) -> npt.NDArray[Any]:
    """Input scale times weight scale over output scale, of each channel of a layer.

    Args:
        rows: its weights, [channels, taps].
        source: the width of its input's range; the 255 levels of both activations cancel.
        target: the width of its output's range.

    Returns:
        float64 [channels].
    """
    scales = np.abs(rows).max(axis=1).astype(np.float64) / HIGHEST
    return np.asarray(source * scales / target)


@dataclass(frozen=True)
class Grid:
    """Which real values int8 stands for: real = scale · (raw - zero_point).

    Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference" (2018), equation 1.
    """

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, minimum: float, maximum: float) -> Grid:
        """The grid of a range, widened to hold zero.

        Zero is exactly representable, as padding and ReLU need it (Jacob et al., 2.1).
        """
        low, high = min(minimum, 0.0), max(maximum, 0.0)
        scale = max(high - low, 1e-9) / (HIGHEST - LOWEST)
        zero_point = int(np.clip(np.rint(LOWEST - low / scale), LOWEST, HIGHEST))
        return cls(scale, zero_point)

    @property
    def minimum(self) -> float:
        """The smallest real value."""
        return (LOWEST - self.zero_point) * self.scale

    @property
    def maximum(self) -> float:
        """The largest real value."""
        return (HIGHEST - self.zero_point) * self.scale

    def quantize(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
        """Raw values of real ones, ties to even; saturates."""
        raw = np.rint(values * np.float32(1 / self.scale)) + self.zero_point
        clipped: npt.NDArray[np.int8] = np.clip(raw, LOWEST, HIGHEST).astype(np.int8)
        return clipped

    def dequantize(self, raw: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """Real values of raw ones."""
        real: npt.NDArray[np.float32] = raw.astype(np.float32)
        real -= np.float32(self.zero_point)
        real *= np.float32(self.scale)
        return real


FIXED = {
    "LOGISTIC": Grid(1 / 256, -128),
    "SOFTMAX": Grid(1 / 256, -128),
    "TANH": Grid(1 / 128, 0),
}
"""Outputs whose grid TFLite's int8 specification prescribes, by operator."""
