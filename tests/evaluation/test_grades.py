"""Good and bad beside the figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.grades import (
    AGREEMENT,
    BAD,
    FAIR,
    GOOD,
    KL,
    SQNR_DB,
    Bounds,
    agreement_grade,
    few_own,
)

ORDER = [BAD, FAIR, GOOD]


@pytest.mark.parametrize("bounds", [AGREEMENT, SQNR_DB, KL])
def test_the_bounds_themselves_are_good_and_fair(bounds: Bounds) -> None:
    assert bounds.grade(bounds.good) == GOOD
    assert bounds.grade(bounds.bad) == FAIR


@given(st.floats(-10, 60), st.floats(-10, 60))
def test_more_decibels_are_never_worse(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert ORDER.index(SQNR_DB.grade(low)) <= ORDER.index(SQNR_DB.grade(high))


@given(st.floats(0, 5), st.floats(0, 5))
def test_more_divergence_is_never_better(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert ORDER.index(KL.grade(low)) >= ORDER.index(KL.grade(high))


def test_all_of_few_pictures_prove_little() -> None:
    assert agreement_grade(wilson(20, 20)) == (GOOD, False)


def test_nearly_all_of_many_pictures_are_proof() -> None:
    assert agreement_grade(wilson(990, 1000)) == (GOOD, True)


def test_a_share_is_bad_only_if_its_whole_interval_is() -> None:
    assert agreement_grade(wilson(4, 5))[0] == FAIR
    assert agreement_grade(wilson(800, 1000))[0] == BAD


@pytest.mark.parametrize(
    ("summed", "median", "owned"),
    [(20.5, 24.5, True), (20.5, 24.25, False), (21.0, 44.9, False), (3.3, 23.5, True)],
)
def test_few_pictures_own_a_sum_that_is_not_good_and_far_below_the_median(
    summed: float, median: float, owned: bool
) -> None:
    assert few_own(summed, median) is owned
