"""What a trained network's BatchNorm layers tell about its activations, no picture seen.

A BatchNorm layer gives channel c the mean beta[c] and the standard deviation |gamma[c]| over
the training set (Nagel et al. 2019, "Data-free quantization through weight equalization and
bias correction"). What follows it is worked out where it can be:

- ReLU and ReLU6: mean and variance of the clipped normal, closed form.
- swish and hard-swish: the same normal, integrated numerically (Gauss-Hermite).
- sums: means add exactly; variances add as if the two branches were independent, which
  they are not quite.
- averages over the picture: the mean stays; the spread of averages is not known.
- the dense layer: its mean is exact, being linear in the pooled mean.

After a squeeze-and-excitation gate nothing is known, until the next BatchNorm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras
from scipy.special import erf

from edgeeff.arrays import Vector
from edgeeff.network.builder import ACTIVATIONS
from edgeeff.network.graph import parents

QUADRATURE_POINTS = 64
"""Gauss-Hermite; 128 change swish's moments by less than 1e-6 of the deviation."""


@dataclass(frozen=True)
class Moments:
    """The activations of one layer, channel by channel.

    Attributes:
        mean: [channels].
        deviation: standard deviation, [channels]; ``None`` where not known.
        normal: the values may be taken as normally distributed, as BatchNorm's output is.
    """

    mean: Vector
    deviation: Vector | None = None
    normal: bool = False


def moments(model: tf_keras.Model, image: Moments) -> dict[str, Moments]:
    """Mean and spread of every layer's output for which they are known.

    Args:
        model: a flat network with BatchNorm, as ``network.builder.build`` makes it.
        image: of the normalised pictures it was trained on.

    Returns:
        By layer name, in the network's order. A swish layer also has ``NAME/logistic``, the
        sigmoid that it multiplies its input with.
    """
    known: dict[str, Moments] = {}
    for layer in model.layers:
        inputs = [known.get(parent.name) for parent in parents(layer)]
        rule = RULES.get(type(layer).__name__)
        if isinstance(layer, tf_keras.layers.InputLayer):
            known[layer.name] = image
        elif rule is not None and (found := rule(layer, inputs)) is not None:
            known[layer.name] = found
        gate = _gate(layer, inputs)
        if gate is not None:
            known[f"{layer.name}/logistic"] = gate
    return known


def clipped_normal(
    mean: Vector, deviation: Vector, lower: float, upper: float
) -> tuple[Vector, Vector]:
    """Mean and standard deviation of a normal variable clipped to [lower, upper].

    Args:
        mean: of the variable before.
        deviation: of the variable before; 0 stands for a constant.
        lower: smallest value after.
        upper: largest value after; may be infinite.
    """
    spread = np.maximum(deviation, 1e-12)
    low, high = (lower - mean) / spread, (upper - mean) / spread
    inside = _cumulative(high) - _cumulative(low)
    # First and second moment of the part inside, about the mean and in deviations.
    first = _density(low) - _density(high)
    second = inside + low * _density(low) - _times_density(high)
    below, above = _cumulative(low), _cumulative(-high)
    top = 0.0 if math.isinf(upper) else upper
    clipped = lower * below + top * above + mean * inside + spread * first
    square = lower**2 * below + top**2 * above
    square += mean**2 * inside + 2 * mean * spread * first + spread**2 * second
    return clipped, np.sqrt(np.maximum(square - clipped**2, 0.0))


Rule = Callable[[Any, list[Moments | None]], Moments | None]


def _batchnorm(layer: Any, inputs: list[Moments | None]) -> Moments:
    beta, gamma = (np.asarray(weight, np.float64) for weight in (layer.beta, layer.gamma))
    return Moments(beta, np.abs(gamma), normal=True)


def _activated(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    before, activation = inputs[0], _activation(layer)
    if before is None or before.deviation is None or not before.normal:
        return None
    if activation in CLIPS:
        return Moments(*clipped_normal(before.mean, before.deviation, *CLIPS[activation]))
    if activation in CURVES:
        return _numeric(before.mean, before.deviation, CURVES[activation])
    return None


def _gate(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    """The sigmoid inside a swish, a tensor of its own in the exported graph."""
    if _activation(layer) != "swish" or (before := inputs[0]) is None:
        return None
    if before.deviation is None or not before.normal:
        return None
    return _numeric(before.mean, before.deviation, _sigmoid)


def _sum(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    known = [found for found in inputs if found is not None]
    if len(known) < len(inputs):
        return None
    deviations = [found.deviation for found in known if found.deviation is not None]
    mean = np.sum([found.mean for found in known], axis=0)
    if len(deviations) < len(known):
        return Moments(mean)
    return Moments(mean, np.sqrt(np.sum(np.square(deviations), axis=0)))


def _average(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    return None if inputs[0] is None else Moments(inputs[0].mean)


def _unchanged(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    return inputs[0]


def _dense(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    if inputs[0] is None or layer.activation is not tf_keras.activations.linear:
        return None
    kernel, bias = (np.asarray(weight, np.float64) for weight in (layer.kernel, layer.bias))
    return Moments(inputs[0].mean @ kernel + bias)


RULES: Mapping[str, Rule] = {
    "BatchNormalization": _batchnorm,
    "Activation": _activated,
    "Add": _sum,
    "GlobalAveragePooling2D": _average,
    "Dropout": _unchanged,
    "ZeroPadding2D": _unchanged,  # a border of zeros, as inside a convolution that pads
    "Dense": _dense,
}
"""By layer class; of any other, nothing is known."""


def _numeric(mean: Vector, deviation: Vector, curve: Callable[[Vector], Vector]) -> Moments:
    """Moments of a curve of a normal variable, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_POINTS)
    weights = weights / weights.sum()
    values = curve(mean[:, None] + deviation[:, None] * nodes)
    after = values @ weights
    return Moments(after, np.sqrt(np.square(values - after[:, None]) @ weights))


def _sigmoid(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _swish(x: Vector) -> Vector:
    return x * _sigmoid(x)


def _hard_swish(x: Vector) -> Vector:
    return np.asarray(x * np.clip(x + 3, 0, 6) / 6)


CLIPS: Mapping[str, tuple[float, float]] = {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}
CURVES: Mapping[str, Callable[[Vector], Vector]] = {"swish": _swish, "hard_swish": _hard_swish}


def _activation(layer: Any) -> str:
    """The name that ``builder.ACTIVATIONS`` gives an Activation layer's function, or ''."""
    if not isinstance(layer, tf_keras.layers.Activation):
        return ""
    for name, function in ACTIVATIONS.items():
        if tf_keras.activations.get(function) is layer.activation:
            return name
    return ""


def _cumulative(x: Vector) -> Vector:
    return np.asarray(0.5 * (1 + erf(x / math.sqrt(2))))


def _density(x: Vector) -> Vector:
    return np.asarray(np.exp(-0.5 * np.minimum(np.square(x), 1400.0)) / math.sqrt(2 * math.pi))


def _times_density(x: Vector) -> Vector:
    finite = np.where(np.isinf(x), 0.0, x)
    return finite * np.where(np.isinf(x), 0.0, _density(x))
