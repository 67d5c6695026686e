"""Changing a .tflite: unpack the flatbuffer into objects, edit, pack it again.

The objects are those of LiteRT's own schema (``ModelT``, ``SubGraphT``, ...). Files from
outside go through ``edgeeff.tflite.reader.read_model`` first, which checks every offset;
the object API does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Bytes to which tensor data is aligned: ``force_align`` of Buffer.data in the schema."""

ModelObject = Any
SubgraphObject = Any
OperatorObject = Any
TensorObject = Any

DTYPES: Mapping[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT64: np.dtype(np.int64),
    schema.TensorType.INT16: np.dtype(np.int16),
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.UINT8: np.dtype(np.uint8),
    schema.TensorType.BOOL: np.dtype(np.bool_),
}
"""Tensor types whose constants can be read as arrays."""

OPERATOR_NAMES: Mapping[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


FINAL_ACTIVATIONS = ("SOFTMAX", "LOGISTIC")
"""Operators that turn logits into probabilities of classes, or of each class by itself."""


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Aligns byte vectors as the schema asks; the object API leaves that out."""

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 - flatbuffers' name
        if x.dtype != np.uint8:
            return int(super().CreateNumpyVector(x))
        self.StartVector(1, x.size, ALIGNMENT)
        content = x.tobytes()
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        self.vectorNumElems = x.size
        return int(self.EndVector())


def unpack(content: bytes) -> ModelObject:
    """The objects of a .tflite flatbuffer; edits do not touch ``content``."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers or ():
        # litert-quantizer keeps the data behind the flatbuffer, where packing would lose it.
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def pack(model: ModelObject) -> bytes:
    """The .tflite flatbuffer of the objects: the same objects give the same bytes."""
    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    builder = _AlignedBuilder(size + (1 << 20))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def operator_name(model: ModelObject, operator: OperatorObject) -> str:
    """Such as ``CONV_2D``."""
    code = model.operatorCodes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return OPERATOR_NAMES.get(builtin, str(builtin))


def tensor_name(tensor: TensorObject) -> str:
    """The name as text; flatbuffers hands out bytes."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def shape_of(tensor: TensorObject) -> list[int]:
    """The shape as a list; a scalar's is empty."""
    return [] if tensor.shape is None else [int(size) for size in tensor.shape]


def constant(model: ModelObject, tensor: TensorObject) -> npt.NDArray[Any] | None:
    """A copy of a constant tensor's values in its shape; ``None`` for an activation."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0 or tensor.type not in DTYPES:
        return None
    values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[tensor.type])
    copied: npt.NDArray[Any] = values.reshape(shape_of(tensor)).copy()
    return copied


def set_constant(model: ModelObject, tensor: TensorObject, values: npt.NDArray[Any]) -> None:
    """Replace a constant's values; the type and shape stay.

    The converter lets equal constants share a buffer: a shared one is left to the others.
    """
    content = np.ascontiguousarray(values, DTYPES[tensor.type])
    if list(content.shape) != shape_of(tensor):
        raise ValueError(f"{tensor_name(tensor)} has shape {tensor.shape}, not {content.shape}")
    users = sum(t.buffer == tensor.buffer for g in model.subgraphs for t in g.tensors)
    if users > 1:
        tensor.buffer = add_buffer(model, content.tobytes())
    else:
        model.buffers[tensor.buffer].data = np.frombuffer(content.tobytes(), np.uint8)


def add_buffer(model: ModelObject, content: bytes) -> int:
    """Append a buffer; its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_metadata(model: ModelObject, name: str, content: bytes) -> None:
    """Attach named bytes to the model, in place of those of the same name."""
    entry = schema.MetadataT()
    entry.name = name
    entry.buffer = add_buffer(model, content)
    kept = [old for old in model.metadata or [] if _text(old.name) != name]
    model.metadata = [*kept, entry]


def metadata(model: ModelObject, name: str) -> bytes | None:
    """The named bytes attached to the model, if there are any."""
    for entry in model.metadata or []:
        if _text(entry.name) == name:
            data = model.buffers[entry.buffer].data
            return None if data is None else bytes(np.asarray(data, np.uint8))
    return None


def remove_metadata(model: ModelObject, name: str) -> None:
    """Take the named bytes off the model; nothing happens if there are none."""
    for entry in model.metadata or []:
        if _text(entry.name) == name:
            model.buffers[entry.buffer] = schema.BufferT()
    model.metadata = [entry for entry in model.metadata or [] if _text(entry.name) != name]


def quantization(scale: float, zero_point: int) -> Any:
    """The quantization parameters of a tensor with one scale."""
    return schema.QuantizationParametersT(
        scale=np.asarray([scale], np.float32), zeroPoint=np.asarray([zero_point], np.int64)
    )


def expose(model: ModelObject, tensors: Iterable[int]) -> None:
    """Make these tensors the graph's outputs, so that one pass reads them all.

    XNNPACK keeps what is an output, which the reference interpreter's
    ``experimental_preserve_all_tensors`` would only do three times as slowly. The
    signature no longer fits and is dropped.
    """
    model.subgraphs[0].outputs = np.asarray(list(tensors), np.int32)
    model.signatureDefs = None


def logits_model(content: bytes) -> bytes:
    """The same model, cut before its final softmax or sigmoid; as it is if there is neither.

    A quantized model that converts its answer to another type for its caller (an output
    QUANTIZE or DEQUANTIZE) is cut before the softmax as well.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    passed = _ending(model)
    if not passed:
        return content
    graph.operators = [op for op in graph.operators if not _any_is(op, passed)]
    expose(model, [int(passed[-1].inputs[0])])
    return pack(model)


def final_activation(content: bytes) -> str | None:
    """``SOFTMAX`` or ``LOGISTIC``, what makes a model's answer of its logits; ``None``: neither."""
    model = unpack(content)
    passed = _ending(model)
    return operator_name(model, passed[-1]) if passed else None


def _ending(model: ModelObject) -> list[OperatorObject]:
    """The operators from the output back to the final softmax or sigmoid; none without either."""
    graph = model.subgraphs[0]
    producers = {int(out): op for op in graph.operators for out in op.outputs}
    tensor = int(graph.outputs[0])
    passed = []
    while tensor in producers:
        passed.append(producers[tensor])
        name = operator_name(model, passed[-1])
        if name in FINAL_ACTIVATIONS:
            return passed
        if name not in ("QUANTIZE", "DEQUANTIZE"):
            break
        tensor = int(passed[-1].inputs[0])
    return []


def _any_is(operator: OperatorObject, others: list[OperatorObject]) -> bool:
    return any(operator is other for other in others)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
