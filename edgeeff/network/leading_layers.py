"""How a Keras network scales its pictures before its first convolution, as its graph says.

TensorFlow's converter folds such layers into the convolution where it can, so that the .tflite does
not show them: it is the traced function that is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    "BiasAdd": "ADD",
    "Sub": "SUB",
    "RealDiv": "DIV",
}

UNSCALED = (
    *("Identity", "Cast", "ResizeBilinear", "ResizeNearestNeighbor", "StopGradient"),
    *("Reshape", "Squeeze", "ExpandDims", "Pad", "PadV2", "MirrorPad"),
)
"""Operators that leave the values as they are, or between those around them; what they pad is
a border."""

SLICING = ("Slice", "StridedSlice")
"""Crops, and channels in another order."""

CHANNELS = 3


def leading_scaling(traced: Any) -> Scaling | None:
    """The scaling in front of a function's first layer; ``None`` if there is none.

    Args:
        traced: a concrete function of one picture.
    """
    graph = frozen(traced, lower_control_flow=False).graph
    (tensor,) = (op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder")
    found = UNTOUCHED
    while readers := [it for it in tensor.consumers() if it.type != "Shape"]:
        operator = _unscaled(readers, alike=found.factor.size == found.offset.size == 1)
        if operator is None:
            operator = readers[0]
            scaled = _scaled(operator, tensor, found) if len(readers) == 1 else None
            if scaled is None:
                break
            found = scaled
        tensor = operator.outputs[0]
    return None if found is UNTOUCHED else found


def _unscaled(readers: Sequence[Any], *, alike: bool) -> Any:
    """The operator that gives a picture's values again, cut, padded or in another order.

    Args:
        readers: of the picture.
        alike: all channels were scaled alike, so that their order does not matter.

    Returns:
        ``None`` if they do something else.
    """
    first, *others = readers
    if not others and first.type in UNSCALED:
        return first
    if not alike or any(reader.type not in SLICING for reader in readers):
        return None
    # Keras 3 takes a picture's channels apart and stacks them the other way round.
    joining = {after for reader in readers for after in reader.outputs[0].consumers()}
    stacked = len(joining) == 1 and {it.type for it in joining} == {"Pack"}
    last = joining.pop() if stacked else first if not others else None
    return last if last is not None and last.outputs[0].shape[-1] in (1, CHANNELS) else None


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
    "Neg": np.negative,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Reciprocal": np.reciprocal,
    **dict.fromkeys(("Add", "AddV2"), np.add),
    "Sub": np.subtract,
    "Reshape": lambda value, shape: value.reshape(shape),
    "Squeeze": np.squeeze,
}
"""What constants go through before they scale a picture, as in Normalization, and in Keras 3, which
adds a mean [1, 1, 1, channels] as a bias."""
