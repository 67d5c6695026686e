"""Which files of a network are marked for quality, size, or both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import edgeeff
from edgeeff.reporting.figures import Measure, Source, Trial
from edgeeff.reporting.marks import (
    BALANCED,
    COMPACT,
    QUALITY,
    Candidate,
    mark,
    marked_trials,
    marks,
)
from edgeeff.reporting.reading import fidelity
from edgeeff.reporting.subjects import Subject
from edgeeff.tflite.manifest import describe
from tests.reporting.folders import NETWORK
from tests.tflite import tiny

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
    marked = {name: one.marks for name, one in subjects.items() if one.marks}
    assert marked == {"tiny-float16.tflite": (COMPACT,)}


def test_without_a_measured_accuracy_only_the_smallest_is_marked() -> None:
    found = [Candidate("float16", 10, 50.0), Candidate("int8", 5, 46.0)]
    assert marks(found, judged=False) == {"int8": (COMPACT,)}


def from_one_file(
    name: str, size: int, source: str, shape: tuple[int, ...], classes: int
) -> Subject:
    """A file that ``quantize`` made, of which no accuracy is known."""
    subject = Subject(name, name, size=size)
    subject.manifest = replace(
        describe(name, tiny.INT8.read_bytes(), "int8", replace(NETWORK, weights=None)),
        sha256=name,
        classes=classes,
        input={"shape": list(shape)},
        float_bytes=9,
        command=f"edgeeff quantize {source} --mean 0" if source else None,
    )
    compared = {"images": 5, "agreement": 1.0, "sqnr_db": 30.0, "median_image_sqnr_db": 30.0}
    fields = {**compared, "kl": 0.1, "pictures": "synthetic"}
    subject.qualities = [fidelity(fields, name, name, Source("", ""))]
    return subject


@pytest.mark.parametrize(
    ("source", "shape", "classes"),
    [
        ("b.tflite", (1, 32, 32, 3), 4),
        ("a.tflite", (1, 32, 48, 1), 4),
        ("a.tflite", (1, 32, 32, 3), 5),
        ("", (1, 32, 32, 3), 4),
    ],
)
def test_files_from_elsewhere_are_rivals_only_if_they_come_from_one_file(
    source: str, shape: tuple[int, ...], classes: int
) -> None:
    first = from_one_file("first", 20, "a.tflite", (1, 32, 32, 3), 4)
    rival = from_one_file("rival", 10, "a.tflite", (1, 32, 32, 3), 4)
    mark([first, rival])
    assert (first.marks, rival.marks) == ((), (COMPACT,))
    other = from_one_file("other", 10, source, shape, classes)
    mark([first, other])
    assert (first.marks, other.marks) == ((), ())


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
    best = [one.recipe for one, chosen in found if QUALITY in chosen]
    assert best == ([] if drop is None else ["a"])
