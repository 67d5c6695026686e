"""Where a quantized network loses accuracy: the error of each layer, and its likely cause.

Both networks run on the same pictures with every activation read. A quantized network may have
had its channels rescaled (``equalization``), which is no error: each channel is compared up to
the factor that fits best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.litert import rewrite
from edgeeff.litert.messages import quiet_runtime
from edgeeff.litert.model import Model, Tensor
from edgeeff.litert.reader import parse_model
from edgeeff.litert.runner import Runner, quantize
from edgeeff.preprocessing import Preprocessing
from edgeeff.quantization.equalization import HOMOGENEOUS
from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.replay import Step

FloatArray = npt.NDArray[np.float32]
Activations = dict[str, FloatArray]

CLIPPED = 0.001
"""Share of values outside of the range from which clipping is named as a cause."""

USED = 0.6
"""Share of the range in use below which the rest is named as wasted."""

SPREAD = 16.0
"""Ratio of the widest channel to the median one from which it is named as a cause."""

SILENT = 1e-4
"""A channel of less than this share of the usual power carries nothing that could be lost."""

SCALED = ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD")
SMALLEST_FACTOR = 1e-5
"""A channel that seems to be scaled further down than this is dead or broken."""


@dataclass(frozen=True)
class LayerError:
    """The error of one layer's output.

    Attributes:
        index: its place in the order of execution of the float network.
        name: of the tensor, in both files.
        operator: such as ``CONV_2D``.
        sqnr_db: of the quantized network up to here, errors of earlier layers included.
        activation_sqnr_db: of rounding and clipping this float tensor to its grid alone.
        weight_sqnr_db: of this layer's quantized weights on float inputs; ``None`` without.
        clipped: share of float values outside of the range.
        used: share of the range that the float values use.
        spread: how much farther the widest channel reaches than the median one.
        cause: what stands out, in words; empty if nothing does.
    """

    index: int
    name: str
    operator: str
    sqnr_db: float
    activation_sqnr_db: float
    weight_sqnr_db: float | None
    clipped: float
    used: float
    spread: float
    cause: str

    @property
    def own_db(self) -> float:
        """What this layer adds alone: the lesser of its two ratios."""
        return min(self.activation_sqnr_db, self.weight_sqnr_db or math.inf)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; an infinite ratio is null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def layer_errors(
    quantized: bytes,
    reference: bytes,
    pictures: Sequence[npt.NDArray[np.uint8]],
    preprocessing: Preprocessing,
) -> tuple[LayerError, ...]:
    """Compare every activation of a quantized network with its float one.

    Args:
        quantized: the .tflite, checked by ``litert.reader``; of batch 1.
        reference: the float .tflite it was made from, likewise.
        pictures: uint8 [size, size, 3] each.
        preprocessing: of the float network.

    Returns:
        The layers whose activation is quantized, the one with most error of its own first.

    Raises:
        InputError: the two have no quantized activation in common.
    """
    model, graph = parse_model(quantized), Graph(reference)
    grids = {t.name: t for t in model.tensors if _has_grid(t)}
    shared = [o for o in graph.operators if o.name in grids]
    if not shared:
        raise InputError(
            "the two models have no layer in common",
            "--reference takes the float model that this one was made from",
        )
    names = [operator.name for operator in shared]
    with quiet_runtime():
        truth = _activations(reference, [*names, graph.name(graph.input)], pictures, preprocessing)
        found = _activations(quantized, names, pictures, preprocessing)
        factors = {o.name: _factors(o, truth[o.name], found[o.name]) for o in shared}
        factors[graph.name(graph.input)] = np.ones(3, np.float32)
        weights = _Weights(graph, model, truth, factors)
        errors = [
            _error(o, truth[o.name], found[o.name], factors[o.name], grids[o.name], weights)
            for o in shared
        ]
    return tuple(sorted(errors, key=lambda error: error.own_db))


def _has_grid(tensor: Tensor) -> bool:
    return not tensor.constant and len(tensor.scales) == 1 and tensor.dtype in ("int8", "int16")


def _activations(
    content: bytes,
    names: Sequence[str],
    pictures: Sequence[npt.NDArray[np.uint8]],
    preprocessing: Preprocessing,
) -> Activations:
    """Real values [pictures, ..., channels] of the named tensors."""
    model = rewrite.unpack(content)
    indices = {rewrite.tensor_name(t): i for i, t in enumerate(model.subgraphs[0].tensors)}
    image = int(model.subgraphs[0].inputs[0])
    shown = [name for name in names if indices[name] != image]
    rewrite.expose(model, [indices[name] for name in shown])
    runner = Runner(rewrite.pack(model), quiet=False)
    fed = runner.inputs[0]
    collected: dict[str, list[FloatArray]] = {name: [] for name in names}
    for picture in pictures:
        normalised = preprocessing.normalised(picture)[None]
        raw = picture[None] if fed.dtype == np.uint8 else quantize(normalised, fed)
        for name, info, values in zip(shown, runner.outputs, runner.run(raw), strict=True):
            scale, zero = info.scale or 1.0, info.zero_point or 0
            collected[name].append((values.astype(np.float32) - zero) * np.float32(scale))
        for name in set(names) - set(shown):
            collected[name].append(normalised)
    return {name: np.stack(values) for name, values in collected.items()}


def _factors(operator: Operator, truth: FloatArray, found: FloatArray) -> FloatArray:
    """By how much each channel of the quantized network was scaled, [channels].

    Only tensors that equalization may scale have a factor; it is the one that fits best.
    """
    channels = truth.shape[-1]
    if not _may_be_scaled(operator):
        return np.ones(channels, np.float32)
    x = truth.reshape(-1, channels).astype(np.float64)
    y = found.reshape(-1, found.shape[-1])[:, :channels].astype(np.float64)
    power = (x * x).sum(axis=0)
    factor = np.divide((x * y).sum(axis=0), power, out=np.ones(channels), where=power > 0)
    return np.where(factor > SMALLEST_FACTOR, factor, 1.0).astype(np.float32)


def _may_be_scaled(operator: Operator) -> bool:
    return operator.activation in HOMOGENEOUS and operator.kind in SCALED


class _Weights:
    """Runs layers with their quantized weights on float inputs."""

    def __init__(
        self, graph: Graph, model: Model, truth: Activations, factors: dict[str, FloatArray]
    ) -> None:
        self.graph, self.truth, self.factors = graph, truth, factors
        self.tensors = {tensor.name: tensor for tensor in model.tensors}
        self.operators = {model.tensors[o.outputs[0]].name: o for o in model.operators}
        self.model = model

    def sqnr_db(self, operator: Operator) -> float | None:
        """Of the layer's output; ``None`` if it has no weights of the same shape."""
        graph, source = self.graph, self.graph.name(operator.inputs[0])
        if not operator.weighted or source not in self.factors:
            return None
        kept = graph.weights(operator), graph.bias(operator)
        placed = self.operators[operator.name]
        weights = _dequantized(self.model.tensors[placed.inputs[1]])
        bias = _dequantized(self.model.tensors[placed.inputs[2]])
        if kept[1] is None or weights.shape != kept[0].shape:
            return None
        out = self.factors[operator.name]
        shaped = out if operator.kind == "DEPTHWISE_CONV_2D" else _first_axis(out, weights.ndim)
        graph.set_weights(operator, weights * self.factors[source] / shaped)
        graph.set_bias(operator, bias / out)
        step = Step(graph, operator, {}, None)
        stored = {operator.inputs[0]: list(self.truth[source])}
        found = np.stack([step.run(stored, i) for i in range(len(self.truth[source]))])
        graph.set_weights(operator, kept[0])
        graph.set_bias(operator, kept[1])
        return _ratio(self.truth[operator.name], found)

    def saturated_biases(self, operator: Operator) -> int:
        """How many biases are at the end of int32.

        A bias has the scale of the input times that of the channel's weights. Weights that are
        nearly zero leave it no room.
        """
        if not operator.weighted:
            return 0
        bias = self.model.tensors[self.operators[operator.name].inputs[2]]
        if bias.dtype != "int32":
            return 0
        ends = np.iinfo(np.int32)
        values = np.asarray(bias.values, np.int64)
        return int(((values <= ends.min + 1) | (values >= ends.max)).sum())


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


