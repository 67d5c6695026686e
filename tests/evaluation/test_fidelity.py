"""Agreement, SQNR and KL, against values worked out by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeeff.errors import InputError
from edgeeff.evaluation.fidelity import fidelity, image_errors, sqnr_db, summary

SHAPES = st.tuples(st.integers(1, 6), st.integers(2, 8))
VALUES = st.floats(-30, 30, width=32)


@st.composite
def pairs(draw):
    shape = draw(SHAPES)
    matrix = arrays(np.float32, shape, elements=VALUES)
    return draw(matrix), draw(matrix)


def test_figures_are_those_that_were_worked_out_by_hand():
    reference = np.array([[3.0, 4.0], [0.0, 1.0]])
    logits = np.array([[3.0, 3.0], [0.0, 1.0]])
    found = fidelity(reference, logits)
    assert found.images == 2
    assert found.sqnr_db == pytest.approx(10 * math.log10(26 / 1))
    # The first ties: index 0 comes first, where the reference has index 1.
    assert found.agreement == 0.5
    # Second image: no error, so its ratio and the median between it and 14 dB are infinite.
    assert found.median_image_sqnr_db == math.inf
    p = 1 / (1 + math.e)
    first = p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    assert found.kl == pytest.approx(first / 2)


def test_one_image_can_own_the_sum_but_not_the_median():
    reference = np.full((5, 4), 10.0)
    logits = reference + 0.1
    logits[0] += 10
    found = fidelity(reference, logits)
    assert found.sqnr_db < 10
    assert found.median_image_sqnr_db == pytest.approx(40)


@pytest.mark.parametrize(("errors", "median"), [([1.0, 0.1, 0.01], 20), ([1.0, 0.1], 10)])
def test_the_median_is_the_middle_ratio_or_between_the_two(errors, median):
    reference = np.ones((len(errors), 3))
    logits = reference + np.array(errors)[:, None]
    assert fidelity(reference, logits).median_image_sqnr_db == pytest.approx(median)


def test_between_a_silent_picture_and_an_equal_one_the_median_is_the_worse():
    reference = np.array([[0.0, 0.0], [1.0, 2.0]])
    logits = np.array([[1.0, 0.0], [1.0, 2.0]])
    assert fidelity(reference, logits).median_image_sqnr_db == -math.inf


def test_equal_outputs_are_null_in_json_and_never_zero():
    same = np.array([[1.0, 2.0, 3.0]])
    found = fidelity(same, same)
    assert (found.agreement, found.kl, found.sqnr_db) == (1.0, 0.0, math.inf)
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["sqnr_db"] is None
    assert written["median_image_sqnr_db"] is None
    assert written["kl"] == 0


@given(pairs())
def test_a_model_compared_with_itself_is_perfect(pair):
    reference, _ = pair
    found = fidelity(reference, reference)
    assert (found.agreement, found.kl, found.sqnr_db) == (1.0, 0.0, math.inf)


@given(pairs())
def test_kl_is_never_negative_and_json_never_holds_nan(pair):
    found = fidelity(*pair)
    assert found.kl >= 0
    assert 0 <= found.agreement <= 1
    json.dumps(found.to_json(), allow_nan=False)


@given(pairs(), st.floats(-20, 20))
def test_a_constant_added_to_all_logits_of_an_image_does_not_move_kl(pair, shift):
    reference, logits = (part.astype(np.float64) for part in pair)
    moved = fidelity(reference, logits + shift)
    assert moved.kl == pytest.approx(fidelity(reference, logits).kl, rel=1e-6, abs=1e-9)


@given(pairs(), st.integers(-8, 8))
def test_sqnr_does_not_depend_on_the_unit(pair, power):
    reference, logits = (part.astype(np.float64) for part in pair)
    assume((reference != 0).any() and (reference != logits).any())
    scaled = fidelity(reference * 2.0**power, logits * 2.0**power)
    assert scaled.sqnr_db == pytest.approx(fidelity(reference, logits).sqnr_db)


@given(pairs())
def test_parts_add_up_to_the_whole(pair):
    reference, logits = pair
    parts = [image_errors(reference[i : i + 1], logits[i : i + 1]) for i in range(len(reference))]
    whole, added = fidelity(reference, logits), summary(parts)
    assert added.images == whole.images
    assert added.agreement == whole.agreement
    assert added.kl == pytest.approx(whole.kl)
    assert added.sqnr_db == pytest.approx(whole.sqnr_db)


@pytest.mark.parametrize(
    ("signal", "noise", "ratio"),
    [(100.0, 1.0, 20.0), (1.0, 1.0, 0.0), (0.0, 1.0, -math.inf), (0.0, 0.0, math.inf)],
)
def test_a_ratio_is_told_in_decibels(signal, noise, ratio):
    assert sqnr_db(signal, noise) == ratio


@pytest.mark.parametrize(
    ("reference", "logits", "words"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), "different shapes"),
        (np.zeros((2, 3)), np.full((2, 3), np.nan), "finite"),
        (np.full((1, 3), np.inf), np.zeros((1, 3)), "finite"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "no images"),
    ],
)
def test_what_cannot_be_compared_is_an_error(reference, logits, words):
    with pytest.raises(InputError, match=words):
        fidelity(reference, logits)
