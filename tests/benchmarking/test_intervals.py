import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeeff.benchmarking.intervals import (
    block_length,
    median_interval,
    ratio_interval,
    ratio_of_intervals,
    repeats_interval,
    student,
)

times = st.lists(st.floats(0.01, 1e4), min_size=2, max_size=60)


def related(count, memory, generator):
    """A series whose values hang together: each keeps ``memory`` of the one before."""
    noise = generator.normal(0, 1, count)
    values = np.empty(count)
    values[0] = noise[0] / math.sqrt(1 - memory**2)
    for place in range(1, count):
        values[place] = memory * values[place - 1] + noise[place]
    return 10 + 0.1 * values


@given(times)
@settings(max_examples=50)
def test_the_interval_holds_the_median_and_is_positive(values):
    low, high = median_interval(np.array(values))
    assert 0 < low <= np.median(values) <= high


@given(times, st.floats(0.001, 1000))
@settings(max_examples=30)
def test_the_interval_scales_with_the_unit(values, factor):
    one = median_interval(np.array(values))
    other = median_interval(np.array(values) * factor)
    np.testing.assert_allclose(other, np.array(one) * factor, rtol=1e-9)


def test_the_same_samples_give_the_same_interval():
    values = np.random.default_rng(0).normal(10, 1, 300)
    assert median_interval(values, seed=4) == median_interval(values, seed=4)


def test_constant_samples_have_no_width():
    assert median_interval(np.full(50, 3.0)) == (3.0, 3.0)


@pytest.mark.parametrize(("memory", "least"), [(0.0, 85), (0.5, 78), (0.9, 70)])
def test_another_runs_median_is_in_the_interval(memory, least):
    """Of 100 pairs of runs; an interval that ignored the memory of 0.9 would hold about 40."""
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        low, high = median_interval(related(300, memory, generator))
        held += low <= np.median(related(300, memory, generator)) <= high
    assert held >= least


def test_blocks_are_longer_where_neighbours_hang_together():
    generator = np.random.default_rng(2)
    assert block_length(related(1000, 0.95, generator)) > 2 * block_length(
        related(1000, 0.0, generator)
    )


def test_processes_that_differ_widen_the_interval():
    generator = np.random.default_rng(3)
    alike = [generator.normal(10, 0.1, 100) for _ in range(3)]
    apart = [run + shift for run, shift in zip(alike, (0, 0.5, 1.0), strict=True)]
    narrow, wide = repeats_interval(alike), repeats_interval(apart)
    assert wide[1] - wide[0] > 5 * (narrow[1] - narrow[0])


def test_a_sixth_processs_median_is_in_the_interval_of_five():
    """Processes differ by 2%, samples within one by 0.5%: the samples alone would not tell."""
    generator = np.random.default_rng(4)
    held = 0
    for _ in range(100):
        levels = 10 * np.exp(generator.normal(0, 0.02, 6))
        runs = [generator.normal(level, 0.05, 50) for level in levels]
        low, high = repeats_interval(runs[:5])
        held += low <= np.median(runs[5]) <= high
    assert held >= 88


def test_a_ratio_of_interleaved_blocks_forgets_what_slowed_both():
    generator = np.random.default_rng(5)
    slowness = np.exp(generator.normal(0, 0.3, 12))
    one = [generator.normal(10 * factor, 0.1, 30) for factor in slowness]
    two = [generator.normal(11 * factor, 0.1, 30) for factor in slowness]
    ratio, (low, high) = ratio_interval(one, two)
    assert ratio == pytest.approx(1.1, rel=0.01)
    assert 1.08 < low < 1.1 < high < 1.12


def test_a_ratio_of_figures_measured_apart_adds_their_intervals():
    ratio, (low, high) = ratio_of_intervals(10, (9, 11), 20, (19, 21))
    assert ratio == 2
    # More than either's own share of 10%, less than both one after the other.
    assert (low, high) == pytest.approx((1.794832, 2.246237), abs=1e-6)


def test_quantiles_are_those_of_students_table():
    assert [student(degrees) for degrees in (1, 4, 30, 1000)] == [12.706, 2.776, 2.042, 1.96]
