import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeeff.accelerators.deviation import deviation

values = arrays(np.float32, 8, elements=st.floats(-100, 100, width=32))


@given(values)
def test_equal_outputs_do_not_deviate(output):
    found = deviation([output], [output.copy()])
    assert (found.relative_rmse, found.relative_max, found.same_top) == (0, 0, True)


def test_differences_are_measured_in_the_references_spread():
    wanted = np.array([-1, 1, -1, 1], np.float32)
    found = deviation([wanted], [wanted + np.float32(0.5)])
    assert found.relative_rmse == pytest.approx(0.5)
    assert found.relative_max == pytest.approx(0.25)


def test_the_worst_output_counts():
    good, bad = np.array([0, 1], np.float32), np.array([1, 0], np.float32)
    found = deviation([good, good], [good, bad])
    assert found.relative_max == 1
    assert not found.same_top


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_values_that_are_no_numbers_deviate_infinitely(broken):
    wanted = np.array([0, 1], np.float32)
    assert deviation([wanted], [np.array([0, broken], np.float32)]).relative_rmse == np.inf


@given(values.filter(lambda output: np.ptp(output) > 1e-3), st.floats(0.01, 1000))
def test_the_measure_does_not_depend_on_the_scale(output, scale):
    shifted = output + np.float32(np.ptp(output))
    once = deviation([output], [shifted])
    scaled = deviation([output.astype(np.float64) * scale], [shifted.astype(np.float64) * scale])
    assert scaled.relative_max == pytest.approx(once.relative_max, rel=1e-4)


def test_a_constant_output_is_measured_by_its_size():
    found = deviation([np.full(4, 2, np.float32)], [np.full(4, 3, np.float32)])
    assert found.relative_rmse == 0.5
