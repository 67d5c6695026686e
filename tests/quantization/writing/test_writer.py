from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import PRECISIONS, named_recipes, parse
from edgeeff.quantization.writing import writer
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.model import WEIGHTED, Model
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner, dequantize
from edgeeff.tflite.weights import from_per_channel, per_channel

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


def on_half_of_its_grid(graph: Graph, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Give each layer weights of up to 63 steps; what each channel's step is, by layer."""
    scales = {}
    for operator in graph.operators:
        if operator.weighted:
            kernel = graph.weights(operator)
            rows = per_channel(operator, kernel)
            scale = random.uniform(1e-3, 1e-2, len(rows)).astype(np.float32)
            steps = random.integers(-63, 64, rows.shape)
            matrix = (steps * scale[:, None]).astype(np.float32)
            graph.set_weights(operator, from_per_channel(operator, matrix, kernel))
            scales[operator.name] = scale
    return scales


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "dynamic", "weight-only"])
def test_weights_are_written_on_the_grid_that_is_handed_over(tiny_float: Path, scheme: str):
    """Not on the one that could be read off them, whose last step is their largest magnitude."""
    graph = float_graph(tiny_float.read_bytes())
    scales = on_half_of_its_grid(graph, np.random.default_rng(0))
    grids = {t: Grid.of_range(-3, 3) for t in graph.activations} if "int" in scheme else {}
    written = Graph.of(writer.write(graph, parse("made", f'scheme = "{scheme}"'), grids, scales))
    tensors = {tensor.name: tensor for tensor in written.tensors}
    for operator in graph.operators:
        if operator.name in scales:
            stored = tensors[graph.name(operator.inputs[1])]
            assert stored.dtype == "int8"
            assert stored.scales == pytest.approx(scales[operator.name], rel=1e-6)
            steps = per_channel(operator, graph.weights(operator)) / scales[operator.name][:, None]
            assert np.array_equal(per_channel(operator, stored.values), np.rint(steps))
    assert {operator.kind for operator in graph.operators} >= set(WEIGHTED)


def test_weights_off_the_grid_that_is_handed_over_are_not_written(tiny_float: Path):
    graph = float_graph(tiny_float.read_bytes())
    scales = on_half_of_its_grid(graph, np.random.default_rng(0))
    layer = next(operator for operator in graph.operators if operator.weighted)
    graph.set_weights(layer, graph.weights(layer) * np.float32(1.01))
    with pytest.raises(ValueError, match=f"weights of {layer.name} are .* steps off their grid"):
        writer.write(graph, parse("made", 'scheme = "dynamic"'), {}, scales)


CALIBRATED = [name for name, recipe in named_recipes().items() if recipe.calibrated]


@pytest.mark.parametrize("name", CALIBRATED)
def test_each_recipe_leaves_weights_on_the_grids_that_it_names(tiny_float: Path, name: str):
    model = FloatModel(tiny_float.read_bytes(), TINY)
    network = correct_network(model, named_recipes()[name], synthetic_set(2, TINY))
    assert network.scales
    assert set(network.scales) <= {operator.name for operator in network.graph.operators}
    for operator in network.graph.operators:
        if operator.name in network.scales:
            rows = per_channel(operator, network.graph.weights(operator))
            steps = rows / network.scales[operator.name][:, None]
            assert np.abs(steps).max() < 127.01
            assert np.abs(steps - np.rint(steps)).max() < 1e-3
