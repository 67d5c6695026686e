"""Measured networks that kept their answers are called good, ruined ones are not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.evaluation.fidelity import Fidelity
from edgeeff.evaluation.paired import Drop
from edgeeff.evaluation.verdict import LEAST_SQNR_DB, Compared, faults


def measured(images: int, agreement: float | None, summed: float, median: float) -> Fidelity:
    return Fidelity(images, agreement, summed, median, None if agreement is None else 0.01)


GOOD = {
    "Lite0 by the stock converter": measured(100, 0.941, 15.3, 16.0),
    "Lite0 int8, no data": measured(500, 0.977, 24.9, 25.4),
    "B0 of Fashion-MNIST, of which a few pictures own the sum": measured(10_000, 0.972, 3.3, 21.2),
    "equal": measured(20, 1.0, math.inf, math.inf),
    "one output": measured(20, None, 25.0, 25.0),
    "few pictures, of which two differ": measured(20, 0.9, 16.0, 16.0),
}
RUINED = {
    "Lite0 with one scale for all channels": measured(100, 0.77, 3.5, 4.0),
    "B0 of ImageNet lineage, int8-swish": measured(190, 0.60, 4.1, 10.5),
    "the same with int8-mixed": measured(190, 0.79, 8.9, 17.6),
    "the same with int16x8": measured(190, 0.44, 3.9, 6.7),
    "one output": measured(20, None, 3.0, 3.0),
    "nothing left": measured(20, 1.0, -math.inf, -math.inf),
}


@pytest.mark.parametrize("fidelity", GOOD.values(), ids=GOOD)
def test_what_kept_its_answers_has_no_fault(fidelity: Fidelity):
    assert not faults(Compared(fidelity, "pictures"))


@pytest.mark.parametrize("fidelity", RUINED.values(), ids=RUINED)
def test_what_lost_its_answers_has_a_fault_that_names_figure_and_pictures(fidelity: Fidelity):
    for fault in faults(Compared(fidelity, "pictures of the user")):
        assert f"on {fidelity.images} pictures of the user" in fault
    assert faults(Compared(fidelity, "pictures"))


@pytest.mark.parametrize(
    ("kl", "synthetic", "bad"), [(0.06, False, True), (0.04, False, False), (0.06, True, False)]
)
def test_probabilities_that_are_not_those_of_float_are_a_fault(kl, synthetic, bad):
    found = faults(Compared(replace(measured(20, 0.95, 25, 25), kl=kl), "pictures", synthetic))
    assert found == (("KL divergence 0.06 nats, above 0.05, on 20 pictures",) if bad else ())


@given(st.floats(0, 1), st.integers(1, 1000))
def test_top1_of_made_up_pictures_is_no_fault(agreement: float, images: int):
    compared = Compared(measured(images, agreement, 30.0, 30.0), "pictures", synthetic=True)
    assert not faults(compared)


def test_the_error_of_made_up_pictures_is():
    few = measured(20, 1.0, 30.0, LEAST_SQNR_DB - 0.1)
    assert faults(Compared(few, "pictures", synthetic=True))


@pytest.mark.parametrize(("lost", "bad"), [(0, False), (60, False), (100, True)])
def test_a_drop_that_is_certainly_large_is_a_fault(lost: int, bad: bool):
    near = measured(1000, 1 - lost / 1000, 20.0, 20.0)
    assert bool(faults(Compared(near, "pictures", drop=Drop(1000, lost, 0)))) == bad
