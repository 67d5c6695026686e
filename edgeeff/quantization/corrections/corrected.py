"""A float network made ready for integers: equalized, ranges known, weights on their grids."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import FloatArray, Pixels
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization.calibration import coverage, ranges
from edgeeff.quantization.calibration.estimators import LEVELS
from edgeeff.quantization.calibration.observation import Observations, Observed, observe
from edgeeff.quantization.calibration.odd_pictures import odd_pictures
from edgeeff.quantization.calibration.pictures import CalibrationSet, synthetic_set, without
from edgeeff.quantization.corrections.bias_room import (
    LEVELS_16_BITS,
    least_scales,
)
from edgeeff.quantization.corrections.correction import Corrections, Known, correct
from edgeeff.quantization.corrections.equalization import (
    equalize,
    rescaled_observation,
    rescaled_statistics,
)
from edgeeff.quantization.corrections.grouping import Activations, group
from edgeeff.quantization.corrections.recorded_groups import record
from edgeeff.quantization.corrections.splitting import split, widened, widened_observation
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.input_grid import normalised_grid
from edgeeff.quantization.recipes.recipe import (
    FLOATING,
    Bias,
    Clip,
    Equalize,
    Group,
    Recipe,
    Round,
    Split,
    kept_precisions,
)
from edgeeff.tflite import statistics
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.statistics import TensorStatistics, rescaled, selected

Trust = Callable[[Mapping[int, TensorStatistics]], Mapping[int, TensorStatistics]]
"""Those BatchNorm statistics that count above pictures."""

REPLAY_BYTES = 2_000_000_000
"""Replayed pictures are so many that a tensor and its successor stay below this."""


@dataclass(frozen=True)
class Corrected:
    """A network whose weights and biases are corrected.

    Attributes:
        graph: the float network; its weights lie on their int8 grids.
        grids: of every activation, by tensor; none if activations stay in float.
        scales: of each output channel of the weights that lie on a grid, float32 [channels], by
            layer.
        unrounded: kernel and bias of each layer before its weights were corrected.
    """

    graph: Graph
    grids: Mapping[int, Grid]
    scales: Mapping[str, FloatArray]
    unrounded: Mapping[str, tuple[FloatArray, FloatArray | None]]

    def in_float(self, layers: Collection[str]) -> Graph:
        """A copy of the graph where some layers have their weights from before the corrections."""
        graph = self.graph.copy()
        for operator in graph.operators:
            if operator.name in layers and operator.name in self.unrounded:
                weights, bias = self.unrounded[operator.name]
                graph.set_weights(operator, weights)
                if bias is not None:
                    graph.set_bias(operator, bias)
        return graph


def correct_network(
    model: FloatModel,
    recipe: Recipe,
    calibration: CalibrationSet,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    covered: Callable[[coverage.Coverage | None], None] | None = None,
    observations: Observations | None = None,
) -> Corrected:
    """Calibrate a float network and correct its weights.

    Args:
        model: the float network, which stays as it is.
        recipe: with corrections, or of a scheme that quantizes activations.
        calibration: pictures.
        seed: of everything drawn at random.
        threads: kernel threads.
        progress: told of every stage.
        covered: as ``quantize.quantize_model`` takes it.
        observations: likewise.

    Raises:
        InputError: pictures that do not fit the network, or break it.
        UsageError: an exception of the recipe that no layer fits.
    """
    graph, preprocessing = correctable(model.graph), model.preprocessing
    progress = progress or Progress()
    said = ranges.described(graph, model.statistics)
    outdated = model.statistics is not None and model.statistics.outdated
    statistics.detach(graph)
    batches = _batches(graph, preprocessing, calibration)
    trust = functools.partial(ranges.trusted, rule=recipe.ranges, synthetic=calibration.synthetic)
    histograms = recipe.static and _reads_histograms(graph, recipe, trust(said))

    def look() -> dict[int, Observed]:
        with progress.stage("calibrate", len(calibration.pictures)) as advance:
            return observe(
                graph, batches(None), histograms=histograms, threads=threads, advance=advance
            )

    observed = (observations or Observations()).take(look, histograms=histograms)
    odd: list[int] = []
    if recipe.static and not calibration.synthetic:
        odd = odd_pictures(observed, len(calibration.pictures), recipe.ranges.odd)
    names = tuple(calibration.names[place] for place in odd)
    if odd:
        calibration = without(calibration, odd)
        batches = _batches(graph, preprocessing, calibration)
        observed = look()
    known = Known(observed, ranges.credible(said, observed, outdated=outdated))
    if covered and recipe.static:
        counted = trust(known.batchnorm)
        covered(coverage.of_observation(graph, observed, counted, calibration, odd=names))
    known = _equalized(graph, recipe, known, trust, look)
    known = _grouped(graph, recipe, known, trust, look)
    grids = _grids(graph, recipe, known, preprocessing, synthetic=calibration.synthetic)
    if recipe.static:
        with progress.stage("compare channels"):
            known = _split(graph, recipe, known, grids, batches, threads)
    unrounded = {o.name: (graph.weights(o), graph.bias(o)) for o in graph.operators if o.weighted}
    least = least_scales(graph, grids, wide=recipe.scheme == "int16x8")
    wanted = _wanted(graph, recipe, synthetic=calibration.synthetic)
    pictures = _replayed(graph, wanted, preprocessing, calibration)
    # 16 bits round so little that the layers see float inputs.
    seen = grids if recipe.scheme == "int8" else {}
    with progress.stage("correct weights", len(graph.operators)) as advance:
        scales = correct(
            graph,
            pictures,
            seen,
            known,
            wanted,
            least=least,
            seed=seed,
            threads=threads,
            advance=advance,
        )
    return Corrected(graph, grids, scales, unrounded)


def _grids(
    graph: Graph, recipe: Recipe, known: Known, preprocessing: Preprocessing, *, synthetic: bool
) -> dict[int, Grid]:
    """The grids of all activations; none where the recipe leaves them in float."""
    if not recipe.static:
        return {}
    rule = recipe.ranges
    found = ranges.grids(
        graph,
        known.observed,
        known.batchnorm,
        rule,
        synthetic=synthetic,
        levels=_levels(recipe),
    )
    found[graph.input] = normalised_grid(preprocessing)
    return found


def _reads_histograms(
    graph: Graph, recipe: Recipe, batchnorm: Mapping[int, TensorStatistics]
) -> bool:
    """Whether a range needs more than extremes: those of the sums of groups do as well."""
    if recipe.correction(Group) is not None:
        return recipe.ranges.estimator != "minmax"
    return ranges.reads_histograms(graph, batchnorm, recipe.ranges)


def _levels(recipe: Recipe) -> int:
    """Between which the grids of its activations tell values apart."""
    return 2 * LEVELS_16_BITS if recipe.scheme == "int16x8" else LEVELS


def _equalized(
    graph: Graph,
    recipe: Recipe,
    known: Known,
    trust: Trust,
    look: Callable[[], dict[int, Observed]],
) -> Known:
    """Equalize, if the recipe says so; what is known of the activations then."""
    rule = recipe.correction(Equalize)
    if rule is None:
        return known
    factors = equalize(graph, known.observed, known.batchnorm, rule)
    batchnorm = rescaled_statistics(known.batchnorm, factors)
    if recipe.ranges.estimator == "minmax" or set(factors) <= set(trust(batchnorm)):
        return Known(rescaled_observation(known.observed, factors), batchnorm)
    # Histograms are not by channel: they cannot be rescaled.
    return Known(look(), batchnorm)


def _grouped(
    graph: Graph,
    recipe: Recipe,
    known: Known,
    trust: Trust,
    look: Callable[[], dict[int, Observed]],
) -> Known:
    """Group channels, if the recipe says so; what is known of the activations then."""
    rule = recipe.correction(Group)
    if rule is None:
        return known
    said = {graph.name(tensor): found for tensor, found in known.batchnorm.items()}
    activations = Activations(
        known.observed, trust(known.batchnorm), recipe.ranges, _levels(recipe)
    )
    done = group(graph, activations, rule)
    if not done:
        return known
    graph.drop_unused()
    record(graph, done)
    for region in done:
        said |= {
            name: rescaled(said[name], 1 / factor)
            for name, factor in region.divided.items()
            if name in said
        }
        said |= {
            part: selected(said[name], channels)
            for name, parts in region.tensors.items()
            if name in said
            for part, channels in zip(parts, region.members, strict=True)
        }
    named = {graph.name(tensor): tensor for tensor in graph.activations}
    return Known(look(), {named[name]: found for name, found in said.items() if name in named})


def _split(
    graph: Graph,
    recipe: Recipe,
    known: Known,
    grids: Mapping[int, Grid],
    batches: Callable[[int | None], Iterator[FloatArray]],
    threads: int | None,
) -> Known:
    """Split channels, if the recipe says so; what is known of the activations then."""
    rule = recipe.correction(Split)
    if rule is None:
        return known
    observed, batchnorm = dict(known.observed), dict(known.batchnorm)
    for tensor, copies in split(graph, grids, batches(rule.pictures), rule, threads).items():
        observed[tensor] = widened_observation(observed[tensor], copies)
        if tensor in batchnorm:
            batchnorm[tensor] = widened(batchnorm[tensor], copies)
    return Known(observed, batchnorm)


def _wanted(graph: Graph, recipe: Recipe, *, synthetic: bool) -> Corrections:
    kept = kept_precisions(recipe, {o.name: o.kind for o in graph.operators})
    in_float = {name for name, precision in kept.items() if precision in FLOATING}
    clip, round_, bias = (recipe.correction(kind) for kind in (Clip, Round, Bias))
    # Made-up pictures are too unlike an app's to fit weights to what layers make of them.
    keep_outputs = round_ is not None and round_.target == "outputs" and not synthetic
    return Corrections(clip, round_, bias, frozenset(in_float), keep_outputs)


def _batches(
    graph: Graph, preprocessing: Preprocessing, calibration: CalibrationSet
) -> Callable[[int | None], Iterator[FloatArray]]:
    """A function that gives ``count`` of the pictures as batches of the graph's input."""
    shape, pictures = list(graph.shape(graph.input))[1:], calibration.pictures
    for given, found in {
        "the pictures are": list(pictures.shape[1:]),
        "the preprocessing makes pictures of": list(preprocessing.shape),
    }.items():
        if found != shape:
            raise InputError(f"the network takes {shape}, {given} {found}")

    def give(count: int | None) -> Iterator[FloatArray]:
        taken = pictures if count is None else _spread(pictures, count)
        return _in_batches(graph, preprocessing, taken)

    return give


