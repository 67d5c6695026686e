"""Every bias fits into 32 bits: the scales of its channel's weights are as coarse as that takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeeff.arrays import FloatArray
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.bias_room import LARGEST_BIAS, least_scales
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.model import WEIGHTED, Operator
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.weights import per_channel

LITE = of_family("lite", 224)
GRID = Grid(6 / 255, -128)


@pytest.fixture
def graph(lite0_float: Path) -> Graph:
    """Lite0, whose ImageNet weights have dozens of silent channels."""
    return cut_at_logits(float_graph(lite0_float.read_bytes()))


@pytest.mark.parametrize(("wide", "step"), [(False, GRID.scale), (True, GRID.maximum / 32767)])
def test_every_bias_fits_at_the_least_scale(graph: Graph, wide: bool, step: float) -> None:
    least = least_scales(graph, dict.fromkeys(graph.activations, GRID), wide=wide)
    coarser = 0
    for operator in graph.operators:
        if operator.weighted:
            bias, own = graph.bias(operator), own_scales(graph, operator)
            assert bias is not None
            scales = np.maximum(own, least[operator.name])
            assert (np.abs(bias) / (scales * step)).max() < LARGEST_BIAS * 1.001
            coarser += int((least[operator.name] > own).sum())
    assert coarser > 20


def test_ordinary_channels_keep_their_scales(tiny_float: Path) -> None:
    graph = float_graph(tiny_float.read_bytes())
    least = least_scales(graph, dict.fromkeys(graph.activations, GRID))
    for operator in graph.operators:
        if operator.weighted:
            assert (least[operator.name] < own_scales(graph, operator)).all()


def test_a_layer_without_a_grid_has_no_least_scale(tiny_float: Path) -> None:
    assert least_scales(float_graph(tiny_float.read_bytes()), {}) == {}


@pytest.mark.parametrize("recipe", ["int8-bias", "int16x8"])
def test_corrected_weights_lie_on_grids_that_biases_fit(lite0_float: Path, recipe: str) -> None:
    model = FloatModel(lite0_float.read_bytes(), LITE)
    found = correct_network(model, find_recipe(recipe), synthetic_set(2, LITE))
    for operator in found.graph.operators:
        if operator.weighted:
            scales, grid = found.scales[operator.name], found.grids[operator.inputs[0]]
            wide = max(-grid.minimum, grid.maximum) / 32767
            bias = found.graph.bias(operator)
            assert bias is not None
            steps = np.abs(bias) / (scales * (wide if recipe == "int16x8" else grid.scale))
            assert steps.max() < LARGEST_BIAS * 1.01


def own_scales(graph: Graph, operator: Operator) -> FloatArray:
    """On which each channel's largest weight is at 127 steps."""
    scales: FloatArray = np.abs(per_channel(operator, graph.weights(operator))).max(axis=1) / 127
    return scales


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


@pytest.mark.slow
def test_16_bits_keep_lite0_though_biases_pass_their_steps(graph: Graph) -> None:
    """Ranges that made room for the biases would leave 12 bits, and take bytes for other pixels."""
    model = FloatModel(graph.content(), LITE)
    ends = Ends("uint8", "float32")
    made = quantize_model(model, find_recipe("int16x8"), synthetic_set(4, LITE), ends=ends)
    assert parse_model(made).inputs[0].scales[0] == pytest.approx(1 / 128)
    pictures = synthetic_pictures(3, 224, seed=5)
    truth, found = Runner(model.content), Runner(made)
    for picture in pictures:
        logits = truth.run(LITE.normalised(picture)[None])[0]
        noise = np.square(found.run(picture[None])[0] - logits).sum()
        assert np.square(logits).sum() > 10**2.7 * noise
