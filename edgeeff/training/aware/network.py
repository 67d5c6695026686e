"""A corrected network that computes as its integer file will, and can be trained.

Every activation, weight and bias lies on the grid that the file will have; gradients pass the
rounding as if it were not there (Jacob et al. 2018, "Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference", section 3). What is trained are the weights in
steps of their channel's grid, the biases, and both ends of the activations' ranges (Jain et al.
2020, "Trained Quantization Thresholds").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from edgeeff.arrays import FloatArray
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.corrections.rounding import LEVELS, channel_scales
from edgeeff.quantization.grid import FIXED, HIGHEST, LOWEST, Grid
from edgeeff.quantization.writing.boundary import NORMALISED
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.weights import from_per_channel, per_channel
from edgeeff.training.aware.operators import apply
from edgeeff.training.aware.shared_grids import MOVING, ROUNDING, shared_grids

STEPS = HIGHEST - LOWEST

Span = tuple[Any, Any]
"""Both ends of a range, scalar tensors."""


BIAS_UNIT = 3.0
"""Steps of a layer's output in which its bias is counted: one learning rate suits all variables."""

END_UNIT = 0.1
"""The share of a range's width in which its ends are counted."""


class Bias:
    """A layer's bias, moved by a variable in units that a learning rate suits.

    Attributes:
        moved: how far, float32 [channels].
    """

    def __init__(self, first: FloatArray, unit: float) -> None:
        """Begin with ``first``, in real values, as ``unit`` is."""
        self._first, self._unit = first, np.float32(unit)
        self.moved = tf.Variable(np.zeros_like(first))

    @property
    def value(self) -> Any:
        """The bias as it is now, in real values."""
        return self._first + self.moved * self._unit


