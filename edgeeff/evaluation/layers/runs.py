"""A float network and its quantized one side by side, one picture at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray
from edgeeff.evaluation.layers.merged_copies import merged_copies
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.corrections.equalization import scalable
from edgeeff.quantization.corrections.replay import Step
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator, Tensor
from edgeeff.tflite.runner import Runner, TensorInfo
from edgeeff.tflite.weights import per_channel

SMALLEST_FACTOR = 1e-5
"""A channel that seems to be scaled further down than this is dead or broken."""


class Activations:
    """What a picture did to named tensors; stored values become real ones when asked for."""

    def __init__(self, stored: Mapping[str, tuple[TensorInfo | None, npt.NDArray[np.generic]]]):
        self._stored = stored

    def __getitem__(self, name: str) -> FloatArray:
        """Real values, float32 [1, ..., channels]."""
        info, values = self._stored[name]
        real = values.astype(np.float32)
        if info is not None and info.scale is not None:
            real -= np.float32(info.zero_point or 0)
            real *= np.float32(info.scale)
        return real


class Network:
    """A model of batch 1 that shows its activations."""

    def __init__(self, graph: Graph, names: Sequence[str], preprocessing: Preprocessing) -> None:
        """Load a model.

        Args:
            graph: not changed.
            names: of the tensors to show; the input may be among them, whose real values are the
                normalised ones whatever the model takes.
            preprocessing: of the float network.
        """
        shown = graph.copy()
        numbers = {tensor.name: tensor.index for tensor in graph.tensors}
        self._shown = [name for name in names if numbers[name] != graph.input]
        self._images = [name for name in names if numbers[name] == graph.input]
        shown.expose([numbers[name] for name in self._shown])
        self._runner = Runner(shown.content(), quiet=False)
        self._preprocessing = preprocessing
        self._feed = feeding(self._runner.inputs[0], preprocessing)

    def activations(self, picture: npt.NDArray[np.uint8]) -> Activations:
        """Run one picture, uint8 [height, width, channels]."""
        raw = self._runner.run(self._feed(picture[None]))
        values = zip(self._runner.outputs, raw, strict=True)
        stored = dict(zip(self._shown, values, strict=True))
        normalised = self._preprocessing.normalised(picture[None])
        return Activations({**stored, **dict.fromkeys(self._images, (None, normalised))})


def _quotient(common: npt.NDArray[np.float64], power: npt.NDArray[np.float64]) -> FloatArray:
    factor = np.divide(common, power, out=np.ones(len(power)), where=power > 0)
    return np.where(factor > SMALLEST_FACTOR, factor, 1.0).astype(np.float32)


class WeightedLayer:
    """A float layer with the weights of the quantized network, its scaling undone."""

    def __init__(self, step: Step, source: int, name: str) -> None:
        self._step, self._source, self._name = step, source, name

    def output(self, activations: Activations) -> FloatArray:
        """What it makes of the float network's activations."""
        made: FloatArray = self._step.run({self._source: [activations[self._name]]}, 0)[0]
        return made


