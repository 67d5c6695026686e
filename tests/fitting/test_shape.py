"""The work of a network, counted by kind."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeeff.architectures.variants import VARIANTS, counts, find_variant, scaled
from edgeeff.fitting.shape import NAMES, Shape, shape
from tests.networks import SMALLEST

WITHOUT_SQUEEZE = [variant for variant in VARIANTS.values() if variant.family != "b"]


@pytest.mark.parametrize("variant", WITHOUT_SQUEEZE, ids=lambda variant: variant.name)
def test_its_multiplications_are_those_that_are_counted_elsewhere(variant):
    found = shape(variant.name, variant.resolution)
    assert found.pointwise + found.full + found.depthwise == counts(variant).macs


def test_squeezing_multiplies_every_value_once_more():
    variant = find_variant("b0")
    found = shape("b0", 224)
    without = replace(variant, stages=tuple(replace(stage, squeeze=0) for stage in variant.stages))
    difference = counts(variant).macs - (found.pointwise + found.full + found.depthwise)
    assert 0 < difference < counts(variant).macs - counts(without).macs


def test_only_smooth_activations_are_operators_of_their_own():
    assert shape("lite0", 224).smooth == 0
    assert shape("b0", 224).smooth > 0


def test_lite0_has_the_operators_that_its_file_has():
    # 33 CONV_2D, 16 DEPTHWISE_CONV_2D, 9 ADD, MEAN, FULLY_CONNECTED and SOFTMAX.
    assert shape("lite0", 224).operators == 61


def test_a_smaller_classifier_multiplies_less():
    assert shape("lite0", 224, 10).pointwise == shape("lite0", 224).pointwise - 1280 * 990


@pytest.mark.parametrize("base", SMALLEST)
@given(phis=st.tuples(st.floats(-4, 3), st.floats(-4, 3)), side=st.integers(32, 600))
@settings(max_examples=30)
def test_no_kind_of_work_shrinks_when_a_network_grows(base, phis, side):
    small, large = (scaled(phi, base=find_variant(base)).name for phi in sorted(phis))
    grows(shape(small, side), shape(large, side))


@given(sides=st.tuples(st.integers(32, 600), st.integers(32, 600)))
def test_no_kind_of_work_shrinks_when_the_picture_grows(sides):
    grows(*(shape("b0", side) for side in sorted(sides)))


def grows(small: Shape, large: Shape) -> None:
    shrunk = [
        name
        for name, less, more in zip(NAMES, astuple(small), astuple(large), strict=True)
        if less > more
    ]
    assert shrunk == []