class FakeQuantized:
    """The network with variables for all that is trained.

    Attributes:
        graph: the corrected float network that it was made of; it stays as it is.
    """

    def __init__(self, network: Corrected, written: Graph) -> None:
        """Take the state that a corrected network is in.

        Args:
            network: ready to be written; layers without a scale have their largest weight on 127.
            written: the integer model that was written of it, its ends as they are inside.
        """
        self._start, self.graph = network, network.graph
        self._leaders = shared_grids(self.graph)
        made = _grids_of(written, self.graph)
        self._grids = {self._leaders[tensor]: grid for tensor, grid in made.items()}
        self._places = {t: place for place, t in enumerate(self._free())}
        self._constants = _constants_of(written, self.graph)
        self._ends = tf.Variable(tf.zeros((len(self._places), 2)))
        self._scales: dict[str, FloatArray] = {}
        self._kernels: dict[str, Any] = {}
        self._biases: dict[str, Bias] = {}
        for operator in self.graph.operators:
            if operator.weighted:
                self._add_layer(operator)

    def _free(self) -> list[int]:
        """The tensors that stand for a grid which nothing prescribes."""
        fixed = {self._leaders[self.graph.input]}
        for operator in self.graph.operators:
            if operator.kind in FIXED or operator.name == NORMALISED:
                fixed.update(self._leaders[tensor] for tensor in operator.outputs)
        return [leader for leader in self._grids if leader not in fixed]

    def _add_layer(self, operator: Operator) -> None:
        kernel, bias = self.graph.weights(operator), self.graph.bias(operator)
        rows = per_channel(operator, kernel)
        usual = self._start.scales.get(operator.name, channel_scales(rows)[:, 0])
        # A channel without weights keeps none: a step of its grid means nothing.
        scale = np.where(rows.any(axis=1), usual, 0.0)
        self._scales[operator.name] = scale = scale.astype(np.float32)
        steps = np.divide(rows, scale[:, None], out=np.zeros_like(rows), where=scale[:, None] > 0)
        self._kernels[operator.name] = from_per_channel(operator, np.rint(steps), kernel)
        unit = BIAS_UNIT * self._grids[self._leaders[operator.output]].scale
        if operator.name != NORMALISED:
            self._kernels[operator.name] = tf.Variable(self._kernels[operator.name])
        if bias is not None:
            self._biases[operator.name] = Bias(bias, unit)

    def variables(self, operators: Iterable[Operator]) -> list[tf.Variable]:
        """All that is trained of some operators, and the ranges."""
        own = [o.name for o in operators if o.name in self._kernels and o.name != NORMALISED]
        moved = [self._biases[name].moved for name in own if name in self._biases]
        return [*(self._kernels[name] for name in own), *moved, self._ends]

    def run(self, operators: Sequence[Operator], given: Mapping[int, Any]) -> dict[int, Any]:
        """Fake-quantized values of tensors.

        Args:
            operators: of the graph, in order of execution.
            given: values of the tensors that these read and do not make, already on their grids.

        Returns:
            Those, and the values that the operators make.
        """
        values, spans = dict(given), self._spans()
        for operator in operators:
            made = apply(self.graph, operator, self._operands(operator, values, spans))
            for tensor, value in zip(operator.outputs, made, strict=True):
                exact = operator.kind in MOVING - ROUNDING
                values[tensor] = value if exact else self._rounded(tensor, value, spans)
        return values

    def _spans(self) -> dict[int, Span]:
        """The range of each activation as it is now, by the tensor that stands for its grid."""
        found: dict[int, Span] = {
            leader: (np.float32(grid.minimum), np.float32(grid.maximum))
            for leader, grid in self._grids.items()
        }
        if self._places:
            first = [found[leader] for leader in self._places]
            low, high = (np.array(end, np.float32) for end in zip(*first, strict=True))
            low, high = (
                tf.minimum(low + END_UNIT * self._ends[:, 0] * (high - low), 0.0),
                tf.maximum(high + END_UNIT * self._ends[:, 1] * (high - low), 0.0),
            )
            found |= zip(
                self._places, zip(tf.unstack(low), tf.unstack(high), strict=True), strict=True
            )
        return found

    def _rounded(self, tensor: int, values: Any, spans: Mapping[int, Span]) -> Any:
        """Values of an activation on its grid."""
        span = spans.get(self._leaders.get(tensor, -1))
        return (
            values if span is None else tf.quantization.fake_quant_with_min_max_vars(values, *span)
        )

    def _operands(
        self, operator: Operator, values: Mapping[int, Any], spans: Mapping[int, Span]
    ) -> list[Any]:
        if not operator.weighted:
            return [
                values[tensor] if tensor in values else self._constants.get(tensor)
                for tensor in operator.inputs
            ]
        found = [values[operator.inputs[0]], self._kernel(operator)]
        return [*found, self._bias(operator, spans)] if operator.name in self._biases else found

    def _kernel(self, operator: Operator) -> Any:
        steps, scale = self._kernels[operator.name], self._scales[operator.name]
        whole = tf.quantization.fake_quant_with_min_max_args(
            steps, -LEVELS, LEVELS, narrow_range=True
        )
        last = operator.kind == "DEPTHWISE_CONV_2D"
        return whole * scale.reshape((1, 1, 1, -1) if last else (-1, *[1] * (len(steps.shape) - 1)))

    def _bias(self, operator: Operator, spans: Mapping[int, Span]) -> Any:
        bias, scale = self._biases[operator.name].value, self._scales[operator.name]
        low, high = spans[self._leaders[operator.inputs[0]]]
        step = tf.stop_gradient((high - low) / STEPS * scale)
        return bias + tf.stop_gradient(tf.round(tf.math.divide_no_nan(bias, step)) * step - bias)

    def trained(self) -> Corrected:
        """The network as it is now, to be written."""
        graph, grids = self.graph.copy(), dict(self._start.grids)
        for operator in graph.operators:
            if operator.name in self._kernels:
                self._write_layer(graph, operator)
        spans = self._spans()
        for tensor, leader in self._leaders.items():
            if leader in self._places:
                grids[tensor] = Grid.of_range(*(float(end) for end in spans[leader]))
        return Corrected(graph, grids, self._start.scales, self._start.unrounded)

    def _write_layer(self, graph: Graph, operator: Operator) -> None:
        steps = np.rint(np.clip(np.asarray(self._kernels[operator.name]), -LEVELS, LEVELS))
        rows = per_channel(operator, steps) * self._scales[operator.name][:, None]
        graph.set_weights(operator, from_per_channel(operator, rows, steps))
        if operator.name in self._biases:
            graph.set_bias(operator, np.asarray(self._biases[operator.name].value))


def _grids_of(written: Graph, graph: Graph) -> dict[int, Grid]:
    """The grid of each activation as the file has it, by number in the float graph."""
    named, found = {tensor.name: tensor for tensor in written.tensors}, {}
    for tensor in graph.activations:
        made = named.get(graph.name(tensor))
        if made is not None and len(made.scales) == 1:
            found[tensor] = Grid(made.scales[0], int(made.zero_points[0]))
    return found


def _constants_of(written: Graph, graph: Graph) -> dict[int, Any]:
    """Constants that layers do not own: real values as the file rounds them."""
    named = {tensor.name: tensor for tensor in written.tensors}
    found = {}
    for operator in graph.operators:
        for tensor in () if operator.weighted else operator.inputs:
            values = graph.values(tensor) if tensor >= 0 else None
            if values is None:
                continue
            made = named.get(graph.name(tensor))
            if made is not None and len(made.scales) == 1 and made.values is not None:
                raw = made.values.astype(np.float32) - np.float32(made.zero_points[0])
                values = raw * np.float32(made.scales[0])
            found[tensor] = values
    return found
