"""Regions, groups of channels and scaling through swish: the float network stays as it is."""

from dataclasses import replace

import numpy as np
import pytest

from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.observation import observe
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.channel_groups import take_apart
from edgeeff.quantization.corrections.grouping import Activations, group
from edgeeff.quantization.corrections.regions import regions
from edgeeff.quantization.corrections.swish_scaling import (
    SwishChannels,
    scalable_through_swish,
    scale_through_swish,
    scaling_factors,
    swish_inputs,
)
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipes.recipe import Group, Ranges, find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.runner import Runner
from tests.small_classifiers import VALID, SmallClassifier

EXTREMES = (-3.0, 3.0)
LITE = of_family("lite", 224)


@pytest.fixture
def graph(tiny_float) -> Graph:
    """A network of swish and squeeze-excite, to be changed."""
    return float_graph(tiny_float.read_bytes())


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    noise = [random.normal(size=(1, 32, 32, 3)).astype(np.float32) for _ in range(2)]
    return [*noise, *(np.full((1, 32, 32, 3), value, np.float32) for value in EXTREMES)]


def answers(graph: Graph, pictures: list[np.ndarray]) -> np.ndarray:
    runner = Runner(graph.content())
    return np.concatenate([runner.run(picture)[0] for picture in pictures])


def known(graph: Graph, pictures: list[np.ndarray]) -> Activations:
    return Activations(observe(graph, pictures), {}, Ranges())


def widened(graph: Graph, times: float = 64.0) -> Graph:
    """Another network: some channels of each region reach much farther than the others."""
    for region in regions(graph):
        for maker in region.makers:
            kernel = graph.weights(maker).copy()
            kernel[:2] *= times
            graph.set_weights(maker, kernel)
    return graph


def test_the_regions_of_a_network_lie_between_its_summing_layers(graph):
    found = regions(graph)
    assert found
    for region in found:
        assert {maker.kind for maker in region.makers} <= {"CONV_2D", "FULLY_CONNECTED"}
        assert all(graph.shape(tensor)[-1] == region.channels for tensor in region.tensors)
    makers = {maker.name for region in found for maker in region.makers}
    assert "block2a_expand_bn" in makers
    assert not any("project" in name for name in makers), "sums of blocks are not by channel"


@pytest.mark.parametrize("count", [2, 3])
def test_groups_leave_the_network_as_it_is(graph, pictures, count):
    before = answers(graph, pictures)
    for name in [graph.name(r.tensors[0]) for r in regions(graph) if r.channels >= count]:
        region = next(r for r in regions(graph) if graph.name(r.tensors[0]) == name)
        members = tuple(np.arange(start, region.channels, count) for start in range(count))
        take_apart(graph, region, members)
    graph.drop_unused()
    assert np.allclose(answers(graph, pictures), before, atol=1e-5)


def test_the_groups_tensors_are_named_after_the_tensor_they_are_of(graph):
    region = regions(graph)[0]
    half = region.channels // 2
    members = (np.arange(half), np.arange(half, region.channels))
    name = graph.name(region.tensors[0])
    assert take_apart(graph, region, members)[name] == (f"{name}/group0", f"{name}/group1")


def test_scaling_through_swish_leaves_the_network_as_it_is(graph, pictures):
    before = answers(graph, pictures)
    random = np.random.default_rng(1)
    scaled = [r for r in regions(graph) if scalable_through_swish(graph, r)]
    assert scaled
    for region in scaled:
        tensors = swish_inputs(graph, region)
        factors = {tensor: random.uniform(0.1, 50.0, region.channels) for tensor in tensors}
        divided = scale_through_swish(graph, region, factors)
        assert set(divided) >= {graph.name(tensor) for tensor in tensors}
    assert np.allclose(answers(graph, pictures), before, atol=1e-5)


