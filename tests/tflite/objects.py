"""A ``.tflite`` as the objects of LiteRT's own classes, which know nothing of ours.

They make files that no writer of ours would write, and say what ours ought to be.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

KINDS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
"""Names of operators by their code."""


class _AlignedBuilder(flatbuffers.Builder):
    """Aligns byte vectors as the schema asks; the object API leaves that out."""

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802 - flatbuffers' name
        if x.dtype != np.uint8:
            return int(super().CreateNumpyVector(x))
        self.StartVector(1, x.size, 16)
        content = x.tobytes()
        self.head -= len(content)
        self.Bytes[self.head : self.head + len(content)] = content
        self.vectorNumElems = x.size
        return int(self.EndVector())


def unpack(content: bytes) -> Any:
    """The objects of a file; data behind the flatbuffer becomes data inside."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers or ():
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def pack(model: Any) -> bytes:
    """The file of the objects."""
    builder = _AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def kind_of(model: Any, operator: Any) -> str:
    """Such as ``CONV_2D``."""
    code = model.operatorCodes[operator.opcodeIndex]
    return KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def attach(model: Any, name: str, content: bytes) -> None:
    """Attach named bytes to the model."""
    model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    entry = schema.MetadataT(name=name, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
