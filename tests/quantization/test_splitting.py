import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.litert.runner import Runner
from edgeeff.quantization.graph import Graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipe import Split
from edgeeff.quantization.splitting import choose, first_chain, split

GAINS = st.lists(st.floats(0, 1e3), min_size=1, max_size=12).map(np.asarray)


@given(GAINS, st.integers(0, 24))
def test_exactly_so_many_copies_are_added(gain, channels):
    copies = choose(gain, channels)
    assert len(copies.source) == len(gain) + channels
    assert list(copies.source[: len(gain)]) == list(range(len(gain)))


@given(GAINS, st.integers(1, 24))
def test_the_copies_of_a_channel_are_evenly_apart_around_it(gain, channels):
    copies = choose(gain, channels)
    for channel in range(len(gain)):
        offsets = np.sort(copies.offset[copies.source == channel])
        assert offsets.sum() == pytest.approx(0)
        assert np.diff(offsets) == pytest.approx(1 / len(offsets))


def test_the_most_sensitive_channel_is_copied_first():
    copies = choose(np.array([1.0, 10.0, 2.0]), 1)
    assert list(copies.source) == [0, 1, 2, 1]


def test_a_network_that_does_not_begin_with_a_chain_is_left_alone(tiny_float):
    graph = Graph(tiny_float.read_bytes())
    before = graph.content()
    assert first_chain(graph) is None
    assert split(graph, {}, [], Split()) == {}
    assert graph.content() == before


def test_splitting_keeps_the_float_network(lite0_float):
    graph = Graph(lite0_float.read_bytes())
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    truth = Runner(graph.content()).run(picture)[0]
    fine = {tensor: Grid.of_range(0.0, 0.006) for tensor in graph.activations}
    split(graph, fine, [picture], Split(channels=8))
    chain = first_chain(graph)
    assert chain is not None
    assert graph.shape(chain.first.output)[-1] == 40
    assert Runner(graph.content()).run(picture)[0] == pytest.approx(truth, abs=2e-4)
