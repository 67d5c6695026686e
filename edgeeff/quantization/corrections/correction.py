"""Rounds the weights layer by layer on the inputs of the already quantized network.

Each layer's weights go onto their int8 grid (``rounding``), the bias takes up the mean error
that this leaves (Nagel et al. 2019, "Data-Free Quantization", 4.2, with the float network's
mean input from BatchNorm or pictures), and the layer runs with both before the next one is
looked at. Since the bias takes the mean error, what rounding has to keep small is the rest:
the Hessian is of the inputs less their mean.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeeff.arrays import FloatArray
from edgeeff.progress import Advance
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.corrections import rounding
from edgeeff.quantization.corrections.patches import is_grouped, sample, tap_means
from edgeeff.quantization.corrections.replay import Step
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Bias, Clip, Round
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.messages import quiet_runtime
from edgeeff.tflite.model import Operator
from edgeeff.tflite.statistics import TensorStatistics
from edgeeff.tflite.weights import from_per_channel, per_channel

MOST_TAPS = 8192
"""Of a layer whose inputs' second moments are made: they and their inverse take 1 GB."""


@dataclass(frozen=True)
class Known:
    """What is known of the float network's activations.

    Attributes:
        observed: by pictures.
        batchnorm: by BatchNorm, where it is credible.
    """

    observed: Mapping[int, Observed]
    batchnorm: Mapping[int, TensorStatistics]

    def mean(self, tensor: int, source: str) -> FloatArray:
        """Mean of each channel, from BatchNorm if ``source`` prefers it and it knows."""
        said = self.batchnorm.get(tensor) if source == "batchnorm" else None
        return said.mean if said else self.observed[tensor].mean.astype(np.float32)


@dataclass(frozen=True)
class Corrections:
    """Which corrections of the weights a recipe asks for.

    Attributes:
        clip: ``None``: each channel's largest weight is on its grid.
        round: ``None``: to nearest.
        bias: ``None``: biases stay.
        in_float: names of layers whose weights stay in float.
        keep_outputs: a layer is to make what the float one makes, from the inputs that it gets.
    """

    clip: Clip | None
    round: Round | None
    bias: Bias | None
    in_float: frozenset[str] = frozenset()
    keep_outputs: bool = False

    @property
    def compared(self) -> bool:
        """Whether the float network has to be run on pictures, beside the quantized one."""
        measured = self.bias is not None and self.bias.means == "measured"
        return measured or self.keep_outputs

    @property
    def replayed(self) -> bool:
        """Whether the quantized network has to be run on pictures."""
        gptq = self.round is not None and self.round.method == "gptq"
        return gptq or self.compared


def correct(
    graph: Graph,
    batches: Sequence[FloatArray],
    grids: Mapping[int, Grid],
    known: Known,
    wanted: Corrections,
    *,
    least: Mapping[str, FloatArray] | None = None,
    seed: int = 0,
    threads: int | None = None,
    advance: Advance | None = None,
) -> dict[str, FloatArray]:
    """Put all weights on their int8 grids and correct the biases.

    Args:
        graph: the float network; its weights and biases are changed.
        batches: float inputs to replay, each of the shape of the graph's input.
        grids: of the activations that are rounded to int8.
        known: of the float network.
        wanted: of the recipe.
        least: the finest scales of a layer's weights, float32 [channels], by its name
            (``bias_room``).
        seed: of the positions that are sampled.
        threads: kernel threads.
        advance: called with 1 after each operator.

    Returns:
        The scale of each output channel, float32 [channels], of every layer that was rounded, by
        name: what its weights are multiples of.
    """
    scales: dict[str, FloatArray] = {}
    random = np.random.default_rng(seed)
    rounded = {t: grid for t, grid in grids.items() if not _in_float(graph, t, wanted)}
    first = rounded.get(graph.input)
    fed = [first.quantize(batch) if first else batch for batch in batches]
    stored: dict[int, Any] = {graph.input: fed}
    truth = _Truth(graph.copy(), batches, threads) if wanted.compared else None
    finest = least or {}
    # The matrices are many and small: threads of BLAS would mostly wait for each other.
    with quiet_runtime(), threadpool_limits(1, "blas"):
        for operator in graph.operators:
            if operator.weighted and operator.name not in wanted.in_float:
                scales[operator.name] = _correct_layer(
                    graph, operator, stored, rounded, known, wanted, finest, random, truth
                )
            if wanted.replayed:
                _replay(graph, operator, stored, rounded, len(batches), threads)
                if truth is not None:
                    truth.run(operator.name)
            if advance:
                advance(1)
    return scales


