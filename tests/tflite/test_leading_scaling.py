"""The scaling that a network brings along says which pictures it takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.tflite.leading_scaling import UNTOUCHED, Scaling

NUMBERS = st.floats(-4, 4).filter(lambda value: abs(value) > 0.01)
KINDS = {
    "MUL": lambda x, y: x * y,
    "ADD": lambda x, y: x + y,
    "SUB": lambda x, y: x - y,
    "DIV": lambda x, y: x / y,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), NUMBERS), max_size=4), NUMBERS)
def test_steps_compose_to_factor_and_offset(steps, x):
    scaling, wanted = UNTOUCHED, x
    for kind, constant in steps:
        found = scaling.then(kind, np.float64([constant]), first=True)
        assert found is not None
        scaling, wanted = found, KINDS[kind](wanted, constant)
    np.testing.assert_allclose(scaling.factor * x + scaling.offset, wanted, rtol=1e-6, atol=1e-6)


def test_a_constant_less_the_picture_turns_it_over():
    scaling = UNTOUCHED.then("SUB", np.float64([255]), first=False)
    assert scaling is not None
    assert scaling.factor * 255 + scaling.offset == 0


@pytest.mark.parametrize(
    ("factor", "offset", "white"),
    [
        (1 / 255, 0, 255),
        (1 / 127.5, -1, 255),
        (1 / 58, -2.1, 255),
        (4.4, -2.1, 1),
        (2, -1, 1),
        (255, 0, None),
        (1, -120, None),
        (1e-6, 0, None),
    ],
)
def test_white_is_what_gives_normalised_values(factor, offset, white):
    assert Scaling(np.float64([factor]), np.float64([offset])).white == white
