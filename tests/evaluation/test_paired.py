"""The drop in accuracy on the same pictures, and what a number of pictures can prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.paired import Drop, drop, fewest_images, score_upper

COUNTS = st.integers(1, 5000).flatmap(
    lambda images: st.integers(0, images).flatmap(
        lambda lost: st.tuples(st.just(images), st.just(lost), st.integers(0, images - lost))
    )
)


def test_a_published_interval():
    """Tango's interval of the pairs of Bentur 2009, as Fagerland, Lydersen and Laake give it."""
    assert Drop(images=21, lost=1, gained=7).interval == pytest.approx((-0.517, -0.026), abs=5e-4)


@given(COUNTS)
def test_the_interval_holds_the_drop(counts):
    found = Drop(*counts)
    low, high = found.interval
    assert -1 <= low <= found.value + 1e-8
    assert found.value - 1e-8 <= high <= 1
    assert low < high


@given(COUNTS)
def test_the_interval_mirrors(counts):
    images, lost, gained = counts
    low, high = Drop(images, lost, gained).interval
    assert Drop(images, gained, lost).interval == pytest.approx((-high, -low))


@given(st.integers(1, 100_000))
def test_without_any_difference_it_is_that_of_a_share_of_none(images):
    low, high = Drop(images, 0, 0).interval
    assert high == pytest.approx(wilson(0, images).high, abs=1e-8)
    assert low == pytest.approx(-high)


def test_a_hundred_equal_pictures_leave_almost_four_points():
    assert Drop(100, 0, 0).interval[1] == pytest.approx(0.037, abs=5e-4)


def test_pictures_on_which_both_agree_narrow_the_interval():
    """Both are right or wrong together on most pictures, however hard these are."""
    wide = Drop(200, 6, 4).interval
    narrow = Drop(2000, 6, 4).interval
    assert wide[1] - wide[0] > 8 * (narrow[1] - narrow[0])


@pytest.mark.slow
@pytest.mark.parametrize("rates", [(0.01, 0.01), (0.03, 0.01), (0.002, 0.0), (0.1, 0.1)])
@pytest.mark.parametrize("images", [100, 1000])
def test_the_interval_holds_the_truth_nineteen_times_of_twenty(rates, images):
    random = np.random.default_rng(0)
    lost, gained = rates
    counts = random.multinomial(images, [lost, gained, 1 - lost - gained], 2000)
    distinct, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    truth = lost - gained
    held = [
        low <= truth <= high
        for low, high in (Drop(images, *map(int, c)).interval for c in distinct)
    ]
    assert np.average(held, weights=times) > 0.935


@given(COUNTS, st.floats(0.001, 0.2))
def test_as_many_pictures_as_asked_for_prove_it_and_fewer_do_not(counts, limit):
    found = Drop(*counts)
    wanted = found.images_to_prove(limit)
    if wanted is None:
        assert found.value > limit - 1e-3
        return
    share = wanted / found.images
    assert score_upper(found.lost * share, found.gained * share, wanted) <= limit
    if wanted > 1:
        share = (wanted - 1) / found.images
        assert score_upper(found.lost * share, found.gained * share, wanted - 1) > limit


@given(st.floats(0.0005, 0.5))
def test_the_fewest_pictures_are_those_of_a_model_without_any_difference(limit):
    assert Drop(10, 0, 0).images_to_prove(limit) == pytest.approx(fewest_images(limit), abs=1)


def test_half_a_point_takes_hundreds_of_pictures():
    assert fewest_images(0.005) == 765


def test_counts_the_pictures_that_only_one_gets_right():
    reference = np.array([0, 0, 0, 3, 1, 0], np.int64)
    found = np.array([0, 2, 1, 0, 1, 0], np.int64)
    assert drop(reference, found) == Drop(images=6, lost=2, gained=1)


@pytest.mark.parametrize(
    ("before", "after", "said"), [(2, 3, "2 pictures against 3"), (0, 0, "0 pictures against 0")]
)
def test_both_are_judged_on_the_same_pictures(before, after, said):
    with pytest.raises(InputError, match=said):
        drop(np.zeros(before, np.int64), np.zeros(after, np.int64))
