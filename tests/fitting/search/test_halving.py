"""Successive halving: which candidates go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.architectures.variants import VARIANTS, scaling_grid
from edgeeff.errors import InputError
from edgeeff.fitting.search.halving import halved, rungs
from edgeeff.fitting.search.sharing import Outcome
from edgeeff.fitting.search.space import candidates
from edgeeff.fitting.search.storage import open_storage


@given(st.integers(1, 200), st.integers(1, 500), st.integers(2, 10))
def test_rungs_get_smaller_and_longer_and_stay_below_the_winners_epochs(count, epochs, reduction):
    plan = rungs(count, epochs, reduction)
    assert plan[0].candidates == count
    assert [one.candidates for one in plan] == sorted(
        {one.candidates for one in plan}, reverse=True
    )
    lengths = [one.epochs for one in plan]
    assert lengths == sorted(set(lengths))
    assert lengths[0] >= 1
    assert lengths[-1] <= max(1, epochs)


def test_the_usual_plan_of_seventeen_candidates():
    assert [(one.candidates, one.epochs) for one in rungs(17, 27)] == [(17, 1), (6, 3), (2, 9)]


def test_a_rung_that_would_train_no_longer_than_the_one_before_is_left_out():
    assert [(one.candidates, one.epochs) for one in rungs(17, 3)] == [(17, 1)]


@pytest.fixture
def pool():
    return candidates(VARIANTS["b0"], scaling_grid(), most=9)


def test_the_best_of_each_rung_goes_on_and_one_is_left(pool):
    trained = []

    def train(one, epochs, claim):
        trained.append((one.factors, epochs))
        return Outcome(one.factors[1])  # the wider, the better

    chosen, rounds = halved(open_storage(None), "one", pool, rungs(9, 9), train)
    assert chosen.factors[1] == max(one.factors[1] for one in pool)
    assert [len(one.outcomes) for one in rounds] == [9, 3]
    assert [epochs for _, epochs in trained] == [1] * 9 + [3] * 3
    widest = sorted((one.factors for one in pool), key=lambda factors: -factors[1])[:3]
    assert {factors for factors, epochs in trained if epochs == 3} == set(widest)


def test_one_that_cannot_be_trained_is_left_behind(pool):
    def train(one, epochs, claim):
        if one is pool[0]:
            raise InputError("the loss is no number")
        return Outcome(-one.factors[0])

    chosen, rounds = halved(open_storage(None), "one", pool, rungs(9, 9), train)
    assert chosen is not pool[0]
    assert rounds[0].outcomes[pool[0].variant.name].error == "the loss is no number"


def test_if_none_can_be_trained_the_first_error_is_told(pool):
    def train(one, epochs, claim):
        raise InputError("no memory")

    with pytest.raises(InputError, match="none of 9 networks could be trained: no memory"):
        halved(open_storage(None), "one", pool, rungs(9, 9), train)
