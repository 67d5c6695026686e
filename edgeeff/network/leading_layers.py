"""How a Keras network scales its pictures before its first convolution, as its graph says.

TensorFlow's converter folds such layers into the convolution where it can, so that the .tflite does
not show them: it is the traced function that is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2 as frozen,
)

from edgeeff.tflite.leading_scaling import UNTOUCHED, Scaling

KINDS: Mapping[str, str] = {
    "Mul": "MUL",
    "Add": "ADD",
    "AddV2": "ADD",
    "Sub": "SUB",
    "RealDiv": "DIV",
}

UNSCALED = (
    *("Identity", "Cast", "ResizeBilinear", "ResizeNearestNeighbor", "StopGradient"),
    *("Reshape", "Squeeze", "ExpandDims"),
)
"""Operators that leave the values as they are, or between those around them."""

CHANNELS = 3


def leading_scaling(traced: Any) -> Scaling | None:
    """The scaling in front of a function's first layer; ``None`` if there is none.

    Args:
        traced: a concrete function of one picture.
    """
    graph = frozen(traced, lower_control_flow=False).graph
    (tensor,) = (op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder")
    found = UNTOUCHED
    while len(readers := [it for it in tensor.consumers() if it.type != "Shape"]) == 1:
        operator = readers[0]
        if operator.type not in UNSCALED:
            scaled = _scaled(operator, tensor, found)
            if scaled is None:
                break
            found = scaled
        tensor = operator.outputs[0]
    return None if found is UNTOUCHED else found


def _scaled(operator: Any, tensor: Any, before: Scaling) -> Scaling | None:
    """The scaling with one operator more; ``None`` if it is none that scales by a constant."""
    if operator.type not in KINDS:
        return None
    first = operator.inputs[0] is tensor
    values = constant(operator.inputs[1 if first else 0].op)
    if values is None or values.size not in (1, CHANNELS):
        return None
    return before.then(KINDS[operator.type], values, first=first)


def constant(operator: Any) -> Any:
    """What an operator of a frozen function gives if it takes constants alone; else ``None``."""
    if operator.type == "Const":
        return np.asarray(tf.make_ndarray(operator.get_attr("value")))
    values = [constant(parent.op) for parent in operator.inputs]
    if not values or any(value is None for value in values):
        return None
    compute = FOLDED.get(operator.type)
    return None if compute is None else np.asarray(compute(*values))


FOLDED: Mapping[str, Any] = {
    "Identity": lambda value: value,
    "Cast": lambda value: value,
    "Sqrt": np.sqrt,
    "Rsqrt": lambda value: 1 / np.sqrt(value),
    "Maximum": np.maximum,
    "Mul": np.multiply,
    "Reshape": lambda value, shape: value.reshape(shape),
}
"""What constants go through before they scale a picture, as in Normalization."""
