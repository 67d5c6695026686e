import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.quantization.calibration.estimators import ESTIMATORS, EVEN_BINS, even_histogram
from edgeeff.quantization.calibration.observation import (
    BINS,
    KEPT_BITS,
    Observed,
    bin_values,
    coarse,
    coarse_values,
)
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Ranges

VALUES = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=200)


def observed(*pictures: np.ndarray) -> Observed:
    each = [picture.astype(np.float32) for picture in pictures]
    values = np.concatenate(each)
    low, high = values.min(keepdims=True), values.max(keepdims=True)
    extremes = [(float(picture.min()), float(picture.max())) for picture in each]
    pictures = [coarse(fine(picture)) for picture in each]
    return Observed(low, high, np.zeros(1), np.ones(1), fine(values), extremes, pictures)


def fine(values: np.ndarray) -> np.ndarray:
    """A histogram by the leading bits of the values."""
    return np.bincount(values.view(np.uint32) >> (32 - KEPT_BITS), minlength=BINS)


@given(st.floats(2.0**-90, 2.0**90, width=32))
def test_a_bin_is_within_two_percent_of_its_values(value):
    index = np.array([value], np.float32).view(np.uint32)[0] >> (32 - KEPT_BITS)
    assert bin_values()[index] == pytest.approx(value, rel=0.016)


@given(st.floats(2.0**-12, 4000.0, width=32), st.sampled_from([-1, 1]))
def test_a_coarse_bin_is_within_four_percent_of_its_values(size, sign):
    value = np.array([sign * size], np.float32)
    (place,) = np.flatnonzero(coarse(fine(value)))
    assert coarse_values()[place] == pytest.approx(value[0], rel=0.04)


def test_zeros_are_in_no_coarse_bin():
    assert not coarse(fine(np.array([0.0, -0.0], np.float32))).any()


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


def ordinary(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(0, 1, 4096) for _ in range(count)]


def test_geometric_gives_a_picture_that_outshouts_the_others_one_voice():
    pictures = [*ordinary(20), 100 * np.random.default_rng(1).normal(0, 1, 4096)]
    low, high = ESTIMATORS["geometric"](observed(*pictures), Ranges())
    assert 3 < high < 20
    assert -20 < low < -3


def test_geometric_ranges_of_equal_pictures_have_less_error_than_the_whole_range():
    pictures = ordinary(8)
    found = observed(*pictures)
    values = np.concatenate(pictures).astype(np.float32)

    def error(ends):
        grid = Grid.of_range(*ends)
        return float(np.square(values - grid.dequantize(grid.quantize(values))).mean())

    ends = ESTIMATORS["geometric"](found, Ranges())
    assert error(ends) <= 1.05 * error((values.min(), values.max()))


def test_geometric_moves_each_end_alone():
    loud = np.append(np.random.default_rng(1).normal(0, 1, 4096), 300.0)
    low, high = ESTIMATORS["geometric"](observed(*ordinary(20), loud), Ranges())
    assert high < 20
    assert low < -3


@given(st.lists(st.floats(-50, 50, width=16), min_size=2, max_size=300).map(np.asarray))
def test_an_even_histogram_has_all_values_but_zeros_near_their_place(values):
    counts = even_histogram(observed(values))
    low, high = float(values.min()), float(values.max())
    values = values[np.abs(values) >= np.finfo(np.float32).tiny]
    assert counts.sum() == pytest.approx(len(values))
    width = (high - low) / EVEN_BINS
    below = np.cumsum(counts)
    for share in (0.25, 0.5, 0.75):
        place = low + width * (int(share * EVEN_BINS) + 1)
        reach = 0.017 * abs(place) + 2 * width + 1e-6
        assert (values < place - reach).sum() - 1e-6 <= below[int(share * EVEN_BINS)]
        assert below[int(share * EVEN_BINS)] <= (values <= place + reach).sum() + 1e-6


@pytest.mark.parametrize("name", ["mse", "entropy"])
@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6"])
def test_ordinary_activations_keep_more_than_half_of_their_range(name, activation):
    values = np.random.default_rng(0).normal(0, 2, 50_000)
    bounds = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU6": (0, 6)}
    values = np.clip(values, *bounds[activation])
    assert ESTIMATORS[name](observed(values), Ranges(estimator=name))[1] > values.max() / 2
