"""What goes into the network and comes out: raw bytes for an app, whatever is inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.grid import FIXED, Grid
from edgeeff.tflite import rewrite

TYPES = {
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "float32": schema.TensorType.FLOAT32,
}
"""What an input or output may be, by the name on the command line."""

NORMALISED = "normalised"
"""Name of the tensor that the normalization operator makes."""

Builtin = schema.BuiltinOperator


def add_normalization(content: bytes, preprocessing: Preprocessing) -> bytes:
    """A float model that takes raw pixels 0..255 instead of normalised ones.

    One 1x1 depthwise convolution in front does (pixel - mean) / std, exactly and per channel.
    """
    model = rewrite.unpack(content)
    graph = model.subgraphs[0]
    raw = int(graph.inputs[0])
    picture = graph.tensors[raw]
    scale = 1.0 / np.asarray(preprocessing.std, np.float64)
    offset = -np.asarray(preprocessing.mean, np.float64) * scale
    inside = _tensor(graph, NORMALISED, picture.shape, schema.TensorType.FLOAT32)
    kernel = _constant(model, graph, f"{NORMALISED}/kernel", scale.reshape(1, 1, 1, 3))
    bias = _constant(model, graph, f"{NORMALISED}/bias", offset)
    for operator in graph.operators:
        operator.inputs = np.asarray(
            [inside if tensor == raw else tensor for tensor in operator.inputs], np.int32
        )
    options = schema.DepthwiseConv2DOptionsT(
        strideW=1, strideH=1, depthMultiplier=1, dilationWFactor=1, dilationHFactor=1
    )
    operator = _operator(model, Builtin.DEPTHWISE_CONV_2D, [raw, kernel, bias], inside, 1)
    operator.builtinOptionsType = schema.BuiltinOptions.DepthwiseConv2DOptions
    operator.builtinOptions = options
    graph.operators.insert(0, operator)
    return rewrite.pack(model)


def wrap(content: bytes, input_type: str, output_type: str, grid: Grid) -> bytes:
    """Convert a quantized model's input and output to the types its caller wants.

    uint8 and int8 differ by 128 in value and zero point, so that converting between them is
    exact; float32 goes through QUANTIZE or DEQUANTIZE.

    Args:
        content: the quantized .tflite.
        input_type: a key of ``TYPES``.
        output_type: likewise.
        grid: the int8 grid of the input.

    Raises:
        InputError: the model's own type cannot be converted so.
    """
    model = rewrite.unpack(content)
    graph = model.subgraphs[0]
    _wrap_input(model, graph, input_type, grid)
    _wrap_output(model, graph, output_type)
    return rewrite.pack(model)


def _wrap_input(model: Any, graph: Any, wanted: str, grid: Grid) -> None:
    inner = int(graph.inputs[0])
    have = graph.tensors[inner]
    if have.type == TYPES[wanted]:
        return
    name, shape = rewrite.tensor_name(have), have.shape
    have.name = f"{name}/inner"
    steps = []
    if wanted == "float32":
        outer = _tensor(graph, name, shape, TYPES[wanted])
        steps.append((Builtin.QUANTIZE, outer, inner))
    else:
        shift = 128 if wanted == "uint8" else 0
        outer = _tensor(graph, name, shape, TYPES[wanted], grid, shift)
        source = outer
        if wanted == "uint8" and have.type == schema.TensorType.INT16:
            # There is no kernel from uint8 to int16.
            source = _tensor(graph, f"{name}/int8", shape, TYPES["int8"], grid)
            steps.append((Builtin.QUANTIZE, outer, source))
        is_float = have.type == schema.TensorType.FLOAT32
        steps.append((Builtin.DEQUANTIZE if is_float else Builtin.QUANTIZE, source, inner))
    added = [_operator(model, code, [source], target, 2) for code, source, target in steps]
    graph.operators[:0] = added
    graph.inputs = np.asarray([outer, *graph.inputs[1:]], np.int32)
    _resign(model, inner, outer, "inputs")


def _wrap_output(model: Any, graph: Any, wanted: str) -> None:
    inner = int(graph.outputs[0])
    have = graph.tensors[inner]
    if have.type == TYPES[wanted]:
        return
    name, shape = rewrite.tensor_name(have), have.shape
    have.name = f"{name}/inner"
    source, code = inner, Builtin.QUANTIZE
    if wanted == "float32":
        outer, code = _tensor(graph, name, shape, TYPES[wanted]), Builtin.DEQUANTIZE
    elif have.type not in (schema.TensorType.INT8, schema.TensorType.INT16):
        raise InputError(f"an output of type {wanted} from a float layer", "use float32")
    else:
        grid = _output_grid(have, _maker(model, graph, inner))
        if wanted == "uint8" and have.type == schema.TensorType.INT16:
            # There is no kernel from int16 to uint8.
            source = _tensor(graph, f"{name}/int8", shape, TYPES["int8"], grid)
            graph.operators.append(_operator(model, Builtin.QUANTIZE, [inner], source, 2))
        outer = _tensor(graph, name, shape, TYPES[wanted], grid, 128 if wanted == "uint8" else 0)
    graph.operators.append(_operator(model, code, [source], outer, 2))
    graph.outputs = np.asarray([outer], np.int32)
    _resign(model, inner, outer, "outputs")


def _output_grid(tensor: Any, maker: str) -> Grid:
    """The int8 grid of an output; an int16 one keeps its reach, probabilities lie in 0..1."""
    scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    if tensor.type == schema.TensorType.INT8:
        return Grid(scale, zero)
    return FIXED.get(maker) or Grid(scale * 32767 / 127, 0)


def _maker(model: Any, graph: Any, tensor: int) -> str:
    """The operator that makes a tensor, such as ``SOFTMAX``."""
    makers = [operator for operator in graph.operators if tensor in operator.outputs]
    return rewrite.operator_name(model, makers[0]) if makers else ""


def _resign(model: Any, inner: int, outer: int, ends: str) -> None:
    for signature in model.signatureDefs or []:
        for entry in getattr(signature, ends) or []:
            if entry.tensorIndex == inner:
                entry.tensorIndex = outer


def _tensor(
    graph: Any, name: str, shape: Any, kind: int, grid: Grid | None = None, shift: int = 0
) -> int:
    tensor = schema.TensorT(name=name, shape=shape, type=kind, buffer=0)
    if grid is not None:
        tensor.quantization = rewrite.quantization(grid.scale, grid.zero_point + shift)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, name: str, values: Any) -> int:
    content = np.asarray(values, np.float32)
    index = _tensor(graph, name, np.asarray(content.shape, np.int32), schema.TensorType.FLOAT32)
    graph.tensors[index].buffer = rewrite.add_buffer(model, content.tobytes())
    return index


def _operator(model: Any, builtin: int, inputs: list[int], output: int, version: int) -> Any:
    code = schema.OperatorCodeT(builtinCode=builtin, deprecatedBuiltinCode=builtin, version=version)
    same = [
        index
        for index, known in enumerate(model.operatorCodes)
        if max(known.builtinCode, known.deprecatedBuiltinCode) == builtin
        and known.version == version
    ]
    if not same:
        model.operatorCodes.append(code)
    return schema.OperatorT(
        opcodeIndex=same[0] if same else len(model.operatorCodes) - 1,
        inputs=np.asarray(inputs, np.int32),
        outputs=np.asarray([output], np.int32),
    )
