"""Which files of a network are marked for quality, size, or both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import edgeeff
from edgeeff.reporting.figures import Measure, Trial
from edgeeff.reporting.marks import BALANCED, COMPACT, QUALITY, Candidate, marked_trials, marks

candidates = some.lists(
    some.tuples(some.integers(1, 10**9), some.floats(-100, 100)), min_size=2, max_size=8
).map(lambda pairs: [Candidate(str(n), *pair) for n, pair in enumerate(pairs)])


@given(candidates)
def test_each_mark_is_given_once_and_to_what_it_says(found) -> None:
    chosen = marks(found)
    by_mark = {mark: name for name, given_to in chosen.items() for mark in given_to}
    assert sorted(mark for given_to in chosen.values() for mark in given_to) == sorted(
        (QUALITY, BALANCED, COMPACT)
    )
    by_name = {one.name: one for one in found}
    assert by_name[by_mark[QUALITY]].quality == max(one.quality for one in found)
    assert by_name[by_mark[COMPACT]].bytes == min(one.bytes for one in found)


@given(candidates)
def test_nothing_is_smaller_and_better_than_a_marked_one(found) -> None:
    by_name = {one.name: one for one in found}
    for name in marks(found):
        one = by_name[name]
        assert not any(o.bytes < one.bytes and o.quality > one.quality for o in found)


@given(candidates, some.randoms())
def test_the_order_does_not_matter(found, random) -> None:
    distinct = list({(one.bytes, one.quality): one for one in found}.values())
    shuffled = random.sample(distinct, len(distinct))
    assert marks(shuffled) == marks(distinct)


def test_the_knee_is_balanced() -> None:
    found = [
        Candidate("float16", 10_000_000, 50.0),
        Candidate("int8", 5_000_000, 46.0),
        Candidate("tiny", 4_800_000, 12.0),
    ]
    assert marks(found) == {"float16": (QUALITY,), "int8": (BALANCED,), "tiny": (COMPACT,)}


def test_one_file_alone_is_not_marked() -> None:
    assert marks([Candidate("int8", 1, 1.0)]) == {}


def test_models_of_another_network_are_no_rivals(full_folder: Path) -> None:
    subjects = {one.name: one for one in edgeeff.report(full_folder).gathered.subjects}
    assert QUALITY in subjects["tiny-float16.tflite"].marks
    assert subjects["tiny-float32.tflite"].marks == ()


def trial(recipe: str, size: int, drop: float | None, *failed: str) -> Trial:
    lost = None if drop is None else Measure(drop, drop - 0.01, drop + 0.01)
    return Trial(recipe, size, 0.9, 20.0 + size, lost, failed)


def test_a_recipe_outside_the_limits_is_not_marked() -> None:
    found = marked_trials(
        [trial("a", 10, 0.01), trial("b", 9, 0.02), trial("c", 1, 0.5, "top-1 drop over 2 points")]
    )
    assert [chosen for _, chosen in found] == [(QUALITY, BALANCED), (COMPACT,), ()]


@pytest.mark.parametrize("drop", [None, 0.01])
def test_trials_are_judged_by_the_drop_if_all_have_one(drop: float | None) -> None:
    found = marked_trials([trial("a", 1, 0.0), trial("b", 2, drop)])
    best = next(one.recipe for one, chosen in found if QUALITY in chosen)
    assert best == ("b" if drop is None else "a")
