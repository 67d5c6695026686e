import pytest

from edgeeff.training.batchnorm import FEW_PICTURES, FEW_STEPS, frozen, note
from edgeeff.training.schedule import plan
from edgeeff.training.settings import TrainingSettings

FLOWERS = {"pictures": 2934, "epochs": 7}
"""Of docs/training.md: what was measured there must stay."""

DIGITS = {"pictures": 1149, "epochs": 3}
"""A run in which statistics that follow cost all that the classifier had learned."""


def planned(*, pictures, trained=True, **settings):
    return plan(TrainingSettings(dataset="digits", **settings), pictures, trained=trained)


def of_steps(steps):
    """All layers learn in so many steps, each of more than a few pictures."""
    return planned(pictures=32 * steps, epochs=1, head_epochs=0)


def test_few_steps_leave_batchnorm_as_trained_weights_have_it():
    few = planned(**DIGITS)
    assert few.common_steps == 2 * 35
    assert frozen("auto", few, trained=True)
    assert "all layers learn in 70 steps: in so few" in note("auto", few, trained=True)


def test_batchnorm_follows_in_runs_of_enough_steps():
    enough = planned(**FLOWERS)
    assert enough.common_steps == 6 * 91
    assert not frozen("auto", enough, trained=True)
    assert note("auto", enough, trained=True) is None


def test_the_epochs_of_the_classifier_alone_do_not_count():
    enough = planned(pictures=32 * FEW_STEPS, epochs=2, head_epochs=1)
    few = planned(pictures=32 * (FEW_STEPS - 1), epochs=3, head_epochs=2)
    assert not frozen("auto", enough, trained=True)
    assert frozen("auto", few, trained=True)


@pytest.mark.parametrize(
    ("steps", "keeps"), [(8, True), (FEW_STEPS - 1, True), (FEW_STEPS, False), (10_000, False)]
)
def test_the_number_of_steps_decides(steps, keeps):
    one = of_steps(steps)
    assert one.common_steps == steps
    assert frozen("auto", one, trained=True) is keeps
    assert (note("auto", one, trained=True) is not None) is keeps


def test_small_steps_leave_batchnorm_as_it_was_however_many_they_are():
    small = planned(pictures=100_000, epochs=9, batch=FEW_PICTURES - 1)
    assert frozen("auto", small, trained=True)
    assert "steps of so few pictures" in note("auto", small, trained=True)


def test_untrained_weights_have_nothing_to_keep():
    few = planned(trained=False, **DIGITS)
    assert not frozen("auto", few, trained=False)
    assert note("auto", few, trained=False) is None


def test_a_run_of_the_classifier_alone_has_nothing_to_be_told():
    alone = planned(pictures=1149, epochs=2, head_epochs=2)
    assert alone.common_steps == 0
    assert note("auto", alone, trained=True) is None


@pytest.mark.parametrize("trained", [False, True])
def test_what_the_user_says_counts(trained):
    few = planned(trained=trained, **DIGITS)
    assert frozen("frozen", few, trained=trained)
    assert not frozen("train", few, trained=trained)
    assert note("frozen", few, trained=trained) is note("train", few, trained=trained) is None
