import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.quantization.grid import Grid
from edgeeff.quantization.observation import BINS, KEPT_BITS, Observed, bin_values
from edgeeff.quantization.ranges import ESTIMATORS
from edgeeff.quantization.recipe import Ranges

VALUES = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=200)


def observed(values: np.ndarray) -> Observed:
    values = values.astype(np.float32)
    histogram = np.bincount(values.view(np.uint32) >> (32 - KEPT_BITS), minlength=BINS)
    low, high = values.min(keepdims=True), values.max(keepdims=True)
    return Observed(
        low, high, np.zeros(1), np.ones(1), histogram, [(float(low[0]), float(high[0]))]
    )


@given(st.floats(2.0**-90, 2.0**90, width=32))
def test_a_bin_is_within_two_percent_of_its_values(value):
    index = np.array([value], np.float32).view(np.uint32)[0] >> (32 - KEPT_BITS)
    assert bin_values()[index] == pytest.approx(value, rel=0.016)


@pytest.mark.parametrize("name", ESTIMATORS)
@given(values=VALUES.map(np.asarray))
def test_no_estimator_goes_beyond_what_was_seen(name, values):
    low, high = ESTIMATORS[name](observed(values), Ranges(estimator=name))
    assert low >= min(float(np.float32(values.min())), 0.0) - 1e-6
    assert high <= max(float(np.float32(values.max())), 0.0) + 1e-6


def test_minmax_is_what_was_seen():
    found = observed(np.array([-2.0, 0.5, 7.0]))
    assert ESTIMATORS["minmax"](found, Ranges()) == (-2.0, 7.0)


def test_percentile_cuts_a_lone_outlier_off():
    values = np.append(np.linspace(0, 1, 100_000), 1000.0)
    rule = Ranges(estimator="percentile", percentile=99.99)
    assert ESTIMATORS["percentile"](observed(values), rule)[1] == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("name", ["mse", "entropy"])
def test_a_lone_outlier_narrows_the_range(name):
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), 40.0)
    found = observed(values)
    low, high = ESTIMATORS[name](found, Ranges(estimator=name))
    assert high < 36
    if name == "mse":

        def error(grid: Grid) -> float:
            x = values.astype(np.float32)
            return float(np.square(x - grid.dequantize(grid.quantize(x))).mean())

        assert error(Grid.of_range(low, high)) < error(Grid.of_range(float(values.min()), 40.0))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_spike_at_the_clip_of_relu6_is_kept(name):
    values = np.append(np.random.default_rng(0).uniform(0, 6, 10_000), np.full(4_000, 6.0))
    assert ESTIMATORS[name](observed(values), Ranges(estimator=name))[1] > 5.8
