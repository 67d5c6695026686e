"""Small ``.tflite`` files written operator by operator, for rules that look at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeeff.tflite.model import Model
from edgeeff.tflite.reader import parse_model
from tests.tflite.objects import pack

TYPES = {
    **{"int8": 9, "uint8": 3, "float32": 0, "int32": 2, "int16": 7, "float64": 10},
    **{"int64": 4, "float16": 1},
}


@dataclass
class GraphWriter:
    """Collects tensors and operators; ``content`` is the file."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)

    def tensor(self, shape: Sequence[int], dtype: str = "int8", values: Any = None) -> int:
        """Add a tensor, a constant if it has values; its number."""
        made = schema.TensorT()
        made.name, made.shape, made.type = f"t{len(self.tensors)}", list(shape), TYPES[dtype]
        if any(size < 0 for size in shape):
            made.shapeSignature, made.shape = list(shape), [abs(size) for size in shape]
        made.quantization = schema.QuantizationParametersT()
        if dtype in ("int8", "uint8"):
            made.quantization.scale, made.quantization.zeroPoint = [0.5], [0]
        made.buffer = len(self.buffers)
        buffer = schema.BufferT()
        if values is not None:
            raw = np.broadcast_to(np.asarray(values, np.dtype(dtype)), shape)
            buffer.data = np.frombuffer(raw.tobytes(), np.uint8)
        self.buffers.append(buffer)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def add(
        self,
        name: str,
        inputs: Sequence[int],
        output: Sequence[int] | int,
        *,
        dtype: str = "int8",
        version: int = 1,
        options: Any = None,
        custom: bytes | None = None,
    ) -> int:
        """Add an operator; ``output`` is a new tensor's shape or a tensor. Its output's number."""
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        builtin = schema.BuiltinOperator.CUSTOM if custom is not None else _builtin(name)
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        code.customCode = name if custom is not None else None
        code.version = version
        if custom is not None:
            operator.customOptions = list(custom)
        if options is not None:
            operator.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
            operator.builtinOptions = options
        made = output if isinstance(output, int) else self.tensor(output, dtype)
        operator.inputs, operator.outputs = list(inputs), [made]
        operator.opcodeIndex = len(self.codes)
        self.codes.append(code)
        self.operators.append(operator)
        return made

    def content(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.name, graph.tensors, graph.operators = "main", self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model.version, model.subgraphs = 3, [graph]
        model.operatorCodes, model.buffers = self.codes, self.buffers
        return pack(model)

    def model(self, inputs: Sequence[int], outputs: Sequence[int]) -> Model:
        """The file, read."""
        return parse_model(self.content(inputs, outputs))


def chain(*names: str, dtype: str = "int8", shape: Sequence[int] = (1, 8, 8, 8)) -> Model:
    """Operators of one input in a row."""
    writer = GraphWriter()
    first = last = writer.tensor(shape, dtype)
    for name in names:
        last = writer.add(name, [last], shape, dtype=dtype)
    return writer.model([first], [last])


def single(
    name: str,
    shape: Sequence[int],
    output: Sequence[int],
    *constants: Any,
    **how: Any,
) -> Model:
    """One operator whose further inputs are int32 constants."""
    writer = GraphWriter()
    first = writer.tensor(shape, how.get("dtype", "int8"))
    others = [writer.tensor(np.shape(value), "int32", value) for value in constants]
    last = writer.add(name, [first, *others], output, **how)
    return writer.model([first], [last])


def options(kind: str, **fields: Any) -> Any:
    """Options of an operator, such as ``options("Conv2DOptions", dilationWFactor=2)``."""
    made = getattr(schema, f"{kind}T")()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _builtin(name: str) -> int:
    return int(getattr(schema.BuiltinOperator, name))
