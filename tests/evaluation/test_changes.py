"""The pictures whose answer changed: found, the surest first, and proven by their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgeeff.evaluation.changes import MOST_LISTED, Answer, Change, changes, surest
from edgeeff.evaluation.evaluate import evaluate
from edgeeff.pictures.images import Picture, read_images
from edgeeff.pictures.preprocessing import of_family
from tests.tflite import tiny

LITE = of_family("lite", 32)


@given(some.lists(some.tuples(some.integers(0, 4), some.integers(0, 4)), min_size=1, max_size=20))
def test_those_with_another_class_and_no_others(pairs) -> None:
    pictures = [Picture(Path(f"{n}.png"), label=n) for n in range(len(pairs))]
    before, after = (np.eye(5)[[pair[side] for pair in pairs]] for side in (0, 1))
    found = list(changes(pictures, before, after))
    expected = [(n, a, b) for n, (a, b) in enumerate(pairs) if a != b]
    assert [(c.label, c.reference.number, c.model.number) for c in found] == expected


def test_listed_are_those_of_which_the_reference_was_surest(tmp_path: Path) -> None:
    found = []
    for number in range(MOST_LISTED + 20):
        path = tmp_path / f"{number}.png"
        path.write_bytes(str(number).encode())
        found.append(Change(path, None, Answer(0, number / 200), Answer(1, 0.5)))
    listed = surest(found)
    assert len(listed) == MOST_LISTED
    assert [change.reference.probability for change in listed] == sorted(
        (change.reference.probability for change in found), reverse=True
    )[:MOST_LISTED]
    assert all(c.sha256 == hashlib.sha256(c.path.read_bytes()).hexdigest() for c in listed)


@pytest.fixture(scope="module")
def windows(tmp_path_factory, photographs) -> Path:
    made = tmp_path_factory.mktemp("windows")
    for name, picture in photographs.items():
        for left in range(0, 200, 25):
            picture.crop((left, 10, left + 90, 100)).save(made / f"{name}-{left}.png")
    return made


def test_an_evaluation_counts_what_agreement_leaves(windows: Path) -> None:
    found = evaluate(tiny.INT8, read_images(windows), reference=tiny.FLOAT32, preprocessing=LITE)
    assert found.fidelity is not None
    assert found.fidelity.agreement is not None
    assert found.changed == round((1 - found.fidelity.agreement) * found.images)
    assert found.changed > 0
    assert len(found.changes) == min(found.changed, MOST_LISTED)


def test_nothing_is_counted_without_a_reference(windows: Path) -> None:
    found = evaluate(tiny.INT8, read_images(windows).take(3), preprocessing=LITE, top=1)
    assert found.changed is None
    assert found.to_json()["changed"] is None
