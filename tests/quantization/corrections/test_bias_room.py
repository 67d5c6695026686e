"""Channels of next to no weight get one that their bias fits to, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.bias_room import (
    LARGEST_BIAS,
    MOST_WIDENED,
    make_room,
    widen_for_biases,
)
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.model import WEIGHTED
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.weights import per_channel

LITE = of_family("lite", 224)
GRID = Grid(6 / 255, -128)


@pytest.fixture
def graph(lite0_float: Path) -> Graph:
    """Lite0, whose ImageNet weights have dozens of silent channels."""
    return cut_at_logits(float_graph(lite0_float.read_bytes()))


def test_every_bias_fits_afterwards(graph: Graph) -> None:
    grids = dict.fromkeys(graph.activations, GRID)
    assert make_room(graph, grids) > 20
    assert make_room(graph, grids) == 0
    for operator in graph.operators:
        if operator.weighted:
            bias = graph.bias(operator)
            assert bias is not None
            scales = np.abs(per_channel(operator, graph.weights(operator))).max(axis=1) / 127
            raw = np.abs(bias) / np.maximum(scales * GRID.scale, 1e-30)
            assert raw.max() < LARGEST_BIAS * 1.001


def test_the_function_stays_the_same(graph: Graph) -> None:
    before = Runner(graph.content())
    make_room(graph, dict.fromkeys(graph.activations, GRID))
    after = Runner(graph.content())
    for picture in synthetic_pictures(2, 224, seed=3):
        truth = before.run(LITE.normalised(picture)[None])[0]
        error = truth - after.run(LITE.normalised(picture)[None])[0]
        assert np.square(error).sum() < 1e-6 * np.square(truth).sum()


def test_ordinary_channels_are_left_alone(tiny_float: Path) -> None:
    graph = float_graph(tiny_float.read_bytes())
    content = graph.content()
    assert make_room(graph, dict.fromkeys(graph.activations, GRID)) == 0
    assert graph.content() == content


def test_no_bias_of_a_quantized_network_saturates(lite0_float: Path) -> None:
    made = quantize_model(
        FloatModel(lite0_float.read_bytes(), LITE), find_recipe("int8-bias"), synthetic_set(2, LITE)
    )
    model, ends = parse_model(made), np.iinfo(np.int32)
    biases = [model.tensors[o.inputs[2]] for o in model.operators if o.kind in WEIGHTED]
    assert len(biases) == 50
    for bias in biases:
        values = np.asarray(bias.values, np.int64)
        assert ends.min + 1 < values.min() <= values.max() < ends.max


def biases_in_steps(graph: Graph, grids: dict[int, Grid]) -> float:
    """The largest bias of the network in the steps of 16-bit activations and their layers."""
    largest = 0.0
    for operator in graph.operators:
        bias = graph.bias(operator) if operator.weighted else None
        if bias is not None:
            grid = grids[operator.inputs[0]]
            step = max(-grid.minimum, grid.maximum) / 32767
            scales = np.abs(per_channel(operator, graph.weights(operator))).max(axis=1) / 127
            largest = max(largest, float((np.abs(bias) / np.maximum(scales * step, 1e-30)).max()))
    return largest


def test_biases_fit_into_the_fine_steps_of_16_bits(graph: Graph) -> None:
    grids = dict.fromkeys(graph.activations, GRID)
    assert biases_in_steps(graph, grids) > 2**31
    wide = widen_for_biases(graph, grids)
    make_room(graph, wide, wide=True)
    assert biases_in_steps(graph, wide) < LARGEST_BIAS * 1.01


def test_no_range_of_16_bits_is_widened_beyond_its_limit(graph: Graph) -> None:
    wide = widen_for_biases(graph, dict.fromkeys(graph.activations, GRID))
    assert max(grid.scale / GRID.scale for grid in wide.values()) <= MOST_WIDENED * 1.01


def test_ranges_stay_where_biases_fit(tiny_float: Path) -> None:
    graph = float_graph(tiny_float.read_bytes())
    grids = dict.fromkeys(graph.activations, Grid(10.0, 0))
    assert widen_for_biases(graph, grids) == grids
