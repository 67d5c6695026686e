"""Inputs of a swish that its rounded product does not tell apart take no room on their grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.quantization.calibration import ranges
from edgeeff.quantization.calibration.observation import Observed, observe
from edgeeff.quantization.calibration.swish import LOWEST_AT, told_apart_by_swish
from edgeeff.quantization.corrections.bias_room import LEVELS_16_BITS
from edgeeff.quantization.corrections.regions import regions
from edgeeff.quantization.corrections.swish_scaling import (
    scalable_through_swish,
    scale_through_swish,
    swish_inputs,
)
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.recipes.recipe import Ranges
from edgeeff.tflite.graph import Graph

RULE = Ranges()


def swish(x):
    return x / (1 + np.exp(-x))


@given(half_a_step=st.floats(1e-5, 1.0), end=st.floats(2.0, 32.0))
def test_all_that_is_left_out_rounds_to_zero(half_a_step, end):
    told = float(told_apart_by_swish(np.array(half_a_step), end))
    assert -end <= told <= LOWEST_AT
    below = np.linspace(-100.0, told, 50)
    assert np.abs(swish(below)).max() <= max(half_a_step, abs(swish(-end))) * 1.001


@given(half_a_step=st.floats(0.004, 0.25))
def test_no_more_than_that_is_kept(half_a_step):
    told = float(told_apart_by_swish(np.array(half_a_step), 8.0))
    assert np.abs(swish(told)) == pytest.approx(half_a_step, rel=1e-2)


@dataclass(frozen=True)
class Scaled:
    """A network whose swishes are scaled, and what pictures do in it.

    Attributes:
        factors: of the channels of each swish's input, by tensor.
    """

    graph: Graph
    observed: dict[int, Observed]
    factors: dict[int, np.ndarray]

    def grids(self, levels: int) -> dict[int, Grid]:
        """Of the inputs of the swishes."""
        found = ranges.grids(self.graph, self.observed, {}, RULE, synthetic=False, levels=levels)
        return {tensor: found[tensor] for tensor in self.factors}


@pytest.fixture(scope="module")
def scaled(tiny_float) -> Scaled:
    graph = float_graph(tiny_float.read_bytes())
    random = np.random.default_rng(0)
    every = {}
    for region in [r for r in regions(graph) if scalable_through_swish(graph, r)]:
        factors = {
            tensor: random.uniform(0.2, 5.0, region.channels)
            for tensor in swish_inputs(graph, region)
        }
        scale_through_swish(graph, region, factors)
        every |= factors
    pictures = [random.normal(0, 20, (1, 32, 32, 3)).astype(np.float32) for _ in range(4)]
    return Scaled(graph, observe(graph, pictures), every)


def test_each_channel_has_the_room_below_zero_that_its_swish_tells_apart(scaled):
    assert scaled.factors
    for tensor, grid in scaled.grids(255).items():
        seen, factors = scaled.observed[tensor], scaled.factors[tensor]
        half_a_step = factors * max(float(seen.maximum.max()), 0.0) / 510
        told = told_apart_by_swish(half_a_step, RULE.swish_end) / factors
        least = min(float(np.maximum(told, seen.minimum).min()), 0.0)
        assert grid.minimum == pytest.approx(least, abs=grid.scale)


def test_sixteen_bits_tell_more_apart(scaled):
    few, many = (scaled.grids(levels) for levels in (255, 2 * LEVELS_16_BITS))
    assert all(many[tensor].minimum <= few[tensor].minimum + few[tensor].scale for tensor in few)
    assert any(many[tensor].minimum < few[tensor].minimum - few[tensor].scale for tensor in few)
