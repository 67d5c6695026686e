import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeeff.benchmarking.statistics import (
    drift,
    modes,
    shape,
    summarise,
    warnings_of,
)
from tests.benchmarking.makers import samples


@given(st.lists(st.lists(st.integers(1, 10**11), min_size=1, max_size=40), min_size=1, max_size=4))
@settings(max_examples=50)
def test_figures_are_ordered_and_count_every_sample(runs):
    found = summarise(runs)
    assert found.min <= found.p5 <= found.median <= found.p90 <= found.p95 <= found.p99
    everything = [sample for run in runs for sample in run]
    assert found.max == max(everything) / 1e6
    assert found.median == pytest.approx(np.median(everything) / 1e6)


def test_the_deviation_is_the_median_one():
    assert summarise([[1_000_000, 2_000_000, 3_000_000, 4_000_000, 100_000_000]]).mad == 1.0


@pytest.mark.parametrize(
    ("last", "expected"), [(1.0, 0.0), (1.1, 0.1), (0.8, -0.2)], ids=["steady", "slower", "faster"]
)
def test_drift_is_the_last_third_against_the_first(last, expected):
    values = np.concatenate([np.full(30, 10.0), np.full(30, 10.0), np.full(30, 10.0 * last)])
    assert drift(values) == pytest.approx(expected)


def test_a_handful_of_samples_has_no_drift():
    assert drift(np.array([1.0, 9.0, 99.0])) == 0


@pytest.mark.parametrize("count", [50, 300, 20_000])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "gamma"])
def test_one_speed_is_one_peak(kind, count):
    generator = np.random.default_rng(count)
    values = {
        "normal": lambda: generator.normal(10, 0.3, count),
        "lognormal": lambda: 10 + generator.lognormal(-2, 0.6, count),
        "gamma": lambda: 10 + generator.gamma(1.5, 0.1, count),
    }[kind]()
    assert modes(values) == 1


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("count", [60, 300, 20_000])
def test_two_speeds_are_more_than_one_peak(share, count):
    generator = np.random.default_rng(count)
    slow = generator.random(count) < share
    values = np.where(slow, generator.normal(12, 0.2, count), generator.normal(10, 0.2, count))
    assert modes(values) > 1


def test_constant_samples_are_one_peak():
    assert modes(np.full(100, 5.0)) == 1


def test_outliers_are_counted_and_not_removed():
    values = [*samples(10, count=95), *[50_000_000] * 5]
    latency = summarise([values])
    found = shape([values], latency)
    assert found.outliers == 5
    assert latency.max == 50
    assert any("5 of 100" in word for word in warnings_of(found, 100))


def test_a_steady_run_has_no_warning():
    values = samples(10, count=300)
    assert warnings_of(shape([values], summarise([values])), 300) == []


def test_processes_far_apart_are_called_noise():
    runs = [samples(level, count=100, seed=level) for level in (10, 11, 12)]
    words = warnings_of(shape(runs, summarise(runs)), 300)
    assert any("too noisy" in word for word in words)