class QuantizedWeights:
    """The weights of a quantized network, for layers of the float one.

    Attributes:
        factors: by how much equalization scaled the channels of each activation, [channels] by
            name of the tensor. The weights tell: those of a layer carry the factor of its output
            and the inverse of that of its input.
        copies: which channels were copied (``splitting``), ``None`` if none were.
    """

    def __init__(self, graph: Graph, quantized: Graph) -> None:
        """Take the float network and the quantized one that was made from it."""
        self._graph, self._quantized = graph, quantized
        self._operators = {operator.name: operator for operator in quantized.operators}
        self._scaled = scalable(graph)
        first = next((o for o in graph.operators if o.kind == "CONV_2D"), None)
        known = first is not None and first.name in self._operators
        self.copies = merged_copies(graph, self._raw(first)) if first and known else None
        channels = graph.shape(graph.input)[-1]
        self.factors: dict[str, FloatArray] = {
            graph.name(graph.input): np.ones(channels, np.float32)
        }
        for operator in graph.operators:
            self.factors[operator.name] = self._factor(operator)

    def _factor(self, operator: Operator) -> FloatArray:
        graph = self._graph
        if operator.output in self._scaled and operator.kind == "ADD":
            return self.factors[graph.name(operator.inputs[0])]
        if operator.output not in self._scaled or operator.name not in self._operators:
            return np.ones(graph.shape(operator.output)[-1], np.float32)
        before = per_channel(operator, graph.weights(operator)).astype(np.float64)
        after = per_channel(operator, self._on_float_inputs(operator))
        # Inputs that were replaced by copies are zero and tell nothing.
        before = np.where(after != 0, before, 0.0)
        return _quotient((before * after).sum(axis=1), np.square(before).sum(axis=1))

    def layer(self, operator: Operator) -> WeightedLayer | None:
        """A layer of the float network; ``None`` if it has no weights of the same shape."""
        graph, source = self._graph, self._graph.name(operator.inputs[0])
        if not operator.weighted:
            return None
        kernel, stored = graph.weights(operator), self._on_float_inputs(operator)
        bias, stored_bias = graph.bias(operator), self._bias(operator)
        if stored.shape != kernel.shape or (bias is None) != (stored_bias is None):
            return None
        out = self.factors[operator.name]
        shaped = out if operator.kind == "DEPTHWISE_CONV_2D" else _first_axis(out, stored.ndim)
        changed = graph.copy()
        changed.set_weights(operator, stored / shaped)
        if bias is not None and stored_bias is not None:
            found = _dequantized(stored_bias)
            found = self.copies.bias(operator, found, bias) if self.copies else found
            changed.set_bias(operator, found / out)
        return WeightedLayer(Step(changed, operator, {}, None), operator.inputs[0], source)

    def saturated_biases(self, operator: Operator) -> int:
        """How many biases of a layer are at the end of int32 (``bias_room``)."""
        bias = self._bias(operator) if operator.weighted else None
        if bias is None or bias.dtype != "int32":
            return 0
        ends, values = np.iinfo(np.int32), np.asarray(bias.values, np.int64)
        return int(((values <= ends.min + 1) | (values >= ends.max)).sum())

    def _stored(self, operator: Operator) -> FloatArray:
        """The quantized kernel of a layer, copies of channels merged."""
        raw = self._raw(operator)
        if self.copies is None:
            return raw
        return self.copies.kernel(operator, raw, self._graph.weights(operator))

    def _on_float_inputs(self, operator: Operator) -> FloatArray:
        """The same for inputs as the float network has them: the scaling of these undone.

        Equalization scales no input of a layer whose kernel does not end in its channels: of
        grouped convolutions, of depth multipliers, and of dense layers that flatten a picture.
        """
        kernel = self._stored(operator)
        factor = self.factors.get(self._graph.name(operator.inputs[0]))
        return kernel if factor is None or factor.shape != kernel.shape[-1:] else kernel * factor

    def _raw(self, operator: Operator) -> FloatArray:
        return _dequantized(self._constant(operator, 1))

    def _bias(self, operator: Operator) -> Tensor | None:
        """The quantized bias of a layer, if it has one."""
        inputs = self._operators[operator.name].inputs
        return self._constant(operator, 2) if len(inputs) > 2 and inputs[2] >= 0 else None

    def _constant(self, operator: Operator, operand: int) -> Tensor:
        tensor = self._quantized.tensor(self._operators[operator.name].inputs[operand])
        converted = self._operators.get(tensor.name)
        if converted is None or converted.kind != "DEQUANTIZE":
            return tensor
        # Weights that are stored in less than the layer computes with.
        return self._quantized.tensor(converted.inputs[0])


def _dequantized(tensor: Tensor) -> FloatArray:
    values = np.asarray(tensor.values, np.float64)
    scales = np.asarray(tensor.scales or (1.0,), np.float64)
    if len(scales) > 1:
        axis = [1] * values.ndim
        axis[tensor.quantized_dimension] = len(scales)
        scales = scales.reshape(axis)
    real: FloatArray = (values * scales).astype(np.float32)
    return real


def _first_axis(values: FloatArray, dimensions: int) -> FloatArray:
    return values.reshape(-1, *[1] * (dimensions - 1))