def _in_batches(
    graph: Graph, preprocessing: Preprocessing, pictures: Pixels
) -> Iterator[FloatArray]:
    size = graph.shape(graph.input)[0]
    for start in range(0, len(pictures), size):
        # A last batch that is not full is filled up with its first pictures.
        chosen = [pictures[(start + i) % len(pictures)] for i in range(size)]
        yield preprocessing.normalised(np.stack(chosen))


def _spread(pictures: Pixels, count: int) -> Pixels:
    """``count`` pictures, evenly from the whole list: folders are sorted by class."""
    if count >= len(pictures):
        return pictures
    return pictures[[i * len(pictures) // count for i in range(count)]]


def _replayed(
    graph: Graph, wanted: Corrections, preprocessing: Preprocessing, calibration: CalibrationSet
) -> list[FloatArray]:
    """The batches to replay: as many pictures as the recipe says, if memory allows."""
    if not wanted.replayed:
        return []
    largest = max(int(np.prod(graph.shape(t)[1:])) for t in graph.activations)
    count = fits = max(4, REPLAY_BYTES // (4 * largest))
    made_up = 0
    if wanted.round:
        count = min(wanted.round.pictures, fits)
        measured = wanted.bias is not None and wanted.bias.means == "measured"
        if not (calibration.synthetic or measured):
            made_up = round(count * wanted.round.synthetic)
    chosen = [_spread(calibration.pictures, count - made_up)]
    if made_up:
        chosen.append(synthetic_set(made_up, preprocessing).pictures)
    return list(_in_batches(graph, preprocessing, np.concatenate(chosen)))
