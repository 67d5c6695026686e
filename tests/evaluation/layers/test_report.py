from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.evaluation.layers.report import LayerError, layer_errors
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.equalization import scalable_groups, scale_channels
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipes.recipe import PRECISIONS, Recipe, find_recipe, parse
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from tests.small_classifiers import SmallClassifier
from tests.tflite import tiny

LITE = of_family("lite", 224)
SMALL = of_family("imagenet", 32)
OUTLIER = "block4b_project_bn"
OUTLIER_GROUP = frozenset(
    {
        "block4a_project_bn",
        "block4b_project_bn",
        "block4b_add",
        "block4c_project_bn",
        "block4c_add",
    }
)


def compared(made: bytes, content: bytes, *how: Any) -> tuple[LayerError, ...]:
    """Of two files."""
    return layer_errors(Graph.of(made), Graph.of(content), *how)


def quantized(content: bytes, recipe: Recipe, calibration: int, ends: Ends | None = None) -> bytes:
    """The tiny network, calibrated on that many synthetic pictures."""
    pictures = synthetic_set(calibration, SMALL)
    return quantize_model(FloatModel(content, SMALL), recipe, pictures, ends=ends or Ends())


def report(content: bytes, recipe: str) -> dict[str, LayerError]:
    made = quantize_model(FloatModel(content, LITE), find_recipe(recipe), synthetic_set(12, LITE))
    pictures = list(synthetic_pictures(2, 224, seed=9))
    return {error.name: error for error in compared(made, content, pictures, LITE)}


def rescaled(content: bytes, factor: float, channels: int, only: Set[str] = frozenset()) -> bytes:
    """The same function, with some channels of linear tensors ``factor`` times as large.

    They are scaled where they are made, and back where weights read them; in all groups of tensors
    that are added up, or only in the group of these names.
    """
    graph, random = float_graph(content), np.random.default_rng(0)
    for group in scalable_groups(graph):
        if only and {graph.name(tensor) for tensor in group} != only:
            continue
        factors = np.ones(graph.shape(group[0])[-1])
        factors[random.choice(len(factors), channels, replace=False)] = factor
        for tensor in group:
            scale_channels(graph, tensor, factors)
    return graph.content()


@pytest.fixture(scope="module")
def with_outlier(lite0_float: Path) -> bytes:
    """Lite0 with one channel of a residual group 256 times as large."""
    return rescaled(lite0_float.read_bytes(), 256.0, 1, OUTLIER_GROUP)


def test_the_outlier_leaves_the_float_network_as_it_was(lite0_float, with_outlier):
    picture = LITE.normalised(next(synthetic_pictures(1, 224)))[None]
    truth = Runner(lite0_float.read_bytes()).run(picture)[0]
    assert Runner(with_outlier).run(picture)[0] == pytest.approx(truth, abs=1e-5)


@pytest.mark.slow
def test_the_report_names_the_layers_with_the_outlier(with_outlier):
    errors = report(with_outlier, "int8-plain")
    named = {name for name, error in errors.items() if "times as far" in error.cause}
    assert OUTLIER in named
    assert named <= OUTLIER_GROUP
    by_rounding = sorted(errors, key=lambda name: errors[name].activation_sqnr_db)
    assert set(by_rounding[:3]) <= OUTLIER_GROUP


def sqnr(content: bytes, recipe: str) -> float:
    """Of the logits of a quantized Lite0, on pictures that did not calibrate."""
    made = quantize_model(FloatModel(content, LITE), find_recipe(recipe), synthetic_set(24, LITE))
    pictures = np.stack(list(synthetic_pictures(8, 224, seed=9)))
    truth, found = (
        np.concatenate([classifier(picture[None]).logits for picture in pictures])
        for classifier in (Classifier(content, LITE), Classifier(made, LITE))
    )
    return fidelity(truth, found).sqnr_db


@pytest.fixture(scope="module")
def untouched_sqnr(lite0_float: Path) -> float:
    return sqnr(lite0_float.read_bytes(), "int8")


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1 / 256, 1 / 4, 4.0, 256.0])
def test_the_default_recipe_undoes_outliers_in_every_block(lite0_float, untouched_sqnr, factor):
    content = rescaled(lite0_float.read_bytes(), factor, 2)
    assert sqnr(content, "int8") > untouched_sqnr - 1.0


