"""A float network made ready for integers: equalized, ranges known, weights on their grids."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.litert import rewrite, statistics
from edgeeff.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization import boundary, coverage, ranges
from edgeeff.quantization.bias_room import make_room
from edgeeff.quantization.calibration import CalibrationSet
from edgeeff.quantization.correction import Corrections, Known, correct
from edgeeff.quantization.equalization import (
    equalize,
    rescaled_observation,
    rescaled_statistics,
)
from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.observation import observe
from edgeeff.quantization.recipe import Bias, Equalize, Recipe, Round, Split, kept_precisions
from edgeeff.quantization.splitting import split, widened, widened_observation

FloatArray = npt.NDArray[np.float32]

REPLAY_BYTES = 2_000_000_000
"""Replayed pictures are so many that a tensor and its successor stay below this."""


@dataclass(frozen=True)
class Corrected:
    """A network whose weights and biases are corrected.

    Attributes:
        graph: the float network; its weights lie on their int8 grids.
        grids: of every activation, by tensor.
        unrounded: kernel and bias of each layer before its weights were corrected.
    """

    graph: Graph
    grids: Mapping[int, Grid]
    unrounded: Mapping[str, tuple[FloatArray, FloatArray | None]]

    @contextlib.contextmanager
    def in_float(self, layers: Collection[str]) -> Iterator[Graph]:
        """The graph while some layers have their weights from before the corrections."""
        chosen = [o for o in self.graph.operators if o.name in layers and o.name in self.unrounded]
        rounded = {o.name: (self.graph.weights(o), self.graph.bias(o)) for o in chosen}
        for operator in chosen:
            self._set(operator, self.unrounded[operator.name])
        try:
            yield self.graph
        finally:
            for operator in chosen:
                self._set(operator, rounded[operator.name])

    def moved(self, content: bytes, grids: Mapping[str, Grid]) -> Corrected:
        """The same network in another model of it: with operators added or cut off.

        Args:
            content: the float .tflite, tensors called as in this one.
            grids: of tensors that are new or have another grid there, by name.
        """
        graph = Graph(content)
        known = {self.graph.name(tensor): grid for tensor, grid in self.grids.items()} | dict(grids)
        of_tensor = {tensor: known[graph.name(tensor)] for tensor in graph.activations}
        return Corrected(graph, of_tensor, self.unrounded)

    def _set(self, operator: Operator, values: tuple[FloatArray, FloatArray | None]) -> None:
        self.graph.set_weights(operator, values[0])
        if values[1] is not None:
            self.graph.set_bias(operator, values[1])


def correct_network(
    graph: Graph,
    recipe: Recipe,
    preprocessing: Preprocessing,
    calibration: CalibrationSet,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    covered: Callable[[coverage.Coverage | None], None] | None = None,
) -> Corrected:
    """Calibrate a float network and correct its weights, in place.

    Args:
        graph: the float network.
        recipe: of a scheme that quantizes activations.
        preprocessing: of the network.
        calibration: pictures.
        seed: of everything drawn at random.
        threads: kernel threads.
        progress: told of every stage.
        covered: as ``quantize.quantize_model`` takes it.

    Raises:
        InputError: pictures that do not fit the network, or break it.
        UsageError: an exception of the recipe that no layer fits.
    """
    progress = progress or Progress()
    batches = _batches(graph, preprocessing, calibration)
    with progress.stage("calibrate", len(calibration.pictures)) as advance:
        observed = observe(graph, batches(None), threads=threads, advance=advance)
    embedded = rewrite.metadata(graph.model, statistics.METADATA_NAME)
    said = statistics.from_bytes(embedded) if embedded else None
    rewrite.remove_metadata(graph.model, statistics.METADATA_NAME)
    batchnorm = ranges.credible(graph, said, observed)
    if covered:
        trusted = ranges.trusted(batchnorm, recipe.ranges, synthetic=calibration.synthetic)
        count = len(calibration.pictures)
        covered(coverage.of_observation(graph, observed, trusted, count))
    rule = recipe.correction(Equalize)
    if rule is not None:
        factors = equalize(graph, observed, batchnorm, rule)
        batchnorm = rescaled_statistics(batchnorm, factors)
        trusted = ranges.trusted(batchnorm, recipe.ranges, synthetic=calibration.synthetic)
        if recipe.ranges.estimator == "minmax" or set(factors) <= set(trusted):
            observed = rescaled_observation(observed, factors)
        else:
            # Histograms are not by channel: they cannot be rescaled.
            with progress.stage("calibrate again", len(calibration.pictures)) as advance:
                observed = observe(graph, batches(None), threads=threads, advance=advance)
    grids = ranges.grids(graph, observed, batchnorm, recipe.ranges, synthetic=calibration.synthetic)
    grids[graph.input] = boundary.normalised_grid(preprocessing)
    splitting = recipe.correction(Split)
    if splitting is not None:
        few = batches(splitting.pictures)
        for tensor, copies in split(graph, grids, few, splitting, threads).items():
            observed[tensor] = widened_observation(observed[tensor], copies)
            if tensor in batchnorm:
                batchnorm[tensor] = widened(batchnorm[tensor], copies)
    kept = kept_precisions(recipe, {o.name: o.kind for o in graph.operators})
    in_float = frozenset(name for name, precision in kept.items() if precision == "float")
    unrounded = {o.name: (graph.weights(o), graph.bias(o)) for o in graph.operators if o.weighted}
    make_room(graph, grids)
    wanted = Corrections(recipe.correction(Round), recipe.correction(Bias), in_float)
    replayed = _replayed(graph, wanted) if wanted.replayed else 1
    with progress.stage("correct weights", len(graph.operators)) as advance:
        correct(
            graph,
            list(batches(replayed)),
            grids,
            Known(observed, batchnorm),
            wanted,
            seed=seed,
            threads=threads,
            advance=advance,
        )
    return Corrected(graph, grids, unrounded)


def _batches(
    graph: Graph, preprocessing: Preprocessing, calibration: CalibrationSet
) -> Callable[[int | None], Iterator[FloatArray]]:
    """A function that gives ``count`` of the pictures as batches of the graph's input."""
    shape = graph.shape(graph.input)
    pictures = calibration.pictures
    if pictures.shape[1:] != shape[1:]:
        raise InputError(
            f"the network takes {list(shape[1:])}, the pictures are {list(pictures.shape[1:])}"
        )

    def give(count: int | None) -> Iterator[FloatArray]:
        taken = pictures if count is None else _spread(pictures, count)
        for start in range(0, len(taken), shape[0]):
            # A last batch that is not full is filled up with its first pictures.
            chosen = [taken[(start + i) % len(taken)] for i in range(shape[0])]
            yield preprocessing.normalised(np.stack(chosen))

    return give


def _spread(pictures: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """``count`` pictures, evenly from the whole list: folders are sorted by class."""
    if count >= len(pictures):
        return pictures
    return pictures[[i * len(pictures) // count for i in range(count)]]


def _replayed(graph: Graph, wanted: Corrections) -> int:
    """How many pictures to replay: what the recipe says, if memory allows."""
    largest = max(int(np.prod(graph.shape(t)[1:])) for t in graph.activations)
    fits = max(4, REPLAY_BYTES // (4 * largest))
    return min(wanted.round.pictures if wanted.round else fits, fits)
