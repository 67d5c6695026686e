"""The operators that LiteRT's GPU delegate takes, as data.

Found out by asking it: ``benchmarks/gpu_operators.py`` builds a model of each operator, float and
int8, and compares this table with what ai-edge-litert 2.3.0 takes. PRELU and SQUEEZE, which the
converter rarely writes, are in the tests of the gpu target.
"""

from __future__ import annotations

from edgeeff.prediction.operator_rules import (
    Condition,
    at_most_dimensions,
    same_shape_or_scalar,
    types,
)

TYPES = frozenset({"float32", "float16", "int8", "uint8", "int32", "bool"})
"""Types of activations. Integers of 8 bits are computed in floating point."""

GENERAL: tuple[Condition, ...] = (types(TYPES), at_most_dimensions(4))
"""What holds for every operator."""

TAKEN = frozenset({
    "ABS", "ADD", "ARG_MAX", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "CEIL", "CONCATENATION",
    "CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV",
    "ELU", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER",
    "GELU", "GREATER", "HARD_SWISH", "LEAKY_RELU", "LESS", "LOG", "LOGICAL_AND", "LOGISTIC",
    "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "ONE_HOT", "PACK",
    "PAD", "PADV2", "POW", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD",
    "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2",
    "ROUND", "RSQRT", "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE",
    "STRIDED_SLICE", "SUB", "SUM", "TANH", "TILE", "TOPK_V2", "TRANSPOSE", "TRANSPOSE_CONV",
    "UNPACK",
})  # fmt: skip
"""Operators that were taken, in every form that was tried."""

REFUSED = frozenset({
    "ARG_MIN", "BATCH_TO_SPACE_ND", "BROADCAST_TO", "EXPAND_DIMS", "GATHER_ND",
    "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION", "LOG_SOFTMAX", "SPACE_TO_BATCH_ND",
    "SQUEEZE",
})  # fmt: skip
"""Operators that were tried and not taken; any other was not tried."""

NEWEST_VERSIONS = {"TOPK_V2": 1}
"""The newest version of an operator's definition that is taken, where a newer one was refused."""

CONDITIONS: dict[str, tuple[Condition, ...]] = {"SELECT_V2": (same_shape_or_scalar,)}
"""Limits of single operators."""