@pytest.mark.slow
def test_without_equalization_outliers_cost_most_of_the_accuracy(with_outlier, untouched_sqnr):
    assert sqnr(with_outlier, "int8-plain") < untouched_sqnr - 8.0


def test_a_reference_of_other_classes_is_refused(tiny_float, lite0_float):
    made = quantized(tiny_float.read_bytes(), find_recipe("int8-plain"), 2)
    with pytest.raises(InputError, match=r"answers \[10\], that of --reference \[1000\]"):
        compared(made, lite0_float.read_bytes(), [], SMALL)


def test_layers_of_networks_that_do_not_belong_together_are_refused(lite0_float):
    content = lite0_float.read_bytes()
    with pytest.raises(InputError, match="no layer in common"):
        compared(content, content, list(synthetic_pictures(1, 224)), LITE)


def test_layers_of_one_name_that_are_not_one_layer_are_refused():
    def renamed(model: Any) -> None:
        for number, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = str(number)

    made, float_one = (tiny.changed(path, renamed) for path in (tiny.INT8, tiny.FLOAT32))
    with pytest.raises(InputError, match="another layer in the model of --reference"):
        compared(made, float_one, list(synthetic_pictures(1, 32)), SMALL)


def test_pictures_seen_twice_change_nothing(tiny_float):
    content = tiny_float.read_bytes()
    made = quantized(content, find_recipe("int8-bias"), 4)
    pictures = list(synthetic_pictures(3, 32, seed=9))
    once = compared(made, content, pictures, SMALL)
    twice = compared(made, content, pictures * 2, SMALL)
    assert [error.name for error in once] == [error.name for error in twice]
    for first, second in zip(once, twice, strict=True):
        assert first.sqnr_db == pytest.approx(second.sqnr_db)
        assert first.clipped == pytest.approx(second.clipped)


def test_weights_alone_lose_little_however_wrong_the_network_is(tiny_float):
    """A factor is fitted only where channels may be scaled, not to whatever is wrong."""
    content = tiny_float.read_bytes()
    made = quantized(content, find_recipe("int8-plain"), 1)
    errors = compared(made, content, list(synthetic_pictures(2, 32, seed=9)), SMALL)
    assert min(error.sqnr_db for error in errors) < 20
    assert min(e.weight_sqnr_db for e in errors if e.weight_sqnr_db is not None) > 28


@pytest.mark.parametrize("precision", PRECISIONS)
def test_of_a_mixed_network_the_quantized_layers_are_reported(tiny_float, precision):
    content = tiny_float.read_bytes()
    text = f'[[exceptions]]\nprecision = "{precision}"\nlayers = "^(stem|block1|block2a)"\n'
    made = quantized(content, parse("mixed", text), 6)
    errors = compared(made, content, list(synthetic_pictures(2, 32, seed=9)), SMALL)
    names = {error.name for error in errors}
    assert "block2b_project_bn" in names
    assert ("block2a_project_bn" in names) == (precision == "int16")
    assert min(e.weight_sqnr_db for e in errors if e.weight_sqnr_db is not None) > 28


def test_an_app_that_feeds_int8_gets_the_report_of_one_that_feeds_uint8(tiny_float):
    content, recipe = tiny_float.read_bytes(), find_recipe("int8-bias")
    pictures = list(synthetic_pictures(2, 32, seed=9))
    reports = [
        compared(quantized(content, recipe, 4, Ends(kind)), content, pictures, SMALL)
        for kind in ("uint8", "int8")
    ]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
@pytest.mark.parametrize("answer", ["uint8", "float32"])
def test_the_last_layer_is_reported_whatever_type_its_caller_is_given(recipe, answer):
    network = SmallClassifier(8)
    layer = network.convolution(network.image, 8, activation="RELU")
    content = network.content(network.dense(network.mean(layer), 4))
    how = of_family("advprop", 8)
    pictures = synthetic_set(4, how)
    ends = Ends("uint8", answer)
    made = quantize_model(FloatModel(content, how), find_recipe(recipe), pictures, ends=ends)
    (last,) = (o.name for o in float_graph(content).operators if o.kind == "FULLY_CONNECTED")
    assert last in {e.name for e in compared(made, content, pictures.pictures[:2], how)}


