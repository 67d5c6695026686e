from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import PRECISIONS, parse
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.model import Model
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner, dequantize

TINY = of_family("imagenet", 32)
KEPT, OTHER = "block1a_project_conv", "top_conv"


def kept_in(precision: str) -> str:
    return f'[[exceptions]]\nprecision = "{precision}"\nlayers = "^(stem|block)"'


HALF = kept_in("float16")


def made(content: bytes, text: str) -> bytes:
    return quantize_model(FloatModel(content, TINY), parse("made", text), synthetic_set(6, TINY))


def kernel_type(model: Model, layer: str) -> str:
    return next(t.dtype for t in model.tensors if t.name == f"{layer}/kernel")


@pytest.fixture(scope="module")
def by_precision(tiny_float: Path) -> dict[str, bytes]:
    return {
        precision: made(tiny_float.read_bytes(), kept_in(precision)) for precision in PRECISIONS
    }


@pytest.mark.parametrize(
    ("precision", "stored"), [("int16", "int8"), ("float16", "float16"), ("float", "float32")]
)
def test_the_weights_of_an_exception_are_stored_in_its_precision(by_precision, precision, stored):
    model = parse_model(by_precision[precision])
    assert kernel_type(model, KEPT) == stored
    assert kernel_type(model, OTHER) == "int8"


@pytest.mark.parametrize("xnnpack", [True, False], ids=["XNNPACK", "the runtime's own kernels"])
def test_half_precision_answers_as_float_does(by_precision, xnnpack: bool):
    picture = synthetic_set(1, TINY).pictures

    def cut(precision: str) -> bytes:
        return cut_at_logits(Graph.of(by_precision[precision])).content()

    def logits(precision: str) -> np.ndarray:
        runner = Runner(cut(precision), xnnpack=xnnpack)
        return dequantize(runner.run(picture)[0], runner.outputs[0])

    step = Runner(cut("float")).outputs[0].scale
    np.testing.assert_allclose(logits("float16"), logits("float"), atol=2 * step)


@pytest.mark.parametrize("text", ['scheme = "float16"', HALF], ids=["everywhere", "some layers"])
def test_weights_beyond_half_precision_are_refused(tiny_float: Path, text: str):
    graph = float_graph(tiny_float.read_bytes())
    layer = next(operator for operator in graph.operators if operator.name.startswith("block1a"))
    weights = graph.weights(layer).copy()
    weights.flat[0] = 1e5
    graph.set_weights(layer, weights)
    with pytest.raises(InputError, match=f"{layer.name} reach 1e.05, float16 ends at 65504"):
        made(graph.content(), text)
