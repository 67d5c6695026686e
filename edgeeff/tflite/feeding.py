"""From a picture's pixels to the values that a model's input tensor takes: the one rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.runner import TensorInfo, dequantize, quantize

TOLERANCE = 3.0
"""By how much of 0..255 a grid may miss pixel values and still be the grid of pixel values."""

MOST_MISSED = 24.0
"""A grid that misses normalised values by more than this, on the scale 0..255, is not theirs.

TFLiteConverter's grid of Lite0, calibrated on 120 crops of photographs, misses white by 16.1: few
calibration pictures hold every value of a pixel.
"""

Feed = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""From pictures, uint8 [..., channels], to what the input takes for them, of the same shape."""


def feeding(info: TensorInfo, preprocessing: Preprocessing) -> Feed:
    """How an input tensor is fed.

    - A float input takes normalised values, ``(pixel - mean) / std``.
    - A quantized input takes real values on its grid (scale and zero point). Which ones, the grid
      tells: pixel values 0..255 if it holds them, to within ``TOLERANCE``, at least as well as it
      holds normalised values (the graph then normalises them itself); else normalised values.
    - A uint8 input whose values by the line before are the picture's bytes, to within
      ``TOLERANCE`` steps, takes the bytes as they are, because apps feed them so. That is each
      uint8 file that edgeeff writes. A uint8 input without a grid takes the bytes too.

    Args:
        info: the input, with the channels of pictures in its last dimension.
        preprocessing: of the float network.

    Raises:
        InputError: an integer input that does not say which real values it takes, or one whose
            grid holds neither pixel values nor those that this preprocessing makes.
    """
    if np.issubdtype(info.dtype, np.floating):
        return lambda pixels: preprocessing.normalised(pixels).astype(info.dtype)
    if takes_bytes(info, preprocessing):
        return lambda pixels: pixels
    table = _table(info, preprocessing)
    return lambda pixels: table[pixels, np.arange(preprocessing.channels)]


def takes_bytes(info: TensorInfo, preprocessing: Preprocessing) -> bool:
    """Whether an input takes the picture's bytes as they are. ``InputError`` as ``feeding``."""
    if info.dtype != np.uint8:
        return False
    table = _table(info, preprocessing)
    return bool(abs(table.astype(int) - _every_pixel(preprocessing)).max() <= TOLERANCE)


def takes_pixels(info: TensorInfo, preprocessing: Preprocessing) -> bool:
    """Whether an input's real values are those of pixels, 0..255: its graph normalises them.

    Raises ``InputError`` as ``feeding`` does.
    """
    if np.issubdtype(info.dtype, np.floating):
        return False
    if info.scale is None:
        _table(info, preprocessing)
        return True
    taken = dequantize(_table(info, preprocessing), info)
    return bool(abs(taken - _every_pixel(preprocessing)).max() <= TOLERANCE)


def _table(info: TensorInfo, preprocessing: Preprocessing) -> NDArray[Any]:
    """What the input takes for each value of a pixel in each channel, raw, [256, channels]."""
    every = _every_pixel(preprocessing)
    if info.scale is None:
        if info.dtype == np.uint8:
            return every
        raise InputError(
            f"input {info.name} takes {info.dtype} without a scale and a zero point",
            "which real values its integers stand for is not known",
        )
    pixels, normalised = every.astype(np.float32), preprocessing.normalised(every)
    std = np.asarray(preprocessing.std)
    of_pixels, missed_pixels = _on_grid(pixels, info, 1.0)
    of_normalised, missed_normalised = _on_grid(normalised, info, std)
    if missed_pixels <= min(TOLERANCE, missed_normalised):
        return of_pixels
    if missed_normalised <= MOST_MISSED:
        return of_normalised
    raise InputError(
        f"input {info.name} holds neither pixel values nor normalised ones: its scale is "
        f"{info.scale:g}, its zero point {info.zero_point}, and the preprocessing makes values "
        f"from {normalised.min():.3g} to {normalised.max():.3g}",
        "are these the mean and std that the network was trained with?",
    )


def _every_pixel(preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Every value of a pixel in every channel, uint8 [256, channels]."""
    return np.arange(256, dtype=np.uint8)[:, None].repeat(preprocessing.channels, axis=1)


def _on_grid(
    values: NDArray[np.float32], info: TensorInfo, unit: float | NDArray[np.float64]
) -> tuple[NDArray[Any], float]:
    """Raw values, and the largest error they make, in pixel values of ``unit`` each."""
    raw = quantize(values, info)
    return raw, float((abs(dequantize(raw, info) - values) * unit).max())