def test_a_quantized_reference_is_refused(lite0_float):
    graph = Graph.of(lite0_float.read_bytes())
    graph.add_tensor("stored", (1, 8), "int8", scale=0.5)
    with pytest.raises(InputError, match="--reference is quantized"):
        layer_errors(graph, graph, [], LITE)


def test_channels_that_differ_before_a_swish_are_named_with_what_helps(tiny_float):
    graph = float_graph(tiny_float.read_bytes())
    layer = next(o for o in graph.operators if o.name == "block2a_expand_bn")
    kernel = graph.weights(layer).copy()
    kernel[0] *= 256
    graph.set_weights(layer, kernel)
    made = quantized(graph.content(), find_recipe("int8-plain"), 4)
    pictures = list(synthetic_pictures(2, 32, seed=9))
    found = {e.name: e.cause for e in compared(made, graph.content(), pictures, SMALL)}
    assert "group the channels (recipe int8-swish)" in found["block2a_expand_bn"]


def test_a_range_of_int16_is_not_blamed_for_what_weights_lose(tiny_float):
    content = tiny_float.read_bytes()
    made = quantized(content, find_recipe("int16x8"), 4)
    found = compared(made, content, list(synthetic_pictures(2, 32, seed=9)), SMALL)
    causes = {error.name: error.cause for error in found}
    lost = [e for e in found if e.weight_sqnr_db and e.activation_sqnr_db > e.weight_sqnr_db + 6]
    assert min(error.used for error in lost) < 0.1
    assert {error.cause for error in lost} == {""}
    # Sums and means have no weights: what those of other layers lose is far more than theirs.
    assert causes["avg_pool"] == causes["block3b_add"] == ""
    # One that nothing but its range ruins still says so.
    assert "clips 25.00% of the values" in causes["block2a_se_reduce/conv_2d"]


def test_a_range_of_int8_is_not_blamed_for_what_weights_lose(tiny_float):
    content = tiny_float.read_bytes()
    graph = Graph.of(quantized(content, find_recipe("int8-bias"), 4))
    pictures = list(synthetic_pictures(2, 32, seed=9))

    def logits() -> LayerError:
        found = compared(graph.content(), content, pictures, SMALL)
        return next(error for error in found if error.name == "logits")

    assert logits().cause == "uses 49% of its range"
    layer = next(operator for operator in graph.operators if operator.name == "logits")
    kernel = graph.values(layer.inputs[1])
    graph.set_values(layer.inputs[1], np.clip(np.rint(kernel / 32.0) * 32, -127, 127))
    assert logits().weight_sqnr_db < 25
    assert logits().cause == ""


ODD: Mapping[str, Callable[[SmallClassifier, int], int]] = {
    "groups": lambda network, last: network.convolution(last, 16, groups=4),
    "multiplier": lambda network, last: network.depthwise(last, multiplier=2),
    "flattens": lambda network, last: network.dense(last, 16, "RELU"),
    "no bias": lambda network, last: network.dense(network.mean(last), 16, "RELU", bias=False),
    "half": lambda network, last: network.convolution(network.halves(last)[1], 8),
}
"""Layers whose kernels do not end in the channels of what they read, or that lack something."""


@pytest.mark.parametrize("layer", ODD)
def test_layers_of_any_kind_have_an_error_of_their_weights(layer):
    network = SmallClassifier(8)
    odd = ODD[layer](network, network.convolution(network.image, 8, activation="RELU"))
    flat = odd if len(network.shape(odd)) == 2 else network.mean(odd)
    content = network.content(network.alone(network.dense(flat, 4), "SOFTMAX"))
    how = of_family("advprop", 8)
    pictures = synthetic_set(6, how)
    made = quantize_model(FloatModel(content, how), find_recipe("int8"), pictures)
    found = {error.name: error for error in compared(made, content, pictures.pictures[:2], how)}
    graph = float_graph(content)
    weighted = [found[operator.name] for operator in graph.operators if operator.weighted]
    assert len(weighted) == 3
    assert all((error.weight_sqnr_db or 0) > 25 for error in weighted)
