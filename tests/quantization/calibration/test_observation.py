"""One pass over pictures: what each activation does."""

from __future__ import annotations

import functools
import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration import observation
from edgeeff.quantization.calibration.observation import (
    BINS,
    KEPT_BITS,
    PICTURES,
    Observations,
    coarse,
    observe,
)
from edgeeff.quantization.float_graph import float_graph
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from tests import networks
from tests.small_classifiers import SmallClassifier

TINY = Preprocessing.of(networks.tiny_variant())


def batches(count: int, side: int = TINY.resolution) -> list[np.ndarray]:
    pictures = synthetic_pictures(count, side)
    return [TINY.normalised(picture)[None] for picture in pictures]


@pytest.fixture
def graph(tiny_float: Path) -> Graph:
    return float_graph(tiny_float.read_bytes())


def test_every_activation_is_described_as_its_values_are(graph):
    shown = graph.copy()
    shown.expose([t for t in graph.activations if t != graph.input])
    runner = Runner(shown.content())
    given = batches(5)
    values = [np.concatenate(of_one) for of_one in zip(*map(runner.run, given), strict=True)]
    seen = observe(graph, given)
    assert list(seen) == list(graph.activations)
    for found, expected in zip(
        (seen[t] for t in graph.activations if t != graph.input), values, strict=True
    ):
        rows = expected.reshape(-1, expected.shape[-1]).astype(np.float64)
        np.testing.assert_array_equal(found.minimum, rows.min(axis=0))
        np.testing.assert_array_equal(found.maximum, rows.max(axis=0))
        np.testing.assert_allclose(found.mean, rows.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.square, (rows**2).mean(axis=0), rtol=1e-4, atol=1e-8)
        np.testing.assert_array_equal(found.pictures, [coarse(fine(of_one)) for of_one in expected])


def fine(values: np.ndarray) -> np.ndarray:
    """A histogram by the leading bits of the values."""
    bits = values.reshape(-1).view(np.uint32) >> (32 - KEPT_BITS)
    return np.bincount(bits, minlength=BINS)


@pytest.mark.slow
def test_the_order_of_work_does_not_show(graph):
    first, second = observe(graph, batches(20)), observe(graph, batches(20))
    for tensor, found in first.items():
        for name, value in vars(found).items():
            np.testing.assert_array_equal(value, getattr(second[tensor], name))


@pytest.mark.slow
def test_a_batch_that_lingers_does_not_hold_what_the_next_one_needs(graph, monkeypatch):
    waits = itertools.cycle((0.0, 0.01, 0.02))

    def lingers(looked, graph, pictures):
        time.sleep(next(waits))

    expected = observe(graph, batches(30))
    monkeypatch.setattr(observation, "_check", lingers)
    for tensor, found in observe(graph, batches(30)).items():
        np.testing.assert_array_equal(found.square, expected[tensor].square)


def test_without_histograms_the_rest_is_the_same(graph):
    whole, less = observe(graph, batches(3)), observe(graph, batches(3), histograms=False)
    for tensor, found in less.items():
        assert len(found.histogram) == len(found.pictures) == 0
        for name in ("minimum", "maximum", "mean", "square", "extremes"):
            np.testing.assert_array_equal(getattr(found, name), getattr(whole[tensor], name))


@pytest.mark.slow
def test_what_is_kept_of_single_pictures_has_a_limit(graph):
    seen = observe(graph, batches(PICTURES + 3))
    assert {len(found.pictures) for found in seen.values()} == {PICTURES}
    assert {len(found.extremes) for found in seen.values()} == {PICTURES + 3}


def test_each_picture_is_told_when_it_is_done(graph):
    told: list[int] = []
    observe(graph, batches(5), advance=told.append)
    assert told == [1] * 5


@pytest.mark.parametrize("broken", [1, 3, 5])
def test_a_picture_that_is_not_finite_is_named(graph, broken):
    given = batches(5)
    given[broken - 1][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=f"not finite for calibration picture {broken}"):
        observe(graph, given)


def test_of_a_batch_that_is_not_finite_all_pictures_are_named():
    graph = Graph.empty()
    image, answer = (graph.add_tensor(name, (2, 4, 4, 3)) for name in ("image", "answer"))
    graph.add_operator("LOGISTIC", [image], [answer])
    graph.cut(inputs=[image], outputs=[answer])
    good = np.zeros((2, 4, 4, 3), np.float32)
    with pytest.raises(InputError, match="calibration pictures 3 to 4"):
        observe(graph, [good, good + np.float32(np.inf), good])


def test_no_pictures_are_an_error(graph):
    with pytest.raises(InputError, match="no calibration pictures"):
        observe(graph, [])


def test_a_vector_of_places_is_one_picture():
    """Layer normalization makes a value for each place: its first axis is not of pictures."""
    network = SmallClassifier(8)
    each = network.mean_of_channels(network.image)
    graph = float_graph(network.content(each))
    (observed,) = (observe(graph, batches(3, 8))[t] for t in graph.outputs)
    assert len(observed.extremes) == len(observed.pictures) == 3


def test_what_is_not_of_single_pictures_counts_for_each_of_a_batch():
    """So that all activations have extremes of as many pictures."""
    values = np.arange(3, dtype=np.float32)
    looked = observation._looked(values, 2, histograms=False)
    assert looked.extremes == [(0.0, 2.0)] * 2


def test_observations_are_kept_from_one_recipe_to_the_next(graph):
    """And made again only for one that reads histograms where none were noted."""
    looks: list[bool] = []

    def look(*, histograms: bool) -> dict[int, observation.Observed]:
        looks.append(histograms)
        return observe(graph, batches(2), histograms=histograms)

    kept = Observations()
    for histograms in (False, False, True, False, True):
        found = kept.take(functools.partial(look, histograms=histograms), histograms=histograms)
        assert list(found) == list(graph.activations)
        assert not histograms or found[graph.output].histogram.sum() > 0
    assert looks == [False, True]
