import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.quantization.calibration.observation import observe
from edgeeff.quantization.calibration.ranges import credible
from edgeeff.quantization.corrections.equalization import (
    channel_factors,
    equalize,
    rescaled_observation,
    rescaled_statistics,
)
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.recipes.recipe import Equalize
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner


@pytest.fixture(params=["lite0_float", "tiny_float"])
def graph(request) -> Graph:
    return float_graph(request.getfixturevalue(request.param).read_bytes())


def batches(graph: Graph, count: int = 2) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shape = graph.shape(graph.input)
    return [random.uniform(-1, 1, shape).astype(np.float32) for _ in range(count)]


def test_the_float_network_stays_as_it_was(graph):
    pictures = batches(graph)
    observed = observe(graph, pictures)
    truth = Runner(graph.content()).run(pictures[0])[0]
    assert equalize(graph, observed, {}, Equalize(1.0))
    assert Runner(graph.content()).run(pictures[0])[0] == pytest.approx(truth, rel=1e-3, abs=1e-5)


def test_only_linear_and_relu_outputs_are_scaled(graph):
    factors = equalize(graph, observe(graph, batches(graph)), {}, Equalize())
    assert factors
    for tensor in factors:
        assert graph.producer[tensor].activation in ("NONE", "RELU")
        assert all(r.weighted or r.kind == "ADD" for r in graph.consumers[tensor])


def test_summands_and_their_sum_share_their_factors(graph):
    factors = equalize(graph, observe(graph, batches(graph)), {}, Equalize())
    sums = [o for o in graph.operators if o.kind == "ADD" and o.output in factors]
    assert sums
    for operator in sums:
        for tensor in operator.inputs:
            assert np.array_equal(factors[tensor], factors[operator.output])


def test_what_is_known_of_the_network_follows_its_scaling(graph):
    pictures = batches(graph)
    observed = observe(graph, pictures)
    factors = equalize(graph, observed, {}, Equalize(1.0))
    told, seen = rescaled_observation(observed, factors), observe(graph, pictures)
    assert factors
    for tensor in factors:
        assert told[tensor].maximum == pytest.approx(seen[tensor].maximum, rel=1e-3, abs=1e-3)
        assert told[tensor].mean == pytest.approx(seen[tensor].mean, rel=1e-3, abs=1e-3)


def test_full_exponent_makes_all_ranges_equal(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    observed = observe(graph, batches(graph))
    factors = equalize(graph, observed, {}, Equalize(1.0))
    joined = {t for o in graph.operators if o.kind == "ADD" for t in (*o.inputs, o.output)}
    alone = [tensor for tensor in factors if tensor not in joined]
    assert alone
    seen = rescaled_observation(observed, factors)
    for tensor in alone:
        reach = np.maximum(np.abs(seen[tensor].minimum), np.abs(seen[tensor].maximum))
        assert reach == pytest.approx(reach.max(), rel=1e-3)


def test_a_channel_of_which_batchnorm_lies_is_taken_as_seen(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    observed = observe(graph, batches(graph))
    said = statistics.attached(graph)
    assert said is not None
    name = "block2a_project_bn"
    (tensor,) = (t for t in graph.activations if graph.name(t) == name)
    told = {tensor: said.tensors[name]}
    assert np.array_equal(
        credible(told, observed, outdated=False)[tensor].mean, said.tensors[name].mean
    )
    factor = np.ones(len(said.tensors[name].mean))
    factor[3] = 4096.0
    lying = rescaled_statistics(told, {tensor: 1 / factor})[tensor]
    believed = credible({tensor: lying}, observed, outdated=False)[tensor]
    assert believed.mean[3] == pytest.approx(observed[tensor].mean[3], rel=1e-5)
    assert np.array_equal(np.delete(believed.mean, 3), np.delete(lying.mean, 3))


REACHES = st.lists(st.floats(0.1, 1e3), min_size=3, max_size=20).map(np.asarray)


@given(REACHES)
def test_no_channel_stays_an_outlier(reach):
    factors = channel_factors(reach, Equalize(0.0, outlier=1.5))
    assert factors is not None
    found, median = reach * factors, np.median(reach)
    assert found.max() <= 1.5 * median * (1 + 1e-9)
    assert found.min() >= median / 1.5 * (1 - 1e-9)


@given(REACHES)
def test_channels_that_are_no_outliers_stay_as_they_are(reach):
    factors = channel_factors(reach, Equalize(0.0, outlier=4.0))
    assert factors is not None
    usual = np.abs(np.log(reach / np.median(reach))) < np.log(4.0) - 1e-9
    assert factors[usual] == pytest.approx(1.0)


@given(REACHES)
def test_the_full_exponent_makes_all_channels_reach_as_far(reach):
    factors = channel_factors(reach, Equalize(1.0))
    assert factors is not None
    assert reach * factors == pytest.approx((reach * factors).max())


def test_a_channel_that_never_wakes_is_left_alone():
    factors = channel_factors(np.array([0.0, 0.0, 0.0, 1.0, 1.0]), Equalize(0.5))
    assert factors is not None
    assert factors.tolist() == [1, 1, 1, 1, 1]


def test_a_channel_that_hardly_wakes_is_moved_by_no_more_than_the_limit():
    factors = channel_factors(np.array([1e-9, 1.0, 1.0]), Equalize(0.0, limit=100.0))
    assert factors is not None
    assert factors == pytest.approx([100, 1, 1])


def test_a_tensor_that_is_always_zero_is_left_alone():
    assert channel_factors(np.zeros(4), Equalize()) is None
