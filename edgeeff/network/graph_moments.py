"""What the BatchNorm layers of any network tell about the activations of its exported graph.

A user's network is not made of known layers, so that two things are looked at in their place: the
traced function, whose BatchNorm operators have beta and gamma, and the converter's graph, whose
tensors are named after the operators of the function that went into them. What follows a BatchNorm
is worked out operator by operator, as ``batchnorm`` does it layer by layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2 as frozen,
)

from edgeeff.network.leading_layers import constant
from edgeeff.network.normal_moments import Moments, activated, added
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

ACTIVATIONS: Mapping[str, str] = {"RELU": "relu", "RELU6": "relu6", "HARD_SWISH": "hard_swish"}
"""What operators and fused activations are called in ``normal_moments``."""

FUSED = ("Relu", "Relu6", "Identity")
"""Operators of a function that the converter puts into the one before them."""


def graph_moments(graph: Graph, function: Any) -> dict[int, Moments]:
    """Mean and spread of every activation for which they are known, by tensor.

    Args:
        graph: what the converter made of the function, its tensors named as it names them.
        function: a concrete function of one picture.
    """
    described = _described(graph, frozen(function, lower_control_flow=False).graph)
    known: dict[int, Moments] = {}
    for operator in graph.operators:
        if operator.output not in graph.activations:
            continue
        found = described.get(operator.output)
        if found is None and operator.kind in RULES:
            found = RULES[operator.kind](graph, operator, known)
        if found is not None and operator.activation != "NONE":
            found = activated(found, ACTIVATIONS.get(operator.activation, ""))
        if found is not None and len(found.mean) == graph.shape(operator.output)[-1]:
            known[operator.output] = found
    return known


def _described(graph: Graph, function: Any) -> dict[int, Moments]:
    """Of each tensor that ends in a BatchNorm, but for its operator's activation.

    A BatchNorm in front of a convolution becomes a product and a sum of its name: the last counts.
    """
    operators = {it.name: it for it in function.get_operations()}
    ends = {}
    for made in graph.operators:
        last = _last(made, operators)
        if last is not None:
            ends[last.name] = made.output
    found = {tensor: _batchnorm(operators[name]) for name, tensor in ends.items()}
    return {tensor: moments for tensor, moments in found.items() if moments is not None}


def _last(made: Operator, operators: Mapping[str, Any]) -> Any:
    """The function's operator that a graph's operator ends with, but for activations."""
    for name in made.name.split(";"):
        # The converter numbers names that would be there twice.
        found = operators.get(name) or operators.get(re.sub(r"\d+$", "", name))
        if found is not None and found.type not in FUSED:
            return found
    return None


def _batchnorm(operator: Any) -> Moments | None:
    """What an operator tells if it is a BatchNorm, or the last of those that make one up."""
    if operator.type == "FusedBatchNormV3":
        gamma, beta = (constant(it.op) for it in operator.inputs[1:3])
    else:
        gamma, beta = _of_parts(operator)
    if gamma is None or beta is None or np.ndim(beta) != 1:
        return None
    gamma, beta = (np.asarray(values, np.float64) for values in (gamma, beta))
    return Moments(beta, np.abs(np.broadcast_to(gamma, beta.shape)), normal=True)


def _of_parts(operator: Any) -> tuple[Any, Any]:
    """Gamma and beta of ``x * s + (beta - mean * s)`` with ``s = rsqrt(variance + e) * gamma``.

    So ``tf.nn.batch_normalization`` has it, and with it Keras 3.
    """
    scaled, moved = _inputs(operator, "AddV2", "Mul", "Sub")
    if scaled is None or moved is None:
        return None, None
    beta, shift = (it.op for it in moved.inputs)
    root, gamma = _inputs(scaled.inputs[1].op, "Mul", "Rsqrt", "")
    if shift.type != "Mul" or root is None or gamma is None:
        return None, None
    if not any(it.op is scaled.inputs[1].op for it in shift.inputs):
        return None, None
    return constant(gamma), constant(beta)


def _inputs(operator: Any, kind: str, *kinds: str) -> tuple[Any, Any]:
    """Both inputs of an operator of a kind, if they are of these kinds, empty for any."""
    if operator.type != kind or len(operator.inputs) != 2:
        return None, None
    found = tuple(it.op for it in operator.inputs)
    fits = all(not want or it.type == want for it, want in zip(found, kinds, strict=True))
    return (found[0], found[1]) if fits else (None, None)


Known = Mapping[int, Moments]


def _sum(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    if len({graph.shape(tensor) for tensor in operator.inputs}) > 1:
        return None
    return added([known.get(tensor) for tensor in operator.inputs])


def _product(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    """Of a swish alone."""
    value, gate = operator.inputs
    maker = graph.producer.get(gate)
    if maker is None or maker.kind != "LOGISTIC" or maker.inputs[0] != value:
        return None
    return activated(known.get(value), "swish")


def _bent(activation: str) -> Callable[[Graph, Operator, Known], Moments | None]:
    return lambda graph, operator, known: activated(known.get(operator.inputs[0]), activation)


def _average(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    before = known.get(operator.inputs[0])
    return None if before is None else Moments(before.mean)


def _mean(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    """Of places, not of channels."""
    axes, rank = graph.values(operator.inputs[1]), len(graph.shape(operator.inputs[0]))
    if axes is None or rank - 1 in axes.ravel() % rank:
        return None
    return _average(graph, operator, known)


def _arranged(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    """The same channels, perhaps with zeros around, as inside a convolution that pads."""
    source = operator.inputs[0]
    same = graph.shape(source)[-1] == graph.shape(operator.output)[-1]
    return known.get(source) if same else None


def _joined(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    parts = [known.get(tensor) for tensor in operator.inputs]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    mean = np.concatenate([part.mean for part in found])
    deviations = [part.deviation for part in found if part.deviation is not None]
    if len(deviations) < len(found):
        return Moments(mean)
    normal = all(part.normal for part in found)
    return Moments(mean, np.concatenate(deviations), normal)


def _dense(graph: Graph, operator: Operator, known: Known) -> Moments | None:
    before = known.get(operator.inputs[0])
    if before is None or operator.activation != "NONE":
        return None
    weights, bias = graph.weights(operator), graph.bias(operator)
    if weights.shape[1] != len(before.mean):
        return None
    mean = weights.astype(np.float64) @ before.mean
    return Moments(mean if bias is None else mean + bias)


RULES: Mapping[str, Callable[[Graph, Operator, Known], Moments | None]] = {
    "ADD": _sum,
    "MUL": _product,
    "LOGISTIC": _bent("sigmoid"),
    **{kind: _bent(name) for kind, name in ACTIVATIONS.items()},
    "MEAN": _mean,
    "AVERAGE_POOL_2D": _average,
    "PAD": _arranged,
    "RESHAPE": _arranged,
    "SQUEEZE": _arranged,
    "CONCATENATION": _joined,
    "FULLY_CONNECTED": _dense,
}
"""By kind of operator; of any other, nothing is known unless it ends in a BatchNorm."""
