"""What a ``.tflite`` model consists of, as values."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.tflite.flatbuffer import Table

BITS = {
    "float32": 32, "float16": 16, "float64": 64, "bfloat16": 16, "complex64": 64,
    "complex128": 128, "int4": 4, "uint4": 4, "int2": 2, "int8": 8, "uint8": 8, "int16": 16,
    "uint16": 16, "int32": 32, "uint32": 32, "int64": 64, "uint64": 64, "bool": 8,
}  # fmt: skip
"""Bits of one value; types that are not here (strings, resources) have no fixed size."""

FLOATS = frozenset({"float32", "float16", "float64", "bfloat16", "complex64", "complex128"})
"""Types that need floating-point arithmetic."""

_PACKED = frozenset({"bfloat16", "int4", "uint4", "int2"})

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators with weights that are quantized per output channel."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph.

    Attributes:
        index: its number in the graph.
        name: as in the file, often empty or repeated in files from elsewhere.
        shape: sizes; -1 where the file leaves one open.
        dtype: such as ``"int8"``, ``"float32"``, ``"int4"``, ``"string"``.
        scales: real value of a step: none, one, or one per channel.
        zero_points: raw value of 0.0, for each scale.
        quantized_dimension: the axis of the channels, if there are several scales.
        buffer: number of the stored bytes; equal for constants that share them.
        content: the stored bytes of a constant, ``None`` if they are not in this file.
        table: as it is in the file, with what the other attributes do not say.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    quantized_dimension: int = 0
    buffer: int = 0
    content: memoryview | None = field(repr=False, compare=False, default=None)
    table: Table = field(repr=False, compare=False, default_factory=dict)

    @property
    def constant(self) -> bool:
        """Whether its values are in the file, or in another one that belongs to it."""
        return self.content is not None or self.table.get("external_buffer", 0) != 0

    @property
    def bytes(self) -> int:
        """What it holds: a constant as it is stored, any other as its shape and type say.

        Open sizes count as 1; 0 if the type has no fixed size.
        """
        if self.content is not None:
            return len(self.content)
        values = math.prod(1 if size < 0 else size for size in self.shape)
        return -(-values * BITS.get(self.dtype, 0) // 8)

    @property
    def per_channel(self) -> bool:
        """Whether it has a scale for every channel."""
        return len(self.scales) > 1

    @property
    def plain(self) -> bool:
        """Whether its type is one of numpy's own: not text, and not packed (int4)."""
        return self.dtype in BITS and self.dtype not in _PACKED

    @property
    def values(self) -> NDArray[Any] | None:
        """The raw values of a constant in its shape; ``None`` if not stored, or packed (int4)."""
        if self.content is None or not self.plain:
            return None
        flat = np.frombuffer(self.content, np.dtype(self.dtype))
        return flat.reshape(self.shape) if flat.size == math.prod(self.shape) else None


@dataclass(frozen=True)
class Operator:
    """One operator of a graph.

    Attributes:
        kind: such as ``"CONV_2D"``; a custom operator's own name.
        name: of the first tensor it makes, ``""`` without one.
        custom: not one of LiteRT's own.
        version: of the operator's definition.
        inputs: tensor numbers, -1 for an optional one left out.
        outputs: tensor numbers.
        options: such as ``{"stride_w": 2, "padding": "SAME"}``; enumerations by name.
        table: as it is in the file, with what the other attributes do not say.
    """

    kind: str
    name: str
    custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    table: Table = field(repr=False, compare=False, default_factory=dict)

    @property
    def output(self) -> int:
        """The first tensor it makes. Raises ``IndexError`` if it makes none."""
        return self.outputs[0]

    @property
    def activation(self) -> str:
        """The function it applies to its result, such as ``RELU6``; ``NONE`` for none."""
        return str(self.options.get("fused_activation_function", "NONE"))

    @property
    def weighted(self) -> bool:
        """Whether it has weights that are quantized per channel."""
        return self.kind in WEIGHTED


