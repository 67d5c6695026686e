"""What TFLite's operators compute, in TensorFlow's differentiable ones.

Each function takes an operator, its graph, and the values of its inputs in order (``None`` for one
left out), and gives the values that it makes. The first axis of every activation is the batch,
which may have another size than in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

Values = Sequence[Any]

MIRRORED = ("REFLECT", "SYMMETRIC")
"""What the file's ``MirrorPadMode`` numbers mean."""

Replay = Callable[[Graph, Operator, Values], list[Any]]

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "NONE": lambda x: x,
    "RELU": tf.nn.relu,
    "RELU6": tf.nn.relu6,
    "RELU_N1_TO_1": lambda x: tf.clip_by_value(x, -1.0, 1.0),
    "TANH": tf.tanh,
}
"""Functions that are fused into other operators, by name."""


def _convolution(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    source, kernel, *bias = values
    kernel = tf.transpose(kernel, (1, 2, 3, 0))
    groups = source.shape[-1] // kernel.shape[2]
    sources, kernels = tf.split(source, groups, -1), tf.split(kernel, groups, -1)
    made = [
        tf.nn.conv2d(
            part,
            own,
            (operator.options["stride_h"], operator.options["stride_w"]),
            operator.options["padding"],
            dilations=_dilations(operator),
        )
        for part, own in zip(sources, kernels, strict=True)
    ]
    return [_finished(operator, tf.concat(made, -1) if groups > 1 else made[0], bias)]


def _depthwise(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    source, kernel, *bias = values
    channels = source.shape[-1]
    height, width = kernel.shape[1:3]
    kernel = tf.reshape(kernel, (height, width, channels, -1))
    strides = (1, operator.options["stride_h"], operator.options["stride_w"], 1)
    if (height, width) == (1, 1) and kernel.shape[-1] == 1 and set(strides) == {1}:
        made = source * tf.reshape(kernel, (channels,))
    else:
        made = tf.nn.depthwise_conv2d(
            source, kernel, strides, operator.options["padding"], dilations=_dilations(operator)
        )
    return [_finished(operator, made, bias)]


def _dilations(operator: Operator) -> tuple[int, int]:
    options = operator.options
    return (options.get("dilation_h_factor") or 1, options.get("dilation_w_factor") or 1)


def _dense(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    source, kernel, *bias = values
    made = tf.linalg.matmul(tf.reshape(source, (-1, kernel.shape[-1])), kernel, transpose_b=True)
    made = _finished(operator, made, bias)
    return [tf.reshape(made, (-1, *graph.shape(operator.output)[1:]))]


def _finished(operator: Operator, made: Any, bias: Values) -> Any:
    """With the bias, if there is one, and the fused function."""
    if bias and bias[0] is not None:
        made = made + bias[0]
    return ACTIVATIONS[operator.activation](made)


def _of_two(function: Callable[[Any, Any], Any]) -> Replay:
    return lambda graph, operator, values: [
        ACTIVATIONS[operator.activation](function(values[0], values[1]))
    ]


def _of_one(function: Callable[[Any], Any]) -> Replay:
    return lambda graph, operator, values: [function(values[0])]


def _over_axes(function: Callable[..., Any]) -> Replay:
    return lambda graph, operator, values: [
        function(values[0], values[1], keepdims=bool(operator.options.get("keep_dims")))
    ]


def _pool(function: Callable[..., Any]) -> Replay:
    def pooled(graph: Graph, operator: Operator, values: Values) -> list[Any]:
        options = operator.options
        window = (options["filter_height"], options["filter_width"])
        strides = (options["stride_h"], options["stride_w"])
        made = function(values[0], window, strides, options["padding"])
        return [ACTIVATIONS[operator.activation](made)]

    return pooled


def _reshaped(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return [tf.reshape(values[0], (-1, *graph.shape(operator.output)[1:]))]


def _padded(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    # TFLite takes a single value of any shape, TensorFlow a scalar.
    filled = tf.reshape(values[2], ()) if len(values) > 2 else 0.0
    return [tf.pad(values[0], values[1], constant_values=filled)]


def _mirrored(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return [tf.pad(values[0], values[1], MIRRORED[operator.options["mode"]])]


def _split(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return list(tf.split(values[1], len(operator.outputs), int(values[0])))


def _concatenated(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return [ACTIVATIONS[operator.activation](tf.concat(list(values), operator.options["axis"]))]


def _leaky(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return [tf.nn.leaky_relu(values[0], operator.options["alpha"])]


def _soft(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    return [tf.nn.softmax(values[0] * operator.options["beta"])]


REPLAYS: Mapping[str, Replay] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "ADD": _of_two(tf.add),
    "SUB": _of_two(tf.subtract),
    "MUL": _of_two(tf.multiply),
    "MAXIMUM": _of_two(tf.maximum),
    "MINIMUM": _of_two(tf.minimum),
    "LOGISTIC": _of_one(tf.sigmoid),
    "TANH": _of_one(tf.tanh),
    "RELU": _of_one(tf.nn.relu),
    "RELU6": _of_one(tf.nn.relu6),
    "RELU_N1_TO_1": _of_one(ACTIVATIONS["RELU_N1_TO_1"]),
    "LEAKY_RELU": _leaky,
    "HARD_SWISH": _of_one(lambda x: x * tf.nn.relu6(x + 3.0) / 6.0),
    "GELU": lambda graph, operator, values: [
        tf.nn.gelu(values[0], approximate=bool(operator.options.get("approximate")))
    ],
    "SOFTMAX": _soft,
    "MEAN": _over_axes(tf.reduce_mean),
    "SUM": _over_axes(tf.reduce_sum),
    "REDUCE_MAX": _over_axes(tf.reduce_max),
    "AVERAGE_POOL_2D": _pool(tf.nn.avg_pool2d),
    "MAX_POOL_2D": _pool(tf.nn.max_pool2d),
    "PAD": _padded,
    "PADV2": _padded,
    "MIRROR_PAD": _mirrored,
    "SPLIT": _split,
    "CONCATENATION": _concatenated,
    "RESHAPE": _reshaped,
    "SQUEEZE": _reshaped,
    "TRANSPOSE": lambda graph, operator, values: [tf.transpose(values[0], values[1])],
}
"""By the kind of operator."""


def fault(graph: Graph, operator: Operator) -> str | None:
    """Why an operator cannot be trained; ``None``: it can."""
    batch, options = graph.shape(graph.input)[0], operator.options
    if operator.custom or operator.kind not in REPLAYS:
        return "no rule says how its gradient is computed"
    if operator.activation not in ACTIVATIONS:
        return f"it applies {operator.activation}"
    if operator.weighted and not graph.tensor(operator.inputs[1]).constant:
        return "its weights are computed, not stored"
    if any(graph.shape(made)[:1] != (batch,) for made in operator.outputs):
        return "it mixes the pictures of a batch, or makes what depends on none"
    if operator.kind == "DEPTHWISE_CONV_2D":
        if options["stride_h"] != options["stride_w"]:
            return "its strides differ"
        if max(_dilations(operator)) > 1 and options["stride_h"] > 1:
            return "it has a stride and a dilation"
    if operator.kind == "SPLIT" and graph.values(operator.inputs[0]) is None:
        return "its axis is computed, not stored"
    return None


def refuse_untrainable(graph: Graph) -> None:
    """Raise ``InputError`` that names the operators which cannot be trained, if there are any."""
    found = [(o, why) for o in graph.operators if (why := fault(graph, o)) is not None]
    if found:
        operator, why = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(
            f"quantization-aware training cannot go through {operator.kind} "
            f"{operator.name}: {why}{more}",
            "quantize it without --qat",
        )


def apply(graph: Graph, operator: Operator, values: Values) -> list[Any]:
    """What an operator makes of its inputs, one tensor for each of its outputs."""
    return REPLAYS[operator.kind](graph, operator, values)
