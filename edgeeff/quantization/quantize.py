"""A float .tflite and a recipe become a quantized .tflite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edgeeff.errors import InputError, UsageError
from edgeeff.litert import rewrite, statistics
from edgeeff.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization import boundary, coverage, ranges, writer
from edgeeff.quantization.calibration import CalibrationSet
from edgeeff.quantization.correction import Corrections, Known, correct
from edgeeff.quantization.equalization import (
    equalize,
    rescaled_observation,
    rescaled_statistics,
)
from edgeeff.quantization.graph import Graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.observation import observe
from edgeeff.quantization.recipe import Bias, Equalize, Recipe, Round, Split, kept_precisions
from edgeeff.quantization.splitting import split, widened, widened_observation

FloatArray = npt.NDArray[np.float32]

REPLAY_BYTES = 2_000_000_000
"""Replayed pictures are so many that a tensor and its successor stay below this."""

WHOLE = ("int8", "int16x8")


@dataclass(frozen=True)
class Ends:
    """What the caller feeds and reads: ``uint8``, ``int8`` or ``float32``."""

    input: str = "uint8"
    output: str = "uint8"


def default_ends(recipe: Recipe) -> Ends:
    """Bytes for integer networks, float32 for the others."""
    return Ends() if recipe.scheme in WHOLE else Ends("float32", "float32")


def quantize_model(
    content: bytes,
    recipe: Recipe,
    preprocessing: Preprocessing,
    calibration: CalibrationSet | None,
    *,
    ends: Ends | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    covered: Callable[[coverage.Coverage | None], None] | None = None,
) -> bytes:
    """Quantize a float32 .tflite classifier.

    Args:
        content: the float model, checked by ``litert.reader``; takes normalised pictures,
            float32 [batch, size, size, 3]. Statistics that ``edgeeff.export`` embedded are used.
        recipe: how.
        preprocessing: of the model: what raw bytes become before it.
        calibration: pictures; ``None`` only for recipes that look at no activations.
        ends: types of input and output; ``None``: bytes if the network becomes integer.
        seed: of everything drawn at random. Same arguments give the same bytes.
        threads: kernel threads while calibrating.
        progress: told of every stage.
        covered: told how ranges grew with the pictures; ``None`` if none depends on them.

    Returns:
        The quantized .tflite, its signature kept. A byte input takes raw RGB bytes.

    Raises:
        InputError: a model that cannot be quantized, or pictures that break it.
        UsageError: an exception of the recipe that no layer fits, or ends that do not go.
    """
    progress = progress or Progress()
    ends = ends or default_ends(recipe)
    raw = ends.input != "float32"
    if recipe.scheme == "float32":
        return _refuse_bytes(content, recipe, ends)
    graph = Graph(content)
    kept_precisions(recipe, {operator.name: operator.kind for operator in graph.operators})
    if not recipe.calibrated:
        _refuse_bytes(content, recipe, ends)
        with progress.stage("quantize"):
            return _without_statistics(writer.write(graph, recipe, {}))
    if calibration is None:
        raise UsageError(f"recipe {recipe.name} needs calibration pictures")
    inside = boundary.normalised_grid(preprocessing)
    grids = _corrected(graph, recipe, preprocessing, calibration, seed, threads, progress, covered)
    with progress.stage("quantize"):
        if raw and boundary.pixel_grid(preprocessing) is None:
            graph, grids = _with_normalization(graph, grids, preprocessing, inside)
            inside = boundary.RAW
        written = writer.write(graph, recipe, grids)
        wrapped = boundary.wrap(written, ends.input, ends.output, inside)
        return _without_statistics(wrapped)


def _corrected(
    graph: Graph,
    recipe: Recipe,
    preprocessing: Preprocessing,
    calibration: CalibrationSet,
    seed: int,
    threads: int | None,
    progress: Progress,
    covered: Callable[[coverage.Coverage | None], None] | None,
) -> dict[int, Grid]:
    """Correct the graph in place; the grid of every activation."""
    batches = _batches(graph, preprocessing, calibration)
    with progress.stage("calibrate", len(calibration.pictures)) as advance:
        observed = observe(graph, batches(None), threads=threads, advance=advance)
    embedded = rewrite.metadata(graph.model, statistics.METADATA_NAME)
    said = statistics.from_bytes(embedded) if embedded else None
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
    return grids


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


def _with_normalization(
    graph: Graph, grids: dict[int, Grid], preprocessing: Preprocessing, inside: Grid
) -> tuple[Graph, dict[int, Grid]]:
    """The graph with the normalization operator in front, and its grids by the new indices."""
    by_name = {graph.name(tensor): grid for tensor, grid in grids.items()}
    by_name[boundary.NORMALISED] = inside
    by_name[graph.name(graph.input)] = boundary.RAW
    extended = Graph(boundary.add_normalization(graph.content(), preprocessing))
    return extended, {tensor: by_name[extended.name(tensor)] for tensor in extended.activations}


def _refuse_bytes(content: bytes, recipe: Recipe, ends: Ends) -> bytes:
    if ends != Ends("float32", "float32"):
        raise UsageError(
            f"{recipe.scheme} networks compute in float: their input and output are float32",
            "use --int8 or --int16x8 for a network that takes bytes",
        )
    return content


def _without_statistics(content: bytes) -> bytes:
    """The model without the float network's statistics, which only quantization needs."""
    model = rewrite.unpack(content)
    kept = [entry for entry in model.metadata or [] if _name(entry) != statistics.METADATA_NAME]
    dropped = [e for e in model.metadata or [] if _name(e) == statistics.METADATA_NAME]
    for entry in dropped:
        model.buffers[entry.buffer] = schema.BufferT()
    model.metadata = kept
    return rewrite.pack(model)


def _name(entry: object) -> str:
    name = getattr(entry, "name", "")
    return name.decode() if isinstance(name, bytes) else str(name)
