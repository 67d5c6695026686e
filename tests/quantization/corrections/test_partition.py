import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeeff.quantization.corrections.partition import cost, partition

CHANNELS = st.integers(2, 40)
COUNTS = st.integers(1, 5)


def ends(draw: st.DrawFn, tensors: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends below and above zero, and weights, of some channels of two tensors."""
    shape = (tensors, draw(CHANNELS))
    size = st.floats(0.01, 1000.0)
    low, high, weight = (draw(arrays.arrays(np.float64, shape, elements=size)) for _ in range(3))
    return -low, high, weight


WIDTHS = st.composite(ends)()


@given(WIDTHS, COUNTS, st.sampled_from([1, 4, 8]))
def test_every_channel_is_in_one_of_the_groups(widths, count, unit):
    labels = partition(*widths, count, unit)
    assert labels.shape == (widths[0].shape[1],)
    assert labels.min() >= 0
    assert labels.max() < count


@given(WIDTHS, COUNTS)
def test_sizes_are_multiples_of_the_unit_but_for_one_group(widths, count):
    sizes = np.bincount(partition(*widths, count, 4), minlength=count)
    assert (sizes % 4 != 0).sum() <= 1


@given(WIDTHS)
def test_groups_never_cost_more_than_one_grid_for_all(widths):
    whole = cost(*widths, np.zeros(widths[0].shape[1], np.int64))
    assert cost(*widths, partition(*widths, 3, 1)) <= whole * (1 + 1e-9)


@given(WIDTHS)
def test_more_groups_never_cost_more(widths):
    costs = [cost(*widths, partition(*widths, count, 1)) for count in (1, 2, 4)]
    assert costs[0] * (1 + 1e-9) >= costs[1]
    assert costs[1] * (1 + 0.05) >= costs[2]


@given(WIDTHS)
def test_two_groups_cost_no_more_than_the_best_cut_between_narrow_and_wide_channels(widths):
    low, high, weight = (end[:1] for end in widths)
    order, channels = np.argsort((high - low)[0], kind="stable"), low.shape[1]
    cuts = [np.isin(np.arange(channels), order[:narrow]) for narrow in range(1, channels + 1)]
    best = min(cost(low, high, weight, cut.astype(np.int64)) for cut in cuts)
    assert cost(low, high, weight, partition(low, high, weight, 2, 1)) <= best * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_wide_channels_are_kept_from_narrow_ones(seed):
    random = np.random.default_rng(seed)
    wide = random.permutation(np.repeat([True, False], [8, 24]))
    high = np.where(wide, 100.0, 1.0)[None]
    labels = partition(-high, high, np.ones_like(high), 2, 8)
    assert len(set(labels[wide])) == len(set(labels[~wide])) == 1
    assert labels[wide][0] != labels[~wide][0]


def test_a_channel_that_costs_nothing_may_keep_company_with_wide_ones():
    high = np.array([[1.0, 1.0, 100.0, 100.0]])
    weight = np.array([[1.0, 0.0, 1.0, 1.0]])
    labels = partition(-high, high, weight, 2, 1)
    assert cost(-high, high, weight, labels) == pytest.approx(4 * 1 + 2 * 200**2)


def test_the_cost_is_the_squared_width_of_each_grid_times_the_weights():
    high, weight = np.array([[1.0, 3.0]]), np.array([[2.0, 5.0]])
    assert cost(0 * high, high, weight, np.array([0, 0])) == 3**2 * 7
    assert cost(0 * high, high, weight, np.array([0, 1])) == 1 * 2 + 3**2 * 5