def _correct_layer(
    graph: Graph,
    operator: Operator,
    stored: Mapping[int, Sequence[npt.NDArray[Any]]],
    grids: Mapping[int, Grid],
    known: Known,
    wanted: Corrections,
    finest: Mapping[str, FloatArray],
    random: np.random.Generator,
    truth: _Truth | None,
) -> FloatArray:
    """Round one layer and correct its bias; the scale of each of its channels, [channels]."""
    weights = graph.weights(operator)
    matrix = per_channel(operator, weights)
    source = wanted.bias.means if wanted.bias else "batchnorm"
    tensor = operator.inputs[0]
    means = tap_means(graph, operator, known.mean(tensor, source))
    seen, least = None, finest.get(operator.name)
    # The outputs of groups see inputs of their own, and pictures are too few to tell how very many
    # inputs go together: such weights are rounded to nearest.
    sampled = not is_grouped(graph, operator) and matrix.shape[-1] <= MOST_TAPS
    if wanted.keep_outputs and truth is not None and sampled:
        state = copy.deepcopy(random)
        seen = sample(graph, operator, stored[tensor], grids.get(tensor), random)
        real = truth.sample(operator.name, state)
        return _keep_outputs(graph, operator, seen, real, wanted, least)
    if wanted.replayed and sampled:
        seen = sample(graph, operator, stored[tensor], grids.get(tensor), random)
    moments = None if seen is None else rounding.hessian(seen - means[..., None])
    rounded, scales = _rounded(matrix, moments, wanted, least)
    graph.set_weights(operator, from_per_channel(operator, rounded, weights))
    bias = graph.bias(operator)
    if wanted.bias is None or bias is None:
        return scales
    shift = ((matrix - rounded) * means).sum(axis=1)
    if source == "measured" and truth is not None:
        real = tap_means(graph, operator, truth.channel_means(operator.name))
        found = tap_means(graph, operator, _channel_means(stored[tensor], grids.get(tensor)))
        shift = (matrix * real - rounded * found).sum(axis=1)
    graph.set_bias(operator, (bias + shift).astype(np.float32))
    return scales


def _keep_outputs(
    graph: Graph,
    operator: Operator,
    seen: FloatArray,
    real: FloatArray,
    wanted: Corrections,
    least: FloatArray | None,
) -> FloatArray:
    """Round a layer so that it makes of its inputs what the float layer makes of float ones.

    Returns the scale of each of its channels, [channels].
    """
    weights = graph.weights(operator)
    matrix = per_channel(operator, weights)
    means, real_means = seen.mean(axis=-1), real.mean(axis=-1)
    seen, real = seen - means[..., None], real - real_means[..., None]
    moments = rounding.hessian(seen)
    mixed = rounding.mixed_moments(real, seen)
    ridge = wanted.round.ridge if wanted.round else 0.0
    kept = rounding.keeping_outputs(matrix, moments, mixed, ridge, seen.shape[-1])
    rounded, scales = _rounded(kept, moments, wanted, least)
    graph.set_weights(operator, from_per_channel(operator, rounded, weights))
    bias = graph.bias(operator)
    if bias is not None:
        shift = (matrix * real_means - rounded * means).sum(axis=1)
        graph.set_bias(operator, (bias + shift).astype(np.float32))
    return scales


def _channel_means(stored: Sequence[npt.NDArray[Any]], grid: Grid | None) -> FloatArray:
    """The real mean of each channel of what is stored, float32 [channels]."""
    real = (grid.dequantize(values) if grid else values for values in stored)
    means = [values.mean(axis=tuple(range(values.ndim - 1)), dtype=np.float64) for values in real]
    weights = [values.shape[0] for values in stored]
    return np.average(means, axis=0, weights=weights).astype(np.float32)


class _Truth:
    """The float network, replayed beside the quantized one on the same pictures."""

    def __init__(self, graph: Graph, batches: Sequence[FloatArray], threads: int | None) -> None:
        self._graph, self._threads = graph, threads
        self._operators = {operator.name: operator for operator in graph.operators}
        self._stored: dict[int, Any] = {graph.input: list(batches)}
        self._count = len(batches)

    def sample(self, name: str, random: np.random.Generator) -> FloatArray:
        """What a layer sees in the float network, at positions as ``random`` draws them."""
        operator = self._operators[name]
        return sample(self._graph, operator, self._stored[operator.inputs[0]], None, random)

    def channel_means(self, name: str) -> FloatArray:
        """The mean of each channel that a layer sees in the float network, float32 [channels]."""
        return _channel_means(self._stored[self._operators[name].inputs[0]], None)

    def run(self, name: str) -> None:
        """Run an operator."""
        operator = self._operators[name]
        _replay(self._graph, operator, self._stored, {}, self._count, self._threads)


def _rounded(
    matrix: FloatArray,
    moments: FloatArray | None,
    wanted: Corrections,
    least: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Weights on their grids, and the scale of each channel, [channels]."""
    scales = rounding.channel_scales(matrix)
    if wanted.clip is not None:
        scales = rounding.clipped_scales(matrix, wanted.clip.least, moments)
    if least is not None:
        scales = rounding.no_finer(scales, matrix, least)
    if wanted.round is None or wanted.round.method == "nearest" or moments is None:
        return rounding.nearest(matrix, scales), scales[:, 0]
    return rounding.gptq(matrix, moments, wanted.round.damping, scales), scales[:, 0]


def _in_float(graph: Graph, tensor: int, wanted: Corrections) -> bool:
    """Whether an activation is never rounded: its maker and all its readers are in float."""
    maker = graph.producer.get(tensor)
    readers = graph.consumers.get(tensor, ())
    ends = (*readers, maker) if maker else readers
    return bool(readers) and all(operator.name in wanted.in_float for operator in ends)


def _replay(
    graph: Graph,
    operator: Operator,
    stored: dict[int, Any],
    grids: Mapping[int, Grid],
    count: int,
    threads: int | None,
) -> None:
    """Run an operator on all stored batches, store what it makes, forget what nobody reads."""
    step = Step(graph, operator, grids, threads)
    made = [step.run(stored, i) for i in range(count)]
    stored.update(zip(operator.outputs, map(list, zip(*made, strict=True)), strict=True))
    _forget(graph, operator, stored)


def _forget(graph: Graph, operator: Operator, stored: dict[int, Any]) -> None:
    """Drop activations that no later operator reads, so that memory stays flat."""
    for tensor in set(operator.inputs) & set(stored):
        if graph.consumers[tensor][-1] == operator:
            del stored[tensor]
