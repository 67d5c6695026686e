"""Where values lie on an axis, and which numbers are written beside it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgeeff.drawing.axes import Axis, scale

LINEAR, LOG, SHARE = Axis("value"), Axis("size", log=True), Axis("share", bounds=(0, 1))

any_number = some.floats(allow_nan=True, allow_infinity=True)


@given(some.lists(any_number, max_size=30), some.sampled_from([LINEAR, LOG, SHARE]))
def test_every_value_that_is_shown_lies_between_the_ends(values, axis) -> None:
    found = scale(axis, values, 10, 400)
    assert found.low < found.high
    for value in filter(axis.shows, values):
        assert 10 <= found.at(value) <= 400


@given(some.lists(some.floats(1e-6, 1e9), min_size=2, max_size=9), some.sampled_from([LINEAR, LOG]))
def test_order_is_kept_whichever_way_the_axis_runs(values, axis) -> None:
    up, down = scale(axis, values, 0, 100), scale(axis, values, 100, 0)
    places = [up.at(value) for value in sorted(values)]
    assert places == sorted(places)
    for value in values:
        assert up.at(value) + down.at(value) == pytest.approx(100)


@given(some.lists(some.floats(1e-6, 1e9), min_size=1, max_size=9), some.sampled_from([LINEAR, LOG]))
def test_marks_are_few_and_between_the_ends(values, axis) -> None:
    found = scale(axis, values, 0, 100)
    marks = found.marks()
    assert 1 <= len(marks) <= 20
    assert marks == sorted(set(marks))
    assert all(found.low <= mark * (1 + 1e-6) and mark <= found.high * (1 + 1e-6) for mark in marks)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_number_is_not_shown(value) -> None:
    assert not LINEAR.shows(value)


def test_a_log_axis_shows_nothing_at_or_below_zero() -> None:
    assert [value for value in (-1.0, 0.0, 1.0) if LOG.shows(value)] == [1.0]


def test_a_share_has_no_room_above_one() -> None:
    assert scale(SHARE, [0.5, 1.0], 0, 100).high == 1.0
