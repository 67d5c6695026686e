"""Channels that pictures hardly wake, or never: XNNPACK has to load what is made of them."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.runner import Runner, dequantize
from tests.accelerators.graphs import GraphWriter

SIDE, CHANNELS = 16, 8
PREPROCESSING = of_family("lite", SIDE)
RELU = schema.ActivationFunctionType.RELU


def classifier(asleep: slice, wakes: float) -> bytes:
    """Three 1x1 convolutions and a mean; some channels of the second stop short of ``wakes``."""
    random, writer = np.random.default_rng(0), GraphWriter()
    image = last = writer.tensor((1, SIDE, SIDE, 3), "float32")
    for number, inputs in enumerate((3, CHANNELS, CHANNELS)):
        kernel = random.normal(size=(CHANNELS, 1, 1, inputs)).astype(np.float32)
        bias = random.normal(size=CHANNELS).astype(np.float32)
        if number == 1:
            kernel[asleep], bias[asleep] = -np.abs(kernel[asleep]), wakes
        last = writer.add(
            "CONV_2D",
            (
                last,
                writer.tensor(kernel.shape, "float32", kernel),
                writer.tensor(bias.shape, "float32", bias),
            ),
            (1, SIDE, SIDE, CHANNELS),
            dtype="float32",
            options=schema.Conv2DOptionsT(strideH=1, strideW=1, fusedActivationFunction=RELU),
        )
    axes = writer.tensor((2,), "int32", [1, 2])
    options = schema.ReducerOptionsT()
    mean = writer.add("MEAN", (last, axes), (1, CHANNELS), dtype="float32", options=options)
    return writer.content([image], [mean])


@pytest.mark.parametrize("recipe", ["int8", "int8-plain", "int8-swish"])
@pytest.mark.parametrize("asleep", [slice(1), slice(CHANNELS)], ids=["one", "all"])
@pytest.mark.parametrize("wakes", [-1.0, 1e-7], ids=["never", "hardly"])
def test_the_quantized_network_can_be_loaded(recipe: str, asleep: slice, wakes: float):
    content = classifier(asleep, wakes)
    pictures = synthetic_set(4, PREPROCESSING)
    made = quantize_model(FloatModel(content, PREPROCESSING), find_recipe(recipe), pictures)
    truth = Runner(content).run(PREPROCESSING.normalised(pictures.pictures[:1]))[0]
    runner = Runner(made)
    found = dequantize(runner.run(pictures.pictures[:1])[0], runner.outputs[0])
    assert found == pytest.approx(truth, abs=0.1 * float(np.abs(truth).max()))
