import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.training.schedule import FINAL, cosine, plan
from edgeeff.training.settings import TrainingSettings


@given(steps=st.integers(1, 5000), highest=st.floats(1e-5, 1), warmup=st.floats(0, 0.5))
def test_the_rate_rises_falls_and_never_passes_the_highest(steps, highest, warmup):
    rates = cosine(steps, highest, warmup)
    assert rates.shape == (steps,)
    top = int(steps * warmup)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) <= 0).all()
    assert rates.max() == pytest.approx(highest, rel=1e-6)
    assert rates.min() > 0


def test_the_rate_ends_near_its_last_share():
    assert cosine(1000, 1.0, 0.1)[-1] == pytest.approx(FINAL, abs=1e-4)


def planned(pictures, *, trained=True, parts=1, **settings):
    return plan(
        TrainingSettings(dataset="digits", **settings), pictures, trained=trained, parts=parts
    )


def test_trained_weights_have_their_classifier_trained_first():
    made = planned(1000, epochs=5)
    assert [(one.name, one.first, one.epochs) for one in made.phases] == [
        ("head", 0, 1),
        ("all", 1, 4),
    ]


def test_untrained_weights_have_nothing_to_keep():
    assert [one.name for one in planned(1000, epochs=5, trained=False).phases] == ["all"]


@given(
    pictures=st.integers(1, 100_000),
    epochs=st.integers(1, 20),
    head=st.integers(0, 20),
    batch=st.integers(1, 512),
)
def test_every_epoch_has_a_phase_with_a_rate_for_each_of_its_steps(pictures, epochs, head, batch):
    made = planned(pictures, epochs=epochs, head_epochs=head, batch=batch)
    assert sum(one.epochs for one in made.phases) == epochs
    for number in range(epochs):
        phase = made.phase(number)
        assert len(phase.rates) == phase.epochs * made.steps
        assert phase.first <= number < phase.first + phase.epochs
    assert 1 <= made.batch <= min(batch, pictures)
    assert made.batch * made.steps <= pictures


def test_few_pictures_are_taken_in_smaller_steps():
    assert planned(16).batch == 2


@given(pictures=st.integers(100, 10_000), parts=st.integers(1, 8), batch=st.integers(8, 300))
def test_a_batch_is_shared_evenly_by_all_devices(pictures, parts, batch):
    assert planned(pictures, parts=parts, batch=batch).batch % parts == 0
