from dataclasses import replace

import pytest

from edgeeff.training.doubts import doubts
from edgeeff.training.runs import Run, read_run
from tests.reporting.folders import add_run


@pytest.fixture
def run(tmp_path) -> Run:
    """A run of two classes."""
    add_run(tmp_path, "run")
    return read_run(tmp_path / "run")


def judged(run: Run, right: int, pictures: int) -> Run:
    """The run if its best weights name so many of the pictures to choose by right."""
    epochs = tuple(replace(one, val_top1=right / pictures) for one in run.epochs)
    return replace(run, epochs=epochs, pictures={**run.pictures, "val": pictures})


def test_accuracy_of_guessing_is_remarked(run):
    (said,) = doubts(judged(run, 104, 200))
    assert "52.0% of val is what guessing among 2 classes gives" in said


def test_accuracy_below_that_of_guessing_is_worse(run):
    (said,) = doubts(judged(run, 20, 200))
    assert "10.0% of val is worse than guessing among 2 classes:" in said


@pytest.mark.parametrize(("right", "pictures"), [(160, 200), (2, 4)])
def test_better_accuracy_and_pictures_too_few_to_tell_are_not(run, right, pictures):
    assert doubts(judged(run, right, pictures)) == ()


def test_a_run_without_an_epoch_has_no_accuracy_to_doubt(run):
    assert doubts(replace(run, epochs=())) == ()
