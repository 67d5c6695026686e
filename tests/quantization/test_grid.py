"""An int8 grid represents zero exactly and every value of its range within half a step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.quantization.grid import FIXED, HIGHEST, LOWEST, Grid

reals = st.floats(-1e4, 1e4, width=32)
ranges = st.tuples(reals, reals).map(sorted)


@given(ranges)
def test_zero_is_exact(ends: list[float]) -> None:
    grid = Grid.of_range(*ends)
    raw = grid.quantize(np.zeros(1, np.float32))
    assert grid.dequantize(raw)[0] == 0.0
    assert raw[0] == grid.zero_point


@given(ranges)
def test_zero_point_fits_in_int8(ends: list[float]) -> None:
    assert LOWEST <= Grid.of_range(*ends).zero_point <= HIGHEST


@given(ranges, st.floats(0, 1))
def test_round_trip_errs_by_half_a_step_inside_the_range(ends: list[float], share: float) -> None:
    grid = Grid.of_range(*ends)
    value = np.float32(grid.minimum + share * (grid.maximum - grid.minimum))
    back = grid.dequantize(grid.quantize(np.array([value], np.float32)))[0]
    assert abs(back - value) <= grid.scale * 0.5001


@given(ranges)
def test_the_grid_covers_the_range_to_half_a_step(ends: list[float]) -> None:
    grid = Grid.of_range(*ends)
    assert grid.minimum <= min(ends[0], 0) + 0.5001 * grid.scale
    assert grid.maximum >= max(ends[1], 0) - 0.5001 * grid.scale


@given(ranges, st.floats(1, 1e6))
def test_values_outside_saturate(ends: list[float], beyond: float) -> None:
    grid = Grid.of_range(*ends)
    outside = np.array([grid.minimum - beyond, grid.maximum + beyond], np.float32)
    assert grid.quantize(outside).tolist() == [LOWEST, HIGHEST]


@given(ranges)
def test_every_raw_value_is_its_own_real_value(ends: list[float]) -> None:
    grid = Grid.of_range(*ends)
    raw = np.arange(LOWEST, HIGHEST + 1).astype(np.int8)
    assert (grid.quantize(grid.dequantize(raw)) == raw).all()


def test_a_range_of_nothing_still_makes_a_grid() -> None:
    grid = Grid.of_range(0.0, 0.0)
    assert grid.scale > 0


@pytest.mark.parametrize(
    ("ends", "zero_point"), [((0, 6), -128), ((2, 6), -128), ((-6, 0), 127), ((-6, -2), 127)]
)
def test_a_range_on_one_side_is_widened_to_zero(ends: tuple[int, int], zero_point: int) -> None:
    grid = Grid.of_range(*ends)
    assert grid.zero_point == zero_point
    assert grid.scale == pytest.approx(6 / 255)


def test_fixed_grids_reach_what_their_function_gives() -> None:
    assert (FIXED["SOFTMAX"].minimum, FIXED["LOGISTIC"].minimum) == (0.0, 0.0)
    assert FIXED["SOFTMAX"].maximum == 255 / 256
    assert (FIXED["TANH"].minimum, FIXED["TANH"].maximum) == (-1.0, 127 / 128)