def swish(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def rounding_error(values: np.ndarray, factors: np.ndarray) -> float:
    """Mean square of what int8 grids of x / s and swish(x) / s do to swish(x).

    Args:
        values: x, [channels, samples].
        factors: s, [channels].
    """

    def rounded(made: np.ndarray) -> np.ndarray:
        step = (made.max() - made.min()) / 255
        return np.rint(made / step) * step

    s = factors[:, None]
    scaled = rounded(np.maximum(values, -8.0) / s)
    return float(np.square(rounded(swish(scaled * s) / s) * s - swish(values)).mean())


@pytest.mark.parametrize("widest", [8.0, 60.0, 235.0])
def test_scaled_channels_are_rounded_less_than_where_all_reach_equally_far(widest):
    random = np.random.default_rng(0)
    spread = np.geomspace(0.3, widest, 24)
    values = random.normal(size=(24, 4000)) * spread[:, None] / 3
    low, high = np.clip(-values.min(axis=1), 0.0, 8.0), values.max(axis=1)
    ones = np.ones(24)
    factors = scaling_factors(SwishChannels(low, high, ones, ones))
    reach = np.maximum(low, high)
    equal = rounding_error(values, reach / np.median(reach))
    assert rounding_error(values, factors) < equal
    assert rounding_error(values, factors) < rounding_error(values, ones)


@pytest.mark.parametrize(("fused", "passes"), [("NONE", True), ("RELU", True), ("RELU6", False)])
def test_a_product_that_is_cut_off_at_six_passes_no_factor(graph, fused, passes):
    region = next(r for r in regions(graph) if scalable_through_swish(graph, r))
    product = next(o for o in region.inner if o.kind == "MUL")
    graph.update(product, options={**product.options, "fused_activation_function": fused})
    region = next(r for r in regions(graph) if r.tensors == region.tensors)
    assert scalable_through_swish(graph, region) == passes


def test_a_region_with_a_factor_for_each_place_can_be_grouped():
    network = SmallClassifier((8, 8, 3))
    layer = network.convolution(network.image, 16)
    swish = network.joined("MUL", layer, network.alone(layer, "LOGISTIC"))
    factor = network.constant(np.linspace(0.5, 1.5, 1024).reshape(1, 8, 8, 16))
    last = network.convolution(network.joined("MUL", swish, factor), 4, 8, padding=VALID)
    graph = float_graph(network.content(network.reshaped(last, 1, 4)))
    seen = [np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)]
    before = answers(widened(graph), seen)
    assert group(graph, known(graph, seen), Group(most=2, narrow=0, enough_db=60.0))
    graph.drop_unused()
    assert np.allclose(answers(graph, seen), before, atol=1e-4 * np.abs(before).max())


@pytest.mark.parametrize("narrow", [0, 4096])
def test_a_network_whose_channels_differ_is_grouped_or_scaled(graph, pictures, narrow):
    before = answers(widened(graph), pictures)
    rule = Group(most=3, narrow=narrow, unit=2, enough_db=30.0)
    done = group(graph, known(graph, pictures), rule)
    assert done
    assert all(bool(region.divided) == (narrow > 0) for region in done)
    gains = [region.after_db - region.before_db for region in done if region.after_db is not None]
    assert len(gains) == (0 if narrow else len(done))
    assert all(gain > 0 for gain in gains)
    graph.drop_unused()
    assert np.allclose(answers(graph, pictures), before, atol=1e-4 * np.abs(before).max())


def test_a_network_that_is_good_enough_stays_as_it_is(graph, pictures):
    before = graph.content()
    assert group(graph, known(graph, pictures), Group(enough_db=0.0, unit=2)) == []
    assert graph.content() == before


def test_finer_grids_need_no_groups(graph, pictures):
    widened(graph)
    coarse = known(graph, pictures)
    fine = replace(coarse, levels=65534)
    rule = Group(most=3, narrow=0, unit=2, enough_db=30.0)
    assert group(graph.copy(), fine, rule) == []
    assert group(graph.copy(), coarse, rule)


@pytest.mark.slow
def test_sums_of_groups_are_ranged_where_batchnorm_knew_all_else(lite0_float):
    """No histogram had been made of them: with nothing to go by, they were cut off."""
    content = cut_at_logits(float_graph(lite0_float.read_bytes())).content()
    model, ends = FloatModel(content, LITE), Ends("uint8", "float32")
    made = quantize_model(model, find_recipe("int8-swish"), synthetic_set(8, LITE), ends=ends)
    names = [operator.name for operator in Graph.of(made).operators]
    assert any("/group" in name for name in names)
    picture = next(synthetic_pictures(1, 224, seed=5))
    logits = Runner(content).run(LITE.normalised(picture)[None])[0]
    noise = np.square(Runner(made).run(picture[None])[0] - logits).sum()
    assert np.square(logits).sum() > 10**1.5 * noise
