"""Top-1, top-5 and Wilson's interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.evaluation.accuracy import accuracy, ranks, wilson


@pytest.mark.parametrize(
    ("hits", "images", "low", "high"),
    [
        # Newcombe 1998, table I, method 3 (Wilson's score without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_the_published_ones(hits, images, low, high):
    share = wilson(hits, images)
    assert share.value == hits / images
    assert share.low == pytest.approx(low, abs=5e-5)
    assert share.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 60_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_between_0_and_1(counts):
    share = wilson(*counts)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.low < share.high


@given(st.integers(1, 500))
def test_the_intervals_of_none_and_of_all_mirror_each_other(images):
    none, all_ = wilson(0, images), wilson(images, images)
    assert none.low == 0
    assert all_.high == 1
    assert none.high == pytest.approx(1 - all_.low)


def test_a_rank_counts_the_classes_that_score_higher():
    outputs = np.array([[0.1, 0.7, 0.2], [0.1, 0.7, 0.2], [0.1, 0.7, 0.2]])
    assert ranks(outputs, np.array([1, 2, 0])).tolist() == [0, 1, 2]


def test_of_equal_outputs_the_lower_index_comes_first_as_in_argmax():
    outputs = np.array([[5, 5, 0, 0]] * 4, np.uint8)
    assert ranks(outputs, np.array([0, 1, 2, 3])).tolist() == [0, 1, 2, 3]
    assert outputs.argmax(axis=1).tolist() == [0] * 4


@given(st.integers(2, 12), st.integers(0, 1 << 30))
def test_ranks_of_all_classes_are_a_permutation(classes, seed):
    row = np.random.default_rng(seed).integers(0, 4, (1, classes))
    found = ranks(np.repeat(row, classes, axis=0), np.arange(classes))
    assert sorted(found.tolist()) == list(range(classes))


def test_top1_and_top5_are_the_shares_of_ranks_below_1_and_5():
    found = accuracy(np.array([0, 0, 3, 4, 5, 900]), classes=1000)
    assert found.images == 6
    assert found.top1.value == pytest.approx(2 / 6)
    assert found.top5 is not None
    assert found.top5.value == pytest.approx(4 / 6)


def test_top5_of_five_classes_means_nothing():
    assert accuracy(np.array([0, 1]), classes=5).top5 is None


@pytest.mark.parametrize(
    ("labels", "said"),
    [([3], r"labels outside 0\.\.2"), ([-1], r"labels outside 0\.\.2"), ([0, 1], "2 labels for")],
)
def test_labels_that_do_not_fit_are_an_error(labels, said):
    with pytest.raises(InputError, match=said):
        ranks(np.zeros((1, 3)), np.array(labels))


def test_no_images_is_an_error():
    with pytest.raises(InputError, match="no images to judge"):
        wilson(0, 0)
