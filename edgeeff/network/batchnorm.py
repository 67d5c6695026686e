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

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tf_keras

from edgeeff.network.builder import ACTIVATIONS
from edgeeff.network.graph import parents
from edgeeff.network.normal_moments import Moments, activated, added


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


Rule = Callable[[Any, list[Moments | None]], Moments | None]


def _batchnorm(layer: Any, inputs: list[Moments | None]) -> Moments:
    beta, gamma = (np.asarray(weight, np.float64) for weight in (layer.beta, layer.gamma))
    return Moments(beta, np.abs(gamma), normal=True)


def _activated(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    return activated(inputs[0], _activation(layer))


def _gate(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    """The sigmoid inside a swish, a tensor of its own in the exported graph."""
    return activated(inputs[0], "sigmoid") if _activation(layer) == "swish" else None


def _sum(layer: Any, inputs: list[Moments | None]) -> Moments | None:
    return added(inputs)


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


def _activation(layer: Any) -> str:
    """The name that ``builder.ACTIVATIONS`` gives an Activation layer's function, or ''."""
    if not isinstance(layer, tf_keras.layers.Activation):
        return ""
    for name, function in ACTIVATIONS.items():
        if tf_keras.activations.get(function) is layer.activation:
            return name
    return ""
