"""Runs one operator of a float graph on stored int8 activations.

The rounding of a layer's weights wants the inputs that the layer will see in the quantized
network, so the network is replayed operator by operator: int8 in, dequantized, the float
operator with the weights it has by then, quantized, int8 out. Each step is a LiteRT model of
its own, which keeps XNNPACK's speed and takes every operator that LiteRT knows.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.grid import Grid
from edgeeff.tflite import rewrite
from edgeeff.tflite.runner import Runner

INT8 = schema.TensorType.INT8


class Step:
    """One operator, ready to run on stored activations.

    Attributes:
        inputs: the activations it reads, in the order it takes them.
    """

    def __init__(
        self, graph: Graph, operator: Operator, grids: Mapping[int, Grid], threads: int | None
    ) -> None:
        """Build the operator's own model.

        Args:
            graph: the network; its constants are copied as they are now.
            operator: which operator.
            grids: of the activations that are stored as int8; others are as the graph has them.
            threads: kernel threads.
        """
        builder = _Builder(graph, grids)
        operands = [builder.operand(tensor) for tensor in operator.inputs]
        output = builder.place(operator, operands)
        if operator.output in grids:
            output = builder.quantized(output, grids[operator.output])
        self.inputs = tuple(builder.fed)
        self._runner = Runner(builder.finish(output), threads=threads, quiet=False)

    def run(self, stored: Mapping[int, Sequence[npt.NDArray[Any]]], index: int) -> Any:
        """The operator's output for the stored batch ``index``, as it is to be stored."""
        return self._runner.run(*(stored[tensor][index] for tensor in self.inputs))[0]


class _Builder:
    """Collects the tensors and operators of the small model."""

    def __init__(self, source: Graph, grids: Mapping[int, Grid]) -> None:
        self.source, self.grids = source, grids
        self.model = schema.ModelT(version=3, operatorCodes=[], buffers=[schema.BufferT()])
        self.graph = schema.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[])
        self.fed: dict[int, int] = {}

    def operand(self, tensor: int) -> int:
        """A constant, or an activation that is fed, through DEQUANTIZE if stored as int8."""
        if tensor < 0:
            return tensor
        original = self.source.tensor(tensor)
        values = rewrite.constant(self.source.model, original)
        if values is not None:
            buffer = rewrite.add_buffer(self.model, values.tobytes())
            return self._tensor(original.shape, original.type, buffer=buffer)
        if tensor not in self.fed:  # x * x reads one tensor twice
            self.fed[tensor] = self._feed(original, self.grids.get(tensor))
        return self.fed[tensor]

    def place(self, operator: Operator, operands: list[int]) -> int:
        """The operator itself on these operands; its output."""
        original = self.source.model.subgraphs[0].operators[operator.index]
        made = self.source.tensor(operator.output)
        output = self._tensor(made.shape, made.type)
        code = self.source.model.operatorCodes[original.opcodeIndex]
        self._append(copy.copy(original), code, operands, output)
        return output

    def quantized(self, tensor: int, grid: Grid) -> int:
        """An int8 copy of a float tensor."""
        raw = self._tensor(self.graph.tensors[tensor].shape, INT8, grid=grid)
        self._convert(schema.BuiltinOperator.QUANTIZE, tensor, raw)
        return raw

    def finish(self, output: int) -> bytes:
        """The small model as a .tflite."""
        self.graph.inputs = np.asarray(self.graph.inputs, np.int32)
        self.graph.outputs = np.asarray([output], np.int32)
        self.model.subgraphs = [self.graph]
        return rewrite.pack(self.model)

    def _feed(self, original: Any, grid: Grid | None) -> int:
        fed = self._tensor(original.shape, INT8 if grid else original.type, grid=grid)
        self.graph.inputs.append(fed)
        if grid is None:
            return fed
        real = self._tensor(original.shape, schema.TensorType.FLOAT32)
        self._convert(schema.BuiltinOperator.DEQUANTIZE, fed, real)
        return real

    def _tensor(self, shape: Any, kind: int, *, buffer: int = 0, grid: Grid | None = None) -> int:
        tensor = schema.TensorT(shape=shape, type=kind, buffer=buffer)
        tensor.name = f"tensor{len(self.graph.tensors)}"
        if grid is not None:
            tensor.quantization = rewrite.quantization(grid.scale, grid.zero_point)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _convert(self, builtin: int, source: int, target: int) -> None:
        code = schema.OperatorCodeT(builtinCode=builtin, deprecatedBuiltinCode=builtin, version=2)
        self._append(schema.OperatorT(), code, [source], target)

    def _append(self, operator: Any, code: Any, operands: list[int], output: int) -> None:
        self.model.operatorCodes.append(code)
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.asarray(operands, np.int32)
        operator.outputs = np.asarray([output], np.int32)
        self.graph.operators.append(operator)
