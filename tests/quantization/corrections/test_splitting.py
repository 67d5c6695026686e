import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.evaluation.layers.merged_copies import merged_copies
from edgeeff.quantization.corrections.splitting import choose, first_chain, idle, split
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Split
from edgeeff.tflite.runner import Runner
from tests.small_classifiers import SmallClassifier

ERRORS = st.lists(st.floats(0, 1e3), min_size=1, max_size=12).map(np.asarray)
NONE = np.array([], int)


@given(ERRORS, st.integers(0, 24))
def test_exactly_so_many_copies_are_added(errors, channels):
    copies = choose(errors, NONE, channels)
    assert len(copies.source) == len(errors) + channels
    assert list(copies.source[: len(errors)]) == list(range(len(errors)))


@given(ERRORS, st.integers(0, 24), st.data())
def test_copies_take_the_places_of_free_channels_first(errors, channels, data):
    free = np.array(sorted(data.draw(st.sets(st.integers(1, max(1, len(errors) - 1))))), int)
    free = free[free < len(errors)]
    copies = choose(errors, free, channels)
    live = np.setdiff1d(np.arange(len(errors)), free)
    assert len(copies.source) == len(errors) + channels
    assert list(copies.source[live]) == list(live)
    assert set(copies.source) <= set(live)


@given(ERRORS, st.integers(1, 24))
def test_the_copies_of_a_channel_are_evenly_apart_around_it(errors, channels):
    copies = choose(errors, NONE, channels)
    for channel in range(len(errors)):
        offsets = np.sort(copies.offset[copies.source == channel])
        assert offsets.sum() == pytest.approx(0)
        assert np.diff(offsets) == pytest.approx(1 / len(offsets))


def test_the_channel_with_most_error_is_copied_first():
    copies = choose(np.array([1.0, 10.0, 2.0]), NONE, 1)
    assert list(copies.source) == [0, 1, 2, 1]


def test_a_copy_goes_where_it_lessens_the_squared_error_most():
    # 10/1 - 10/4 = 7.5, then 10/4 - 10/9 = 1.4 against 3/1 - 3/4 = 2.2.
    copies = choose(np.array([3.0, 10.0]), NONE, 2)
    assert list(copies.source) == [0, 1, 0, 1]


def test_a_network_that_does_not_begin_with_a_chain_is_left_alone(tiny_float):
    graph = float_graph(tiny_float.read_bytes())
    before = graph.content()
    assert first_chain(graph) is None
    assert split(graph, {}, [], Split()) == {}
    assert graph.content() == before


@pytest.mark.parametrize(("first", "merging"), [(3, 1), (1, 2)])
def test_a_chain_of_grouped_convolutions_is_left_alone(first, merging):
    """A copy of a channel would belong to another group."""
    network = SmallClassifier(8)
    last = network.convolution(network.image, 6, groups=first, activation="RELU")
    last = network.convolution(network.depthwise(last), 6, 1, groups=merging)
    graph = float_graph(network.content(network.dense(network.mean(last), 4)))
    assert first_chain(graph) is None


def fine(graph):
    """Grids so fine that half a step changes nothing."""
    grids = {tensor: Grid.of_range(0.0, 0.006) for tensor in graph.activations}
    return {**grids, graph.input: Grid.of_range(-1.0, 1.0)}


def noise():
    return np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)


@pytest.mark.parametrize("channels", [0, 8])
def test_splitting_keeps_the_float_network(lite0_float, channels):
    graph = float_graph(lite0_float.read_bytes())
    truth = Runner(graph.content()).run(noise())[0]
    split(graph, fine(graph), [noise()], Split(channels=channels))
    chain = first_chain(graph)
    assert chain is not None
    assert graph.shape(chain.first.output)[-1] == 32 + channels
    assert Runner(graph.content()).run(noise())[0] == pytest.approx(truth, abs=2e-4)


def silenced(graph, channels):
    """Channels of the first convolution made never to leave zero, which moves their reader."""
    chain = first_chain(graph)
    assert chain is not None
    kernel, bias = graph.weights(chain.first).copy(), graph.bias(chain.first).copy()
    reach = np.abs(kernel).reshape(len(kernel), -1).sum(axis=1)
    bias[channels] = -1.01 * reach[channels]
    later = graph.bias(chain.depthwise).copy()
    later[channels] = 2.0
    graph.set_bias(chain.first, bias)
    graph.set_bias(chain.depthwise, later)
    return chain


def test_channels_that_no_picture_wakes_are_idle(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    before = idle(graph, first_chain(graph), fine(graph))
    chain = silenced(graph, [3, 7])
    assert set(idle(graph, chain, fine(graph))) == {3, 7, *before}


def test_a_channel_that_some_picture_wakes_is_not_idle(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    chain = silenced(graph, [3])
    bias = graph.bias(chain.first).copy()
    bias[3] *= 0.99 / 1.01
    graph.set_bias(chain.first, bias)
    assert 3 not in idle(graph, chain, fine(graph))


def test_copies_take_the_places_of_idle_channels_and_keep_the_network(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    chain = silenced(graph, [3, 7])
    truth = Runner(graph.content()).run(noise())[0]
    copies = split(graph, fine(graph), [noise()], Split())[chain.first.output]
    assert {3, 7}.isdisjoint(copies.source)
    assert graph.shape(chain.first.output)[-1] == 32
    assert Runner(graph.content()).run(noise())[0] == pytest.approx(truth, abs=2e-4)


def test_copies_are_found_again_and_their_mean_is_the_channel(lite0_float):
    graph, original = (float_graph(lite0_float.read_bytes()) for _ in range(2))
    chain = silenced(graph, [3, 7])
    silenced(original, [3, 7])
    copies = split(graph, fine(graph), [noise()], Split(channels=8))[chain.first.output]
    found = merged_copies(original, graph.weights(chain.first))
    assert found is not None
    assert list(found.source) == list(copies.source)
    for operator in (chain.first, chain.depthwise):
        kernel = found.kernel(operator, graph.weights(operator), original.weights(operator))
        assert kernel == pytest.approx(original.weights(operator))
        bias = found.bias(operator, graph.bias(operator), original.bias(operator))
        assert bias == pytest.approx(original.bias(operator), abs=1e-5)


def test_a_network_without_copies_has_none_to_merge(lite0_float):
    graph = float_graph(lite0_float.read_bytes())
    assert merged_copies(graph, graph.weights(first_chain(graph).first)) is None
