"""Figures that say that something else is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeeff.evaluation.accuracy import accuracy
from edgeeff.evaluation.doubts import another_network, near_chance, of_several_classes
from edgeeff.evaluation.fidelity import fidelity


@pytest.mark.parametrize(
    ("right", "images", "classes", "doubtful"),
    [
        (12, 120, 10, True),
        (0, 100, 10, True),
        (60, 120, 2, True),
        (30, 120, 2, True),
        (1, 500, 1000, True),
        (60, 120, 10, False),
        (90, 120, 2, False),
        (0, 3, 10, False),
        (1, 2, 2, False),
        (40, 500, 1000, False),
    ],
)
def test_an_accuracy_that_guessing_has_is_doubtful(right, images, classes, doubtful):
    """Unless the pictures are too few to tell."""
    ranks = np.array([0] * right + [1] * (images - right), np.int64)
    said = near_chance("of the model", accuracy(ranks, classes))
    assert (said is not None) == doubtful
    if said is not None:
        assert f"guessing among {classes:,} classes" in said


@pytest.mark.parametrize(("right", "worse"), [(0, True), (4, False)])
def test_fewer_right_than_guessing_names_are_worse_than_guessing(right, worse):
    """0 of 18 has an interval to 17.6%, in which the 25% of guessing are not."""
    ranks = np.array([0] * right + [1] * (18 - right), np.int64)
    said = near_chance("of the model", accuracy(ranks, 4))
    assert said is not None
    assert ("is worse than guessing among 4 classes:" in said) == worse
    assert ("is what guessing among 4 classes gives:" in said) != worse


def test_without_labels_nothing_is_doubtful():
    assert near_chance("of the model", None) is None
    assert of_several_classes(False, None) is None


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_accuracy_of_classes_that_do_not_exclude_each_other_is_doubtful(exclusive):
    found = accuracy(np.zeros(10, np.int64), 4)
    assert (of_several_classes(exclusive, found) is None) == exclusive


@pytest.mark.parametrize(("noise", "doubtful"), [(0.3, False), (0.9, False), (3.0, True)])
def test_errors_larger_than_the_answers_are_of_another_network(noise, doubtful):
    random = np.random.default_rng(0)
    truth = random.normal(0, 1, (40, 10)).astype(np.float32)
    found = fidelity(truth, truth + random.normal(0, noise, truth.shape).astype(np.float32))
    said = another_network(Path("float.tflite"), found)
    assert (said is not None) == doubtful
    if said is not None:
        assert "float.tflite" in said


def test_without_a_reference_nothing_is_doubtful():
    assert another_network(None, None) is None
