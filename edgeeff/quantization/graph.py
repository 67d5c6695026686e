"""A float .tflite as layers whose weights can be read and replaced."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeeff.errors import InputError
from edgeeff.tflite import rewrite

FloatArray = npt.NDArray[np.float32]

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operators with weights that are quantized per output channel."""

_ACTIVATION_NAMES = {
    code: name for name, code in vars(schema.ActivationFunctionType).items() if name.isupper()
}


@dataclass(frozen=True)
class Operator:
    """One operator of the graph.

    Attributes:
        index: its place in the graph's order of execution.
        kind: such as ``CONV_2D``.
        name: of the tensor it makes.
        inputs: tensor indices; -1 for an optional one that is absent.
        output: index of its (first) output tensor.
        activation: the fused activation, such as ``RELU6`` or ``NONE``.
    """

    index: int
    kind: str
    name: str
    inputs: tuple[int, ...]
    output: int
    activation: str

    @property
    def weighted(self) -> bool:
        """Whether it has weights that are quantized per channel."""
        return self.kind in WEIGHTED


class Graph:
    """The first subgraph of a float model; edits change the model it was made of.

    Attributes:
        model: the flatbuffer's objects.
        operators: in order of execution.
    """

    def __init__(self, content: bytes) -> None:
        """Read a checked float .tflite. Raises ``InputError`` for what cannot be quantized."""
        self.model = rewrite.unpack(content)
        if len(self.model.subgraphs) != 1:
            raise InputError(
                "the model has several subgraphs (control flow)",
                "export a plain feed-forward graph",
            )
        self._graph = self.model.subgraphs[0]
        if any(
            tensor.quantization is not None
            and tensor.quantization.scale is not None
            and len(tensor.quantization.scale)
            for tensor in self._graph.tensors
        ):
            raise InputError(
                "the model is quantized already", "quantize takes the float32 .tflite it came from"
            )
        self._own_constants()
        self.operators = tuple(self._operators())

    def refuse_several_outputs(self) -> None:
        """Raise ``InputError`` for an operator that makes several tensors, such as SPLIT.

        ``Operator.output`` is its first one only: of the others nobody would know the range.
        """
        for operator in self.operators:
            made = len(self._graph.operators[operator.index].outputs)
            if made > 1:
                raise InputError(
                    f"operator {operator.index}, {operator.kind}, makes {made} tensors: that "
                    "cannot be quantized yet",
                    "--recipe float16 takes it; for int8 export slices (x[..., :n]) in its place",
                )

    @property
    def input(self) -> int:
        """Tensor index of the picture."""
        return int(self._graph.inputs[0])

    @property
    def output(self) -> int:
        """Tensor index of the result."""
        return int(self._graph.outputs[0])

    @cached_property
    def producer(self) -> dict[int, Operator]:
        """The operator that makes a tensor."""
        return {operator.output: operator for operator in self.operators}

    @cached_property
    def consumers(self) -> dict[int, tuple[Operator, ...]]:
        """The operators that read a tensor."""
        found: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for tensor in operator.inputs:
                found.setdefault(tensor, []).append(operator)
        return {tensor: tuple(readers) for tensor, readers in found.items()}

    @cached_property
    def activations(self) -> tuple[int, ...]:
        """Float tensors that depend on the picture, in order: the input first."""
        outputs = [operator.output for operator in self.operators]
        float32 = schema.TensorType.FLOAT32
        return tuple(t for t in [self.input, *outputs] if self.tensor(t).type == float32)

    def tensor(self, index: int) -> Any:
        """The flatbuffer object of a tensor."""
        return self._graph.tensors[index]

    def name(self, index: int) -> str:
        """The name of a tensor."""
        return rewrite.tensor_name(self.tensor(index))

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return tuple(rewrite.shape_of(self.tensor(index)))

    def options(self, operator: Operator) -> Any:
        """The flatbuffer object with an operator's stride, padding and the like."""
        return self._graph.operators[operator.index].builtinOptions

    def weights(self, operator: Operator) -> FloatArray:
        """A layer's kernel as the file has it.

        ``[out, height, width, in]`` for convolutions, ``[1, height, width, channels]`` for
        depthwise ones, ``[out, in]`` for dense layers.
        """
        return self._constant(operator, operator.inputs[1], "weights")

    def set_weights(self, operator: Operator, values: FloatArray) -> None:
        """Replace a layer's kernel."""
        rewrite.set_constant(self.model, self.tensor(operator.inputs[1]), values)

    def bias(self, operator: Operator) -> FloatArray | None:
        """A layer's bias ``[out]``, or ``None`` if it has none."""
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return None
        return self._constant(operator, operator.inputs[2], "bias")

    def set_bias(self, operator: Operator, values: FloatArray) -> None:
        """Replace the bias of a layer that has one."""
        rewrite.set_constant(self.model, self.tensor(operator.inputs[2]), values)

    def resize(self, tensor: int, shape: tuple[int, ...]) -> None:
        """Give a tensor another shape."""
        self.tensor(tensor).shape = np.asarray(shape, np.int32)

    def resize_constant(self, tensor: int, values: npt.NDArray[Any]) -> None:
        """Replace a constant by one of another shape."""
        self.resize(tensor, values.shape)
        rewrite.set_constant(self.model, self.tensor(tensor), values)

    def content(self) -> bytes:
        """The model as it is now, as a .tflite."""
        return rewrite.pack(self.model)

    def _constant(self, operator: Operator, tensor: int, what: str) -> FloatArray:
        values = rewrite.constant(self.model, self.tensor(tensor))
        if values is None or values.dtype != np.float32:
            raise InputError(f"the {what} of {operator.name} are not float32 constants")
        return values

    def _own_constants(self) -> None:
        """Give each layer a kernel and a bias of its own.

        The converter merges equal constants, such as biases of zeros, and a layer that is used
        twice has one kernel. Corrections write into them for one layer, which would reach the
        others. The copies share their bytes with the original until then.
        """
        readers = Counter(int(t) for operator in self._graph.operators for t in operator.inputs)
        names = {rewrite.tensor_name(tensor) for tensor in self._graph.tensors}
        for operator in self._graph.operators:
            if rewrite.operator_name(self.model, operator) not in WEIGHTED:
                continue
            for place, tensor in enumerate(operator.inputs):
                shared = place > 0 and tensor >= 0 and readers[int(tensor)] > 1
                if shared and self._is_constant(int(tensor)):
                    readers[int(tensor)] -= 1
                    operator.inputs[place] = self._copied(int(tensor), names)

    def _is_constant(self, tensor: int) -> bool:
        return rewrite.constant(self.model, self.tensor(tensor)) is not None

    def _copied(self, tensor: int, names: set[str]) -> int:
        """Another tensor of the same constant, by a name that no other has."""
        copied = copy.copy(self.tensor(tensor))
        copied.name = next(
            name for n in itertools.count(1) if (name := f"{self.name(tensor)}/{n}") not in names
        )
        names.add(copied.name)
        self._graph.tensors.append(copied)
        return len(self._graph.tensors) - 1

    def _operators(self) -> Iterator[Operator]:
        for index, operator in enumerate(self._graph.operators):
            output = int(operator.outputs[0])
            activation = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
            yield Operator(
                index,
                rewrite.operator_name(self.model, operator),
                rewrite.tensor_name(self._graph.tensors[output]),
                tuple(int(tensor) for tensor in operator.inputs),
                output,
                _ACTIVATION_NAMES[activation],
            )


def per_channel(operator: Operator, weights: FloatArray) -> FloatArray:
    """A kernel as a matrix with one row per output channel, ``[channels, taps]``."""
    if operator.kind == "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
    return weights.reshape(weights.shape[0], -1)


def from_per_channel(operator: Operator, matrix: FloatArray, like: FloatArray) -> FloatArray:
    """The inverse of ``per_channel``: a kernel of the shape of ``like``."""
    if operator.kind == "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(matrix.T).reshape(like.shape)
    return matrix.reshape(like.shape)
