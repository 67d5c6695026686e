"""Write a model as the bytes of a ``.tflite`` file; the inverse of ``reader``.

What the values of ``model`` do not say is written back from the tables that they were read from,
so that a file that was read and packed again says the same.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeeff.errors import InputError
from edgeeff.tflite.flatbuffer import Table, read_schema
from edgeeff.tflite.flatbuffer_writer import encode
from edgeeff.tflite.model import Attachment, Model, Operator, Signature, Subgraph, Tensor
from edgeeff.tflite.reader import (
    IDENTIFIER,
    OPTION_ENUMS,
    grid_in,
    kind_in,
    options_in,
    shape_in,
)

MOST_BYTES = 2**31 - 1
"""A FlatBuffer's offsets reach no farther."""

NEW_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPLIT": "SplitOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
}
"""The table that holds the options of an operator that no file had, by kind."""


def default_options(kind: str) -> dict[str, Any]:
    """The options of a new operator for which nothing is said; none of kinds that have none."""
    if kind not in NEW_OPTIONS:
        return {}
    fields = read_schema("tflite").tables[NEW_OPTIONS[kind]]
    return options_in({each.name: each.default for each in fields if each is not None})


def pack(
    base: Model,
    main: Subgraph,
    signatures: Sequence[Signature],
    attachments: Sequence[Attachment],
) -> bytes:
    """The bytes of a ``.tflite`` file: the same values give the same bytes.

    Args:
        base: the model that the rest is of: its other graphs and its description.
        main: in place of the base's main graph.
        signatures: in place of the base's.
        attachments: likewise.

    Raises:
        InputError: more than 2 GB, or options that are stored outside of the FlatBuffer.
    """
    graphs = (main, *base.graphs[1:])
    codes = _Codes(base.table.get("operator_codes") or ())
    root = {
        **base.table,
        "version": base.version,
        "subgraphs": [_graph(graph, codes) for graph in graphs],
        "operator_codes": codes.tables,
        "buffers": _buffers(base, graphs, attachments),
        "metadata": _listed(
            [{"name": entry.name, "buffer": entry.buffer} for entry in attachments],
            base.table.get("metadata"),
        ),
        "signature_defs": _listed(
            [_signature(signature) for signature in signatures], base.table.get("signature_defs")
        ),
    }
    size = sum(tensor.bytes for graph in graphs for tensor in graph.tensors if tensor.constant)
    if size > MOST_BYTES:
        raise InputError(f"a model of {size:,} bytes", "a .tflite file holds 2 GB")
    return encode(root, read_schema("tflite"), "Model", IDENTIFIER)


class _Codes:
    """The file's list of the kinds of operator that it has; new ones go to its end."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = list(tables)
        self._places: dict[tuple[str, bool, int], int] = {}
        for place, table in enumerate(tables):
            self._places.setdefault((*kind_in(table), table["version"]), place)

    def place(self, operator: Operator) -> int:
        """The number of an operator's kind."""
        key = operator.kind, operator.custom, operator.version
        if key not in self._places:
            self._places[key] = len(self.tables)
            self.tables.append(_code(operator))
        return self._places[key]


def _code(operator: Operator) -> Table:
    number = _number("BuiltinOperator", "CUSTOM" if operator.custom else operator.kind)
    return {
        "deprecated_builtin_code": min(number, 127),
        "custom_code": operator.kind if operator.custom else None,
        "version": operator.version,
        "builtin_code": number,
    }


def _buffers(
    base: Model, graphs: Sequence[Subgraph], attachments: Sequence[Attachment]
) -> list[Table]:
    stored: dict[int, memoryview] = {
        entry.buffer: entry.content for entry in attachments if len(entry.content)
    }
    numbers = {0, *stored}
    for graph in graphs:
        for tensor in graph.tensors:
            numbers.add(tensor.buffer)
            if tensor.content is not None:
                stored[tensor.buffer] = tensor.content
    count = max(len(base.table.get("buffers") or ()), max(numbers) + 1)
    return [
        {"data": np.frombuffer(stored[number], np.uint8)} if number in stored else {}
        for number in range(count)
    ]


def _graph(graph: Subgraph, codes: _Codes) -> Table:
    return {
        **graph.table,
        "name": _text(graph.name, graph.table),
        "tensors": [_tensor(tensor) for tensor in graph.tensors],
        "operators": [_operator(operator, codes) for operator in graph.operators],
        "inputs": graph.inputs,
        "outputs": graph.outputs,
    }


def _tensor(tensor: Tensor) -> Table:
    table: Table = {
        **tensor.table,
        "name": _text(tensor.name, tensor.table),
        "type": _number("TensorType", tensor.dtype.upper()),
        "buffer": tensor.buffer,
    }
    if shape_in(tensor.table) != tensor.shape:
        table["shape"] = [1 if size < 0 else size for size in tensor.shape]
        table["shape_signature"] = tensor.shape if -1 in tensor.shape else None
    grid = tensor.scales, tensor.zero_points, tensor.quantized_dimension
    if grid != grid_in(tensor.table):
        table["quantization"] = {
            "scale": tensor.scales,
            "zero_point": tensor.zero_points,
            "quantized_dimension": tensor.quantized_dimension,
        }
    return table


def _operator(operator: Operator, codes: _Codes) -> Table:
    if operator.table.get("large_custom_options_size"):
        raise InputError(
            f"the options of {operator.kind} are stored outside of the FlatBuffer",
            "edgeeff cannot rewrite such a model",
        )
    return {
        **operator.table,
        **_options(operator),
        "opcode_index": codes.place(operator),
        "inputs": operator.inputs,
        "outputs": operator.outputs,
    }


def _options(operator: Operator) -> Table:
    values = {name: _option(name, value) for name, value in operator.options.items()}
    for place in ("builtin_options", "builtin_options2"):
        if known := operator.table.get(place):
            return {place: {**known, **values}}
    if not values:
        return {}
    number = _union_number("BuiltinOptions", NEW_OPTIONS[operator.kind])
    return {"builtin_options_type": number, "builtin_options": values}


def _option(name: str, value: Any) -> Any:
    if name in OPTION_ENUMS and isinstance(value, str):
        return _number(OPTION_ENUMS[name], value)
    return value


def _signature(signature: Signature) -> Table:
    return {
        "inputs": _named(signature.inputs),
        "outputs": _named(signature.outputs),
        "signature_key": signature.key,
        "subgraph_index": signature.graph,
    }


def _named(tensors: Mapping[str, int]) -> list[Table]:
    return [{"name": name, "tensor_index": number} for name, number in tensors.items()]


def _listed(tables: list[Table], read: Any) -> list[Table] | None:
    """An empty list is one only where the file had one."""
    return tables if tables or read is not None else None


def _text(text: str, table: Table) -> str | None:
    """An empty text likewise."""
    return text if text or table.get("name") is not None else None


@functools.cache
def _numbers(enum: str) -> Mapping[str, int]:
    return {name: number for number, name in read_schema("tflite").enums[enum].items()}


def _number(enum: str, member: str) -> int:
    """The number of an enumeration's member, also of one that the schema does not know."""
    known = _numbers(enum).get(member)
    return known if known is not None else int(member.rpartition(" ")[2])


@functools.cache
def _union_number(union: str, table: str) -> int:
    members = read_schema("tflite").unions[union]
    return next(number for number, name in members.items() if name == table)
