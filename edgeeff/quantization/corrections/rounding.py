"""Rounding of weights to int8 that keeps a layer's output, not its weights.

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers" (2023), sections 3.1-3.3: weights are rounded one input at a time, and the error
of each is spread over those still to come, as the inverse Hessian of the layer's squared
output error says. Here with one scale per output channel, for convolutions and dense layers
(one Hessian for all channels) and for depthwise convolutions (a small one per channel).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray

RealArray = npt.NDArray[np.floating]

LEVELS = 127
"""Largest magnitude of a symmetric int8 weight; -128 is not used (TFLite's specification)."""

CLIPPINGS = 26
"""Limits that ``clipped_scales`` tries."""

FEW_SAMPLES = 4
"""So many samples for each tap are enough."""

BLOCK = 64
"""Inputs whose error is gathered before it is spread over all later ones (section 3.3)."""


def channel_scales(weights: FloatArray) -> FloatArray:
    """The scale of each output channel: its largest magnitude lands on 127.

    Args:
        weights: [channels, taps].

    Returns:
        [channels, 1], never zero.
    """
    largest = np.abs(weights).max(axis=1, keepdims=True)
    return np.where(largest > 0, largest / LEVELS, 1.0).astype(np.float32)


def clipped_scales(
    weights: FloatArray, least: float, moments: FloatArray | None = None
) -> FloatArray:
    """The scale of each output channel that has the least squared error, its largest cut off.

    Clipping costs on the few weights beyond, and makes the steps of all others finer (Banner et
    al. 2019, "Post training 4-bit quantization", section 3, by search).

    Args:
        weights: [channels, taps].
        least: smallest share of the largest magnitude that may become the limit.
        moments: of the inputs, as ``gptq`` takes them: an error counts by its input's power.

    Returns:
        [channels, 1], never zero.
    """
    power = np.ones(1) if moments is None else np.einsum("...ii->...i", moments)
    widest = channel_scales(weights)
    best, least_error = widest, np.full((len(weights), 1), np.inf)
    for share in np.linspace(1.0, least, CLIPPINGS):
        scales = widest * np.float32(share)
        squares = (nearest(weights, scales) - weights) ** 2
        error = (squares * power).sum(axis=1, keepdims=True)
        best = np.where(error < least_error, scales, best)
        least_error = np.minimum(error, least_error)
    return best


def no_finer(scales: FloatArray, weights: FloatArray, least: FloatArray) -> FloatArray:
    """Scales that are at least so large; of channels without a weight just so large.

    Args:
        scales: [channels, 1].
        weights: [channels, taps].
        least: [channels].

    Returns:
        [channels, 1], never zero.
    """
    finest = least[:, None]
    silent = ~weights.any(axis=1, keepdims=True) & (finest > 0)
    return np.where(silent, finest, np.maximum(scales, finest))


def nearest(weights: FloatArray, scales: FloatArray | None = None) -> FloatArray:
    """Weights rounded to the nearest value of their channel's grid, [channels, taps].

    Args:
        weights: [channels, taps].
        scales: [channels, 1], else ``channel_scales``; what lies beyond 127 steps is cut off.
    """
    scales = channel_scales(weights) if scales is None else scales
    rounded: FloatArray = np.clip(np.rint(weights / scales), -LEVELS, LEVELS) * scales
    return rounded


def hessian(inputs: FloatArray) -> FloatArray:
    """Second moments of a layer's inputs: [taps, samples] to [taps, taps].

    With a leading axis of channels, [channels, taps, samples], one matrix for each.
    """
    moments: FloatArray = inputs @ np.swapaxes(inputs, -1, -2) / np.float32(inputs.shape[-1])
    return moments


def mixed_moments(real: FloatArray, seen: FloatArray) -> FloatArray:
    """Mixed second moments of two samples of a layer's inputs, as ``hessian`` has equal ones."""
    moments: FloatArray = real @ np.swapaxes(seen, -1, -2) / np.float32(seen.shape[-1])
    return moments


def keeping_outputs(
    weights: FloatArray, moments: FloatArray, mixed: FloatArray, ridge: float, samples: int
) -> FloatArray:
    """Weights that make, of the inputs that a layer gets, what it made of those it should get.

    Least squares with a penalty on what differs from the weights: inputs that rounding has left
    little of count less, and correlated ones make up for them.

    Args:
        weights: [channels, taps].
        moments: of the inputs it gets, as ``gptq`` takes them, less their mean.
        mixed: of those it should get with those it gets.
        ridge: the penalty, as a share of the mean diagonal of ``moments``.
        samples: that the moments are of; few samples make the penalty larger.

    Returns:
        float32 [channels, taps].
    """
    taps = moments.shape[-1]
    diagonal = np.einsum("...ii->...i", moments.astype(np.float64))
    penalty = ridge * max(1.0, FEW_SAMPLES * taps / samples) * diagonal.mean(axis=-1) + 1e-12
    identity = np.eye(taps) * penalty[..., None, None]
    # W (C + pI) (H + pI)^-1; the last factor is symmetric.
    mapped = np.linalg.solve(moments + identity, np.swapaxes(mixed + identity, -1, -2))
    if moments.ndim == 3:
        kept = (weights[:, None, :] @ np.swapaxes(mapped, -1, -2))[:, 0, :]
    else:
        kept = weights @ mapped.T
    return np.asarray(kept, np.float32)


def gptq(
    weights: FloatArray,
    moments: FloatArray,
    damping: float = 0.01,
    scales: FloatArray | None = None,
) -> FloatArray:
    """Weights on the int8 grid of their channels that keep the output of the layer.

    Args:
        weights: [channels, taps].
        moments: [taps, taps] shared by all channels, or [channels, taps, taps].
        damping: share of the mean diagonal that is added to it, so that inputs which the
            calibration never excites keep their plain rounding.
        scales: [channels, 1], else ``channel_scales``.

    Returns:
        [channels, taps].
    """
    scales = channel_scales(weights) if scales is None else scales
    spread = _inverse_factor(moments, damping)
    if moments.ndim == 3:
        rounded = _round_taps(weights.copy(), scales[:, 0], spread)
    else:
        rounded = _round_blocks(weights.copy(), scales[:, 0], spread)
    return _keep_scale(rounded, weights, scales)


def _inverse_factor(moments: FloatArray, damping: float) -> FloatArray:
    """Upper Cholesky factor of the damped inverse Hessian, with unit steps on the diagonal."""
    matrix = moments.astype(np.float64)
    diagonal = np.einsum("...ii->...i", matrix)
    mean = diagonal.mean(axis=-1, keepdims=True)
    diagonal += damping * mean + 1e-12
    # chol(H^-1) upper = inverse of the lower factor of the reversed matrix, reversed back.
    flipped = matrix[..., ::-1, ::-1]
    inverse = _triangular_inverse(np.linalg.cholesky(flipped))
    upper = inverse[..., ::-1, ::-1]
    steps = np.einsum("...ii->...i", upper)[..., None]
    normalised: FloatArray = (upper / steps).astype(np.float32)
    return normalised


def _triangular_inverse(lower: RealArray) -> RealArray:
    """Inverse of lower triangular matrices, [..., taps, taps].

    By halves, so that nearly all of it are matrix products: numpy has only the general inverse,
    which takes several times as long.
    """
    taps = lower.shape[-1]
    if taps <= BLOCK:
        return np.linalg.inv(lower)
    half = taps // 2
    first = _triangular_inverse(lower[..., :half, :half])
    last = _triangular_inverse(lower[..., half:, half:])
    inverse = np.zeros_like(lower)
    inverse[..., :half, :half] = first
    inverse[..., half:, half:] = last
    inverse[..., half:, :half] = -last @ lower[..., half:, :half] @ first
    return inverse


def _round_taps(weights: FloatArray, scales: FloatArray, spread: FloatArray) -> FloatArray:
    """One tap after the other; ``spread`` is [taps, taps] or [channels, taps, taps]."""
    rounded = np.empty_like(weights)
    for tap in range(weights.shape[1]):
        values = weights[:, tap]
        rounded[:, tap] = np.clip(np.rint(values / scales), -LEVELS, LEVELS) * scales
        error = values - rounded[:, tap]
        weights[:, tap:] -= error[:, None] * spread[..., tap, tap:]
    return rounded


def _round_blocks(weights: FloatArray, scales: FloatArray, spread: FloatArray) -> FloatArray:
    """The same in blocks, so that most of the work is a matrix product."""
    rounded = np.empty_like(weights)
    taps = weights.shape[1]
    for start in range(0, taps, BLOCK):
        end = min(start + BLOCK, taps)
        block = weights[:, start:end]
        inner = spread[start:end, start:end]
        errors = np.empty_like(block)
        for tap in range(end - start):
            values = block[:, tap].copy()
            rounded[:, start + tap] = np.clip(np.rint(values / scales), -LEVELS, LEVELS) * scales
            errors[:, tap] = values - rounded[:, start + tap]
            block[:, tap:] -= errors[:, tap, None] * inner[tap, tap:]
        weights[:, end:] -= errors @ spread[start:end, end:]
    return rounded


def _keep_scale(rounded: FloatArray, weights: FloatArray, scales: FloatArray) -> FloatArray:
    """Put each channel's largest weight back on ±127, or where it was on a coarser grid.

    It owns most of the channel's output, and errors spread from other taps would move it.
    """
    largest = np.abs(weights).argmax(axis=1)
    channels = np.arange(len(weights))
    rounded[channels, largest] = nearest(weights[channels, largest, None], scales)[:, 0]
    return rounded
