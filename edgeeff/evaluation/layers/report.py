"""Where a quantized network loses accuracy: the error of each layer, and its likely cause.

Both networks run on the same pictures with every activation read, one picture after the other, so
that memory does not grow with them. A quantized network may have had its channels rescaled
(``equalization``) or copied (``splitting``), which is no error: each channel is compared up to
its factor, and copies by their mean. Where channels were grouped, those of the float network are
too (``recorded_groups``), and every group is a layer of the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.evaluation.layers.channel_error import ChannelError
from edgeeff.evaluation.layers.runs import (
    Activations,
    Network,
    QuantizedWeights,
)
from edgeeff.foreign import shown
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.corrections.channel_groups import spatial
from edgeeff.quantization.corrections.equalization import scalable
from edgeeff.quantization.corrections.recorded_groups import grouped_as
from edgeeff.quantization.corrections.regions import regions
from edgeeff.quantization.corrections.swish_scaling import swish_inputs
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.grid import FIXED
from edgeeff.quantization.writing.boundary import answered_inside
from edgeeff.tflite.fixed_batch import fix_batch
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last
from edgeeff.tflite.messages import quiet_runtime
from edgeeff.tflite.model import Operator, Tensor

CLIPPED = 0.001
"""Share of values outside of the range from which clipping is named as a cause."""

USED = 0.6
"""Share of the range in use below which the rest is named as wasted."""

SPREAD = 16.0
"""Ratio of the widest channel to the median one from which it is named as a cause."""

FAR_DB = 6.0
"""From this much less error than its weights make, an activation is not what a layer loses by: even
without it there would be 1 dB less error at most. Ranges of int16 are mostly empty, on purpose."""

EQUALIZE, GROUP = "equalize it", "group the channels (recipe int8-swish)"
"""What helps where channels differ: corrections of a recipe."""


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
        cause: what stands out, in words; empty if nothing does. The range of the activation is
            named only where rounding and clipping to it is what loses.
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
        return min(
            self.activation_sqnr_db,
            math.inf if self.weight_sqnr_db is None else self.weight_sqnr_db,
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; an infinite ratio is null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def layer_errors(
    quantized: Graph,
    reference: Graph,
    pictures: Sequence[npt.NDArray[np.uint8]],
    preprocessing: Preprocessing,
) -> tuple[LayerError, ...]:
    """Compare every activation of a quantized network with its float one.

    Args:
        quantized: the network, of batch 1.
        reference: the float network it was made from.
        pictures: uint8 [height, width, channels] each.
        preprocessing: of the float network.

    Returns:
        The layers whose activation is quantized, the one with most error of its own first.

    Raises:
        InputError: the reference is quantized; the two differ in the shape of their answer or of a
            layer, or have no quantized activation in common; an input that ``feeding`` refuses; the
            record of grouped channels is damaged or not of this float network.
    """
    if any(tensor.scales for tensor in reference.tensors):
        raise InputError(
            "the model of --reference is quantized itself",
            "--reference takes the float model that this one was made from",
        )
    answers = quantized.shape(quantized.output)[1:], reference.shape(reference.output)[1:]
    if answers[0] != answers[1]:
        raise InputError(
            f"the model answers {list(answers[0])}, that of --reference {list(answers[1])}",
            "--reference takes the float model that this one was made from",
        )
    graph = grouped_as(correctable(fix_batch(channels_last(reference))), quantized)
    quantized = answered_inside(quantized)
    grids = {t.name: t for t in quantized.tensors if _has_grid(t)}
    shared = [o for o in graph.operators if o.name in grids]
    if not shared:
        raise InputError(
            "the two models have no layer in common",
            "--reference takes the float model that this one was made from",
        )
    for operator in shared:
        _refuse_unlike(operator, graph, quantized)
    names = [operator.name for operator in shared]
    # What layers read: where a neighbour stays in float, it is none of the shared ones.
    sources = [graph.name(operator.inputs[0]) for operator in shared if operator.weighted]
    remedies = dict.fromkeys(scalable(graph), EQUALIZE) | dict.fromkeys(_groupable(graph), GROUP)
    with quiet_runtime():
        truth = Network(graph, list(dict.fromkeys([*names, *sources])), preprocessing)
        found = Network(quantized, names, preprocessing)
        weights = QuantizedWeights(graph, quantized)
        places = {operator.name: index for index, operator in enumerate(graph.operators)}
        tallies = [
            _Tally(places[o.name], o, grids[o.name], weights, remedies.get(o.output, ""))
            for o in shared
        ]
        for picture in pictures:
            real, stored = truth.activations(picture), found.activations(picture)
            for tally in tallies:
                tally.add(real, stored)
    usual = _usual([tally.weights.sqnr_db() for tally in tallies if tally.layer])
    return tuple(sorted((tally.error(usual) for tally in tallies), key=lambda error: error.own_db))


def _usual(ratios: Sequence[float]) -> float:
    """What weights have in the middle one of the layers; infinite if none has any."""
    return sorted(ratios)[len(ratios) // 2] if ratios else math.inf


def _refuse_unlike(layer: Operator, graph: Graph, quantized: Graph) -> None:
    """Refuse a layer of the float network that is another one in the quantized. ``InputError``.

    Copies of channels (``splitting``) may have made more of them.
    """
    other = next((o for o in quantized.operators if o.name == layer.name), None)
    alike = other is not None and (other.weighted or not layer.weighted)
    if other and alike:
        alike = graph.shape(layer.output)[:-1] == quantized.shape(other.output)[:-1]
    if not alike:
        raise InputError(
            f"{shown(layer.name)} is another layer in the model of --reference",
            "--reference takes the float model that this one was made from",
        )


def _groupable(graph: Graph) -> set[int]:
    """The activations of swishes that the correction ``group`` may take apart."""
    return {
        tensor
        for region in regions(graph)
        if swish_inputs(graph, region)
        for tensor in region.tensors
        if spatial(graph, tensor) and graph.producer[tensor].kind not in FIXED
    }


def _has_grid(tensor: Tensor) -> bool:
    return not tensor.constant and len(tensor.scales) == 1 and tensor.dtype in ("int8", "int16")


class _Tally:
    """Gathers the error of one layer over pictures."""

    def __init__(
        self,
        index: int,
        operator: Operator,
        tensor: Tensor,
        weights: QuantizedWeights,
        remedy: str,
    ) -> None:
        self.index, self.operator, self.remedy = index, operator, remedy
        self.factor = factor = weights.factors[operator.name]
        self.levels = np.iinfo(np.dtype(tensor.dtype))
        self.scale, self.zero = float(tensor.scales[0]), int(tensor.zero_points[0])
        self.layer = weights.layer(operator)
        copies = weights.copies
        self.copies = copies if copies and copies.concerns(operator) else None
        self.saturated = weights.saturated_biases(operator)
        self.network, self.rounding, self.weights = (ChannelError(len(factor)) for _ in range(3))
        self.outside = self.count = 0
        self.lowest = np.zeros(len(factor), np.float32)
        self.highest = np.zeros(len(factor), np.float32)

    def add(self, real: Activations, stored: Activations) -> None:
        """Count one more picture in the float and in the quantized network."""
        truth, channels = real[self.operator.name], len(self.factor)
        found = stored[self.operator.name]
        found = self.copies.values(found, truth) if self.copies else found
        found = found / self.factor
        self.network.add(truth, found)
        scaled = truth * self.factor
        raw = np.rint(scaled / np.float32(self.scale)) + self.zero
        clipped = np.clip(raw, self.levels.min, self.levels.max)
        self.rounding.add(scaled, (clipped - self.zero) * np.float32(self.scale))
        # Values that rounding takes to the end of the grid are not lost.
        self.outside += int((np.abs(raw - clipped) > 1).sum())
        self.count += scaled.size
        rows = scaled.reshape(-1, channels)
        self.lowest = np.minimum(self.lowest, rows.min(axis=0))
        self.highest = np.maximum(self.highest, rows.max(axis=0))
        if self.layer:
            self.weights.add(truth, self.layer.output(real))

    def error(self, usual: float) -> LayerError:
        """What the pictures amount to; a layer without weights is judged by the usual ones."""
        reach = np.maximum(self.highest, -self.lowest)
        clipped = self.outside / self.count
        span = (self.levels.max - self.levels.min) * self.scale
        used = min(1.0, float(self.highest.max() - self.lowest.min()) / span)
        spread = float(reach.max() / max(float(np.median(reach)), 1e-9))
        rounding, weights = self.rounding.sqnr_db(), self.weights.sqnr_db() if self.layer else None
        loses = rounding < (usual if weights is None else weights) + FAR_DB
        range_causes = _range_causes(clipped, used, spread, self.remedy) if loses else []
        return LayerError(
            self.index,
            self.operator.name,
            self.operator.kind,
            self.network.sqnr_db(),
            rounding,
            weights,
            clipped,
            used,
            spread,
            "; ".join([*range_causes, *_bias_causes(self.saturated)]),
        )


def _range_causes(clipped: float, used: float, spread: float, remedy: str) -> list[str]:
    """What stands out about the range of an activation."""
    reaches = f"one channel reaches {spread:.0f} times as far as the median one"
    causes = {
        f"clips {clipped:.2%} of the values": clipped > CLIPPED,
        f"uses {used:.0%} of its range": used < USED,
        f"{reaches}: {remedy}": spread > SPREAD and bool(remedy),
    }
    return [cause for cause, found in causes.items() if found]


def _bias_causes(saturated: int) -> list[str]:
    return [f"biases beyond 32 bits: {saturated}"] if saturated else []
