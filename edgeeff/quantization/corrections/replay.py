"""Runs one operator of a float graph on stored int8 activations.

The rounding of a layer's weights wants the inputs that the layer will see in the quantized
network, so the network is replayed operator by operator: int8 in, dequantized, the float
operator with the weights it has by then, quantized, int8 out. Each step is a LiteRT model of
its own, which keeps XNNPACK's speed and takes every operator that LiteRT knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from edgeeff.quantization.grid import Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.runner import Runner


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
        alone = Graph.empty()
        fed: dict[int, int] = {}
        operands: dict[int, int] = {-1: -1}
        for tensor in operator.inputs:
            if tensor not in operands:  # x * x reads one tensor twice
                operands[tensor] = _operand(alone, graph, tensor, grids.get(tensor), fed)
        made = [graph.tensor(tensor) for tensor in operator.outputs]
        outputs = [alone.add_tensor(tensor.name, tensor.shape, tensor.dtype) for tensor in made]
        alone.add_like(operator, [operands[tensor] for tensor in operator.inputs], outputs)
        for place, tensor in enumerate(operator.outputs):
            if tensor in grids:
                raw = _int8(alone, graph, tensor, grids[tensor])
                alone.add_operator("QUANTIZE", [outputs[place]], [raw], version=2)
                outputs[place] = raw
        alone.cut(inputs=list(fed.values()), outputs=outputs)
        self.inputs = tuple(fed)
        self._runner = Runner(alone.content(), threads=threads, quiet=False)

    def run(
        self, stored: Mapping[int, Sequence[npt.NDArray[Any]]], index: int
    ) -> list[npt.NDArray[Any]]:
        """The operator's outputs for the stored batch ``index``, as they are to be stored."""
        return self._runner.run(*(stored[tensor][index] for tensor in self.inputs))


def _operand(
    alone: Graph, graph: Graph, tensor: int, grid: Grid | None, fed: dict[int, int]
) -> int:
    """A constant, or an activation that is fed, through DEQUANTIZE if stored as int8."""
    source = graph.tensor(tensor)
    values = source.values
    if values is not None:
        return alone.add_constant(source.name, values)
    real = alone.add_tensor(source.name, source.shape, source.dtype)
    fed[tensor] = real
    if grid is not None:
        fed[tensor] = _int8(alone, graph, tensor, grid)
        alone.add_operator("DEQUANTIZE", [fed[tensor]], [real], version=2)
    return real


def _int8(alone: Graph, graph: Graph, tensor: int, grid: Grid) -> int:
    return alone.add_tensor(
        f"{graph.name(tensor)}/int8",
        graph.shape(tensor),
        "int8",
        scale=grid.scale,
        zero_point=grid.zero_point,
    )
