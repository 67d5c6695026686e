"""A float network and its quantized one side by side, one picture at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgeeff.litert import rewrite
from edgeeff.litert.model import Model, Tensor
from edgeeff.litert.runner import Runner, TensorInfo, quantize
from edgeeff.quantization.equalization import HOMOGENEOUS
from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.replay import Step

FloatArray = npt.NDArray[np.float32]
Fed = tuple[npt.NDArray[np.uint8], FloatArray]
"""A picture as raw bytes and as the float network takes it, [1, size, size, 3]."""

SCALED = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")
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

    def __init__(self, content: bytes, names: Sequence[str]) -> None:
        """Load a checked model.

        Args:
            content: the .tflite.
            names: of the tensors to show; the input may be among them.
        """
        model = rewrite.unpack(content)
        indices = {rewrite.tensor_name(t): i for i, t in enumerate(model.subgraphs[0].tensors)}
        image = int(model.subgraphs[0].inputs[0])
        self._shown = [name for name in names if indices[name] != image]
        self._images = [name for name in names if indices[name] == image]
        rewrite.expose(model, [indices[name] for name in self._shown])
        self._runner = Runner(rewrite.pack(model), quiet=False)

    def activations(self, picture: npt.NDArray[np.uint8], normalised: FloatArray) -> Activations:
        """Run one picture, of which the network takes what suits its input."""
        fed = self._runner.inputs[0]
        raw = picture[None] if fed.dtype == np.uint8 else quantize(normalised, fed)
        values = zip(self._runner.outputs, self._runner.run(raw), strict=True)
        stored = dict(zip(self._shown, values, strict=True))
        return Activations({**stored, **dict.fromkeys(self._images, (None, normalised))})


def channel_factors(
    operators: Iterable[Operator], truth: Network, found: Network, pictures: Iterable[Fed]
) -> dict[str, FloatArray]:
    """By how much the channels of the quantized network were scaled, [channels] by tensor name.

    Only tensors that equalization may scale have a factor; it is the one that fits best.
    """
    chosen = [operator.name for operator in operators if may_be_scaled(operator)]
    power: dict[str, npt.NDArray[np.float64]] = {}
    common: dict[str, npt.NDArray[np.float64]] = {}
    for picture in pictures:
        real, raw = truth.activations(*picture), found.activations(*picture)
        for name in chosen:
            x = real[name].reshape(-1, real[name].shape[-1]).astype(np.float64)
            # A split tensor has copies of channels at its end.
            y = raw[name].reshape(len(x), -1)[:, : x.shape[-1]]
            power[name] = power.get(name, 0.0) + (x * x).sum(axis=0)
            common[name] = common.get(name, 0.0) + (x * y).sum(axis=0)
    return {name: _best_factor(power[name], common[name]) for name in chosen}


def _best_factor(power: npt.NDArray[np.float64], common: npt.NDArray[np.float64]) -> FloatArray:
    factor = np.divide(common, power, out=np.ones(len(power)), where=power > 0)
    return np.where(factor > SMALLEST_FACTOR, factor, 1.0).astype(np.float32)


def may_be_scaled(operator: Operator) -> bool:
    """Whether equalization may scale the channels of an operator's output."""
    return operator.activation in HOMOGENEOUS and operator.kind in SCALED


class WeightedLayer:
    """A float layer with the weights of the quantized network, its scaling undone."""

    def __init__(self, step: Step, source: int, name: str) -> None:
        self._step, self._source, self._name = step, source, name

    def output(self, activations: Activations) -> FloatArray:
        """What it makes of the float network's activations."""
        made: FloatArray = self._step.run({self._source: [activations[self._name]]}, 0)
        return made


class QuantizedWeights:
    """The weights of a quantized network, for layers of the float one."""

    def __init__(self, graph: Graph, model: Model, factors: Mapping[str, FloatArray]) -> None:
        """Take both networks, and the factors of their channels by tensor name."""
        self._graph, self._model, self._factors = graph, model, factors
        self._operators = {model.tensors[o.outputs[0]].name: o for o in model.operators}

    def layer(self, operator: Operator) -> WeightedLayer | None:
        """A layer of the float network; ``None`` if it has no weights of the same shape."""
        graph, source = self._graph, self._graph.name(operator.inputs[0])
        if not operator.weighted or source not in self._factors:
            return None
        kernel, bias = graph.weights(operator), graph.bias(operator)
        stored = _dequantized(self._constant(operator, 1))
        if bias is None or stored.shape != kernel.shape:
            return None
        out = self._factors[operator.name]
        shaped = out if operator.kind == "DEPTHWISE_CONV_2D" else _first_axis(out, stored.ndim)
        graph.set_weights(operator, stored * self._factors[source] / shaped)
        graph.set_bias(operator, _dequantized(self._constant(operator, 2)) / out)
        step = Step(graph, operator, {}, None)
        graph.set_weights(operator, kernel)
        graph.set_bias(operator, bias)
        return WeightedLayer(step, operator.inputs[0], source)

    def saturated_biases(self, operator: Operator) -> int:
        """How many biases of a layer are at the end of int32 (``bias_room``)."""
        if not operator.weighted:
            return 0
        bias = self._constant(operator, 2)
        if bias.dtype != "int32":
            return 0
        ends, values = np.iinfo(np.int32), np.asarray(bias.values, np.int64)
        return int(((values <= ends.min + 1) | (values >= ends.max)).sum())

    def _constant(self, operator: Operator, operand: int) -> Tensor:
        return self._model.tensors[self._operators[operator.name].inputs[operand]]


def _dequantized(tensor: Tensor) -> FloatArray:
    values = np.asarray(tensor.values, np.float64)
    scales = np.asarray(tensor.scales, np.float64)
    if len(scales) > 1:
        axis = [1] * values.ndim
        axis[tensor.quantized_dimension] = len(scales)
        scales = scales.reshape(axis)
    real: FloatArray = (values * scales).astype(np.float32)
    return real


def _first_axis(values: FloatArray, dimensions: int) -> FloatArray:
    return values.reshape(-1, *[1] * (dimensions - 1))
