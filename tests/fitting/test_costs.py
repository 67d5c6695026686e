"""The model of what networks cost: exact where the world is linear, monotone whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeeff.architectures.variants import find_variant, scaled
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.costs import cost_model, left_out
from tests.fitting.machine import true_cost
from tests.networks import SMALLEST

KNOWN = [
    Candidate(scaled(phi, base=find_variant(base)).name, side, precision)
    for base in SMALLEST
    for phi in (-3.0, -1.5, 0.5, 1.0)
    for side in (128, 200, 264)
    for precision in ("int8", "float32")
]


def test_it_finds_the_prices_of_a_machine_that_has_some():
    model = cost_model([(one, true_cost(one)) for one in KNOWN])
    unseen = Candidate("lite2", 240, "float32")
    assert model.cost(unseen) == pytest.approx(true_cost(unseen), rel=1e-3)


def test_each_precision_has_prices_of_its_own():
    model = cost_model([(one, true_cost(one)) for one in KNOWN])
    slow, fast = (model.cost(Candidate("b0", 224, name)) for name in ("float32", "int8"))
    assert slow == pytest.approx(2 * fast, rel=1e-3)


def test_nothing_is_predicted_for_a_precision_of_which_nothing_is_known():
    model = cost_model([(KNOWN[0], 1.0)])
    assert model.cost(Candidate("b0", 224, "float16")) is None


@given(data=st.data())
@settings(max_examples=40)
def test_no_measurement_makes_a_larger_network_cheaper(data):
    noise = st.floats(0.01, 100)
    known = [(one, true_cost(one) * data.draw(noise)) for one in KNOWN[::6]]
    model = cost_model(known)
    phis = sorted((data.draw(st.floats(-4, 3)), data.draw(st.floats(-4, 3))))
    sides = sorted((data.draw(st.integers(32, 600)), data.draw(st.integers(32, 600))))
    small, large = (
        Candidate(scaled(phi, base=find_variant("b0")).name, side, known[0][0].precision)
        for phi, side in zip(phis, sides, strict=True)
    )
    assert 0 <= model.cost(small) <= model.cost(large) * (1 + 1e-9)


def test_its_errors_are_shares_of_what_was_measured():
    model = cost_model([(one, true_cost(one)) for one in KNOWN])
    judges = [Candidate("lite1", 240, "int8"), Candidate("b1", 240, "int8")]
    found = model.errors([(judges[0], 2 * true_cost(judges[0])), (judges[1], true_cost(judges[1]))])
    assert found.networks == 2
    assert found.worst == pytest.approx(0.5, abs=1e-3)
    assert found.median == pytest.approx(0.25, abs=1e-3)


def test_a_model_that_leaves_one_out_has_not_seen_it():
    known = [(one, true_cost(one)) for one in KNOWN[::2]]
    wrong = [*known[:5], (known[5][0], 3 * known[5][1]), *known[6:]]
    assert left_out(known).worst < 0.01
    # Nothing but what was made up lies two thirds below its own cost.
    assert left_out(wrong).worst == pytest.approx(2 / 3, abs=0.1)


def test_without_networks_there_is_no_error():
    assert cost_model([]).errors([]) is None
    assert left_out([]) is None
