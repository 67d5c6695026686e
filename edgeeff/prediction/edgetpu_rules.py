"""Coral's table of the operators that the Edge TPU runs, as data.

Source: coral.ai/docs/edgetpu/models-intro, "Supported operations"; operator versions from what
version 16.0 of the compiler refused (github.com/google-coral: edgetpu issues 631, 845 and 879,
libedgetpu issue 71).
"""

from __future__ import annotations

from edgeeff.prediction.operator_rules import (
    Condition,
    Rule,
    axis_not_batch,
    constant_inputs,
    default_weights,
    depth_of_four,
    image_sized,
    keeps_batch,
    leading_ones,
    no_activation,
    no_dilation,
    one_dimensional_alpha,
    one_dimensional_output,
    pads_no_batch,
    pads_spatially,
    plain_strides,
    same_dilation,
    short_vector,
    spatial_axes,
    splits_no_batch,
    static_shapes,
    three_innermost,
    types,
    zero_padding_constant,
)

RUNTIMES = range(10, 15)
"""Versions of the Edge TPU runtime that the table speaks of; the newest comes with libedgetpu."""

ON_CHIP_BYTES = 8 * 2**20
"""The chip's memory for parameters."""

RESERVED_BYTES = 2**20
"""About what the compiler keeps of it for itself: in public logs what was used and what was left
add up to 7.0 to 8.0 MiB."""

_ALIASES = "depending on its size it may not be mapped, to avoid a loss of precision"

GENERAL: tuple[Condition, ...] = (
    types(frozenset({"int8", "uint8"})),
    static_shapes,
    three_innermost,
)
"""What holds for every operator."""

RULES: dict[str, Rule] = {
    "ADD": Rule(),
    "AVERAGE_POOL_2D": Rule((no_activation,)),
    "CONCATENATION": Rule((no_activation, zero_padding_constant)),
    "CONV_2D": Rule((same_dilation, constant_inputs)),
    "DEPTHWISE_CONV_2D": Rule((same_dilation, constant_inputs)),
    "EXPAND_DIMS": Rule(since=13),
    "FULLY_CONNECTED": Rule((default_weights, one_dimensional_output, constant_inputs)),
    "L2_NORMALIZATION": Rule(),
    "LOGISTIC": Rule(),
    "MAXIMUM": Rule(),
    "MAX_POOL_2D": Rule((no_activation,)),
    "MEAN": Rule((keeps_batch, depth_of_four)),
    "MINIMUM": Rule(),
    "MUL": Rule(),
    "PACK": Rule((axis_not_batch,), since=13),
    "PAD": Rule((pads_no_batch,)),
    "PRELU": Rule((one_dimensional_alpha, constant_inputs), since=13),
    "QUANTIZE": Rule(since=13),
    "REDUCE_MAX": Rule((keeps_batch,), since=14),
    "REDUCE_MIN": Rule((keeps_batch,), since=14),
    "RELU": Rule(),
    "RELU6": Rule(),
    "RELU_N1_TO_1": Rule(),
    "RESHAPE": Rule(uncertain="a large tensor may not be mapped"),
    "RESIZE_BILINEAR": Rule((image_sized,), uncertain=_ALIASES),
    "RESIZE_NEAREST_NEIGHBOR": Rule((image_sized,), uncertain=_ALIASES),
    "RSQRT": Rule(since=14),
    "SLICE": Rule(),
    "SOFTMAX": Rule((short_vector(16_000),)),
    "SPACE_TO_DEPTH": Rule(),
    "SPLIT": Rule((splits_no_batch,)),
    "SQUARED_DIFFERENCE": Rule(since=14),
    "SQUEEZE": Rule(),
    "STRIDED_SLICE": Rule((plain_strides,)),
    "SUB": Rule(),
    "SUM": Rule((keeps_batch,), since=13),
    "TANH": Rule(),
    "TRANSPOSE": Rule(since=14),
    "TRANSPOSE_CONV": Rule(since=13),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Rule(since=14),
}
"""Operator to what limits it in the newest runtime."""

UP_TO_12: dict[str, tuple[Condition, ...]] = {
    "DEPTHWISE_CONV_2D": (no_dilation,),
    "MEAN": (spatial_axes,),
    "PAD": (pads_spatially,),
    "SQUEEZE": (leading_ones,),
}
"""Further limits in runtimes up to 12."""

NEWEST_VERSIONS = {"CONV_2D": 5, "EXP": 1, "QUANTIZE": 2, "TRANSPOSE_CONV": 3}
"""The newest version of an operator's definition that compiler 16.0 reads, where it is known."""