@dataclass(frozen=True)
class Subgraph:
    """The model's main graph, or the body of a condition, a loop, another signature.

    Attributes:
        operators: in order of execution.
        inputs: tensor numbers.
        outputs: tensor numbers.
        table: as it is in the file, with what the other attributes do not say.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Table = field(repr=False, compare=False, default_factory=dict)

    @property
    def disorder(self) -> str:
        """What is wrong with the order of the operators; ``""`` if nothing is.

        Every tensor is written once, before it is read: so a walk along the graph ends, and a
        runtime finds what it reads.
        """
        before = {-1, *self.inputs}
        before |= {t.index for t in self.tensors if t.table.get("is_variable")}
        known = before | {t.index for t in self.tensors if t.constant or t.bytes == 0}
        written: set[int] = set()
        for index, operator in enumerate(self.operators):
            early = [tensor for tensor in operator.inputs if tensor not in known]
            if early:
                where = f"operator {index} {operator.kind}"
                return f"{where} reads tensor {early[0]} before it is written"
            for made in operator.outputs:
                if made in written or made in before or self.tensors[made].constant:
                    return f"tensor {made} is written twice"
                written.add(made)
            known.update(operator.outputs)
        return ""

    @property
    def float_tensors(self) -> tuple[Tensor, ...]:
        """Float tensors that operators work on.

        An input that only QUANTIZE reads and an output that only DEQUANTIZE writes are the
        caller's convenience, not part of the work, and are left out.
        """
        inputs, outputs = set(self.inputs), set(self.outputs)
        used: set[int] = set()
        for operator in self.operators:
            if operator.kind != "QUANTIZE" or not inputs.issuperset(operator.inputs):
                used.update(operator.inputs)
            if operator.kind != "DEQUANTIZE" or not outputs.issuperset(operator.outputs):
                used.update(operator.outputs)
        used.discard(-1)
        return tuple(self.tensors[i] for i in sorted(used) if self.tensors[i].dtype in FLOATS)


@dataclass(frozen=True)
class Signature:
    """A named way to call the model: tensor number by the caller's name for it."""

    key: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    graph: int


@dataclass(frozen=True)
class Attachment:
    """Bytes attached to a model by name, which the file format calls metadata.

    Attributes:
        buffer: number of the stored bytes.
        content: empty if they are not in this file.
    """

    name: str
    buffer: int
    content: memoryview = field(repr=False)


@dataclass(frozen=True)
class Model:
    """A ``.tflite`` file.

    Attributes:
        name: how errors call it: its path.
        content: the whole file, what is appended to the model included.
        version: of the file format (3).
        description: what its maker wrote into it.
        graphs: the first is the model proper.
        signatures: may be none.
        attachments: may be none.
        table: as it is in the file, with what the other attributes do not say.
    """

    name: str
    content: memoryview = field(repr=False)
    version: int
    description: str
    graphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    attachments: tuple[Attachment, ...]
    table: Table = field(repr=False, compare=False, default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of the file, what is appended to the model included."""
        return len(self.content)

    @cached_property
    def sha256(self) -> str:
        """Of the file, 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def metadata(self) -> Mapping[str, memoryview]:
        """The bytes attached to the model, by name."""
        return {attachment.name: attachment.content for attachment in self.attachments}

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the main graph."""
        return self.graphs[0].tensors

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those of the main graph, in order of execution."""
        return self.graphs[0].operators

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the caller sets."""
        return tuple(self.tensors[index] for index in self.graphs[0].inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What the caller reads."""
        return tuple(self.tensors[index] for index in self.graphs[0].outputs)

    @property
    def classes(self) -> int:
        """How many values it answers a picture with; 0 if it answers nothing."""
        shape = self.outputs[0].shape if self.outputs else ()
        return shape[-1] if shape else 0

    @property
    def float_tensors(self) -> tuple[Tensor, ...]:
        """Float tensors that operators of any graph work on (see ``Subgraph.float_tensors``)."""
        return tuple(tensor for graph in self.graphs for tensor in graph.float_tensors)

    @property
    def integer_only(self) -> bool:
        """No operator works on a float tensor.

        Inputs and outputs may still be float if the graph begins with QUANTIZE and ends with
        DEQUANTIZE: look at their ``dtype`` for that.
        """
        return not self.float_tensors

    @property
    def operator_counts(self) -> dict[str, int]:
        """How many operators of each kind, of all graphs, the most frequent first."""
        kinds = Counter(operator.kind for graph in self.graphs for operator in graph.operators)
        return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
