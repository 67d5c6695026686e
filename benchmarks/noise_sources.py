"""What makes the noise of a real B0's int8 file: its activations, its weights, or clipping.

    python benchmarks/noise_sources.py b0=FILE.pth --calibration FOLDER --judged FOLDER

The corrected network (recipe int8-swish, a hundred photographs of --calibration) is run in
TensorFlow with and without the rounding of its activations and weights; real_b0.py says which
network that is and how it is judged. "16-bit weights" are corrected as those of the file, on a grid
256 times as fine. FOLDER of --judged should hold none of the pictures that calibrate. A row is
printed as JSON: SQNR at the features in dB, median picture, mean over the pictures, all pictures
together, and the worst one. The last rows round the activations of one part alone, weights as they
came: they tell which pictures are lost by the rounding of a few layers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from quantization import Bench
from subjects import Subject

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.arrays import FloatArray
from edgeeff.pipeline.learning import CALIBRATING
from edgeeff.quantization.calibration.pictures import CalibrationSet, folder_set
from edgeeff.quantization.corrections import rounding
from edgeeff.quantization.corrections.corrected import Corrected, correct_network
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.training.aware.operators import apply
from edgeeff.training.aware.segments import segments

RECIPE = "int8-swish"
AT_ONCE = 10
FINE = 32767
"""Largest magnitude of a 16-bit weight."""

ALONE = ("stem", "block1", "block2", "block3", "block4", "block5", "block6", "block7")
"""Parts of the network whose activations are rounded one at a time."""

Mode = Callable[[Operator], str]
"""Says of an operator whether its results are ``rounded``, only ``clipped``, or ``exact``."""


def corrected(model: FloatModel, calibration: CalibrationSet, levels: int) -> Corrected:
    """The network with weights on grids of so many levels on each side."""
    usual, rounding.LEVELS = rounding.LEVELS, levels
    try:
        return correct_network(model, find_recipe(RECIPE), calibration, threads=1)
    finally:
        rounding.LEVELS = usual


def on_grid(values: Any, grid: Grid | None, mode: str) -> Any:
    if grid is None or mode == "exact":
        return values
    if mode == "clipped":
        return tf.clip_by_value(values, grid.minimum, grid.maximum)
    return tf.quantization.fake_quant_with_min_max_args(values, grid.minimum, grid.maximum)


def features(graph: Graph, grids: dict[int, Grid], pictures: FloatArray, mode: Mode) -> FloatArray:
    """What the network makes, [pictures, features]."""
    few = [pictures[first : first + AT_ONCE] for first in range(0, len(pictures), AT_ONCE)]
    return np.concatenate([at_once(graph, grids, one, mode) for one in few])


def at_once(graph: Graph, grids: dict[int, Grid], pictures: FloatArray, mode: Mode) -> FloatArray:
    """The same of pictures whose activations all fit into memory."""
    values: dict[int, Any] = {graph.input: pictures}
    for operator in graph.operators:
        given = [
            values[tensor] if tensor in values else graph.values(tensor) if tensor >= 0 else None
            for tensor in operator.inputs
        ]
        for tensor, made in zip(operator.outputs, apply(graph, operator, given), strict=True):
            values[tensor] = on_grid(made, grids.get(tensor), mode(operator))
    found: FloatArray = np.asarray(values[graph.output]).reshape(len(pictures), -1)
    return found


def always(mode: str) -> Mode:
    return lambda operator: mode


def only(part: str) -> Mode:
    """Rounded are the layers whose names begin like that."""
    return lambda operator: "rounded" if operator.name.startswith(part) else "exact"


def show(name: str, truth: FloatArray, found: FloatArray) -> None:
    noise = np.square(found - truth).sum(axis=1)
    decibels = 10 * np.log10(np.square(truth).sum(axis=1) / noise)
    row = {
        "median_db": float(np.median(decibels)),
        "mean_db": float(decibels.mean()),
        "all_db": float(10 * np.log10(np.square(truth).sum() / noise.sum())),
        "worst_db": float(decibels.min()),
        "pictures": len(truth),
    }
    print(json.dumps({"what": name, **row}))


def measure(usual: Corrected, fine: Corrected, pictures: FloatArray) -> None:
    """Print all rows; both networks are fed normalised values."""
    graph, grids = usual.graph, dict(usual.grids)
    untouched = usual.in_float(usual.unrounded)
    blocks = segments(graph, graph.output)
    last = {operator.name for operator in blocks[-1].operators}
    truth = features(untouched, grids, pictures, always("exact"))
    for name, which, mode in (
        ("the file", graph, always("rounded")),
        ("its weights, activations only clipped", graph, always("clipped")),
        ("its weights, float activations", graph, always("exact")),
        ("weights as they came, int8 activations", untouched, always("rounded")),
        (
            "the file, the last block's activations in float",
            graph,
            lambda operator: "exact" if operator.name in last else "rounded",
        ),
    ):
        show(name, truth, features(which, grids, pictures, mode))
    for part in ALONE:
        show(
            f"int8 activations of {part} alone",
            truth,
            features(untouched, grids, pictures, only(part)),
        )
    fine_grids = dict(fine.grids)
    show(
        "16-bit weights, int8 activations",
        features(fine.in_float(fine.unrounded), fine_grids, pictures, always("exact")),
        features(fine.graph, fine_grids, pictures, always("rounded")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", metavar="NETWORK", help="b0=FILE.pth")
    parser.add_argument("--calibration", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--judged", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--pictures", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Subject(given.network), Path(folder))
        model = FloatModel(bench.float_model.read_bytes(), bench.preprocessing)
        calibration = folder_set(given.calibration, bench.preprocessing, count=CALIBRATING)
        judged = folder_set(given.judged, bench.preprocessing, count=given.pictures)
        usual = corrected(model, calibration, rounding.LEVELS)
        fine = corrected(model, calibration, FINE)
        measure(usual, fine, bench.preprocessing.normalised(judged.pictures))


if __name__ == "__main__":
    main()
