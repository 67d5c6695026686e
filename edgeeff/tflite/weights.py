"""The weights of a layer as a matrix, whatever the layout of its kernel."""

from __future__ import annotations

import numpy as np

from edgeeff.arrays import FloatArray
from edgeeff.tflite.model import Operator


def per_channel(operator: Operator, weights: FloatArray) -> FloatArray:
    """A kernel as a matrix with one row per output channel, ``[channels, taps]``."""
    if operator.kind == "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
    return weights.reshape(weights.shape[0], -1)


def from_per_channel(operator: Operator, matrix: FloatArray, like: FloatArray) -> FloatArray:
    """The inverse of ``per_channel``: a kernel of the shape of ``like``."""
    if operator.kind == "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(matrix.T).reshape(like.shape)
    return matrix.reshape(like.shape)