def _error(
    operator: Operator,
    truth: FloatArray,
    found: FloatArray,
    factor: FloatArray,
    tensor: Tensor,
    weights: _Weights,
) -> LayerError:
    scaled = truth * factor
    levels = np.iinfo(np.dtype(tensor.dtype))
    scale, zero = float(tensor.scales[0]), int(tensor.zero_points[0])
    low, high = (levels.min - zero) * scale, (levels.max - zero) * scale
    raw = np.clip(np.rint(scaled / scale) + zero, levels.min, levels.max)
    outside = float(((scaled < low - scale) | (scaled > high + scale)).mean())
    reach = np.abs(scaled).reshape(-1, scaled.shape[-1]).max(axis=0)
    used = min(1.0, float(scaled.max() - min(scaled.min(), 0)) / (high - low))
    spread = float(reach.max() / max(float(np.median(reach)), 1e-9))
    return LayerError(
        operator.index,
        operator.name,
        operator.kind,
        _ratio(truth, found[..., : truth.shape[-1]] / factor),
        _ratio(scaled, ((raw - zero) * scale).astype(np.float32)),
        weights.sqnr_db(operator),
        outside,
        used,
        spread,
        _cause(
            outside,
            used,
            spread if _may_be_scaled(operator) else 1.0,
            weights.saturated_biases(operator),
        ),
    )


def _cause(clipped: float, used: float, spread: float, saturated: int) -> str:
    causes = []
    if clipped > CLIPPED:
        causes.append(f"clips {clipped:.2%} of the values")
    if used < USED:
        causes.append(f"uses {used:.0%} of its range")
    if spread > SPREAD:
        causes.append(f"one channel reaches {spread:.0f} times as far as the median one")
    if saturated:
        causes.append(f"biases beyond 32 bits: {saturated}")
    return "; ".join(causes)


def _ratio(truth: FloatArray, found: FloatArray) -> float:
    """SQNR in dB, every channel weighed by its own spread.

    Otherwise a channel that reaches far beyond the others would hide what it does to them. A
    channel with next to no signal does not count more than one with a tenth of the usual, and
    one that is silent not at all: trained networks have such channels, which nobody reads.
    """
    x = truth.reshape(-1, truth.shape[-1]).astype(np.float64)
    power = np.square(x).mean(axis=0)
    noise = np.square(x - found.reshape(x.shape)).mean(axis=0)
    usual = float(np.median(power[power > 0])) if power.any() else 0.0
    weight = (power > SILENT * usual) / np.maximum(power, 0.01 * usual + 1e-30)
    total, lost = float((power * weight).sum()), float((noise * weight).sum())
    if lost == 0:
        return math.inf
    return 10 * math.log10(total / lost) if total > 0 else -math.inf
