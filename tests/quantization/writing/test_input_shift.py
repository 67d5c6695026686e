"""Bytes are a network's input as they are, where they nearly are its normalised values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import from_options
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import HigherPrecision, find_recipe
from edgeeff.quantization.writing.boundary import NORMALISED
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from tests.small_classifiers import VALID, SmallClassifier

SIDE = 16


def quantized(network: FloatModel, recipe: str) -> Graph:
    calibration = synthetic_set(16, network.preprocessing)
    return Graph.of(quantize_model(network, find_recipe(recipe), calibration))


def likeness(network: FloatModel, made: Graph) -> float:
    """SQNR of the picture in the middle, dB."""
    judged = synthetic_set(8, network.preprocessing, 3).pictures
    answers = [
        np.concatenate([Classifier(it, network.preprocessing)(p[None]).logits for p in judged])
        for it in (network.graph, made)
    ]
    return fidelity(*answers).median_image_sqnr_db


def starting_with(first: str, mean: str, std: str) -> FloatModel:
    network = SmallClassifier(SIDE)
    layer = network.image
    if first == "PAD":
        layer = network.pad(layer)
    if first == "RELU":
        layer = network.alone(layer, "RELU")
    make = network.depthwise if first == "DEPTHWISE_CONV_2D" else network.convolution
    options = {"multiplier": 2} if first == "DEPTHWISE_CONV_2D" else {"filters": 8}
    layer = make(layer, activation="RELU", padding=VALID, **options)
    content = network.content(network.dense(network.mean(layer), 5))
    return FloatModel(content, from_options(SIDE, mean, std, "bilinear:1"))


@pytest.mark.parametrize("first", ["CONV_2D", "DEPTHWISE_CONV_2D", "PAD"])
@pytest.mark.parametrize("recipe", ["int8-plain", "int16x8"])
def test_a_mean_between_two_bytes_costs_no_operator(first, recipe):
    network = starting_with(first, "127.5", "127.5")
    made = quantized(network, recipe)
    assert NORMALISED not in [made.name(t) for o in made.operators for t in o.outputs]
    image = made.tensor(made.input)
    assert (image.dtype, image.zero_points) == ("uint8", (127,))
    assert image.scales[0] == pytest.approx(1 / 127.5)
    assert likeness(network, made) > 28


@pytest.mark.parametrize(
    ("first", "mean", "std"),
    [
        ("RELU", "127.5", "127.5"),
        ("CONV_2D", "120,127.5,127.5", "127.5"),
        ("CONV_2D", "9", "1,2,3"),
    ],
)
def test_what_no_bias_can_take_up_is_normalised_by_an_operator(first, mean, std):
    made = quantized(starting_with(first, mean, std), "int8-plain")
    assert NORMALISED in [made.name(t) for o in made.operators for t in o.outputs]


def test_layers_that_stay_in_float_take_up_the_half_step_too():
    network = starting_with("CONV_2D", "127.5", "127.5")
    calibration = synthetic_set(16, network.preprocessing)
    layer = network.graph.operators[0].name
    recipe = replace(
        find_recipe("int8-plain"), exceptions=(HigherPrecision("float", layers=f"^{layer}$"),)
    )
    made = quantize_model(network, recipe, calibration)
    assert likeness(network, Graph.of(made)) > 30
