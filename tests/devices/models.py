"""A model small enough to build in the test: its outputs are the logistic of its inputs."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from tests.tflite import objects


def write_logistic(path: Path, *, quantized: bool = False) -> Path:
    """Write a model with one LOGISTIC operator on [1, 64, 64, 3], float32 or int8."""
    model = schema.ModelT()
    model.version = 3
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    code.version = 2 if quantized else 1
    model.operatorCodes = [code]
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("pixels", (1 / 16, 0) if quantized else None),
        _tensor("shares", (1 / 256, -128) if quantized else None),
    ]
    operator = schema.OperatorT()
    operator.opcodeIndex = 0
    operator.inputs, operator.outputs = [0], [1]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [1]
    model.subgraphs = [graph]
    path.write_bytes(objects.pack(model))
    return path


def _tensor(name: str, quantization: tuple[float, int] | None) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, [1, 64, 64, 3], 0
    if quantization is None:
        tensor.type = schema.TensorType.FLOAT32
        return tensor
    tensor.type = schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = (
        [quantization[0]],
        [quantization[1]],
    )
    return tensor
