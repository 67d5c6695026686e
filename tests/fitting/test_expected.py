"""The accuracy that is expected of a network: what was published, and what lies between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.architectures.variants import VARIANTS, counts, find_variant, scaled
from edgeeff.fitting.expected import EXTRAPOLATED, INTERPOLATED, LOSS, PUBLISHED, expected
from tests.networks import SMALLEST

EVERY_FAMILY = {variant.family for variant in VARIANTS.values()}
QUANTIZED = [variant for variant in VARIANTS.values() if variant.top1_int8 is not None]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_a_published_network_is_expected_to_be_as_good_as_was_published(variant):
    found = expected(variant, variant.resolution, "float32")
    assert (found.top1, found.basis, found.at_most) == (variant.top1, PUBLISHED, False)


@pytest.mark.parametrize("variant", QUANTIZED, ids=lambda variant: variant.name)
def test_int8_costs_what_its_authors_published(variant):
    found = expected(variant, variant.resolution, "int8")
    assert (found.top1, found.basis) == (variant.top1_int8, PUBLISHED)


@pytest.mark.parametrize("precision", ["int8", "dynamic", "int16x8"])
def test_what_a_quantized_b_loses_is_not_known_and_said_so(precision):
    found = expected(find_variant("b0"), 224, precision)
    assert found.at_most
    assert str(found) == "<= 77.1"


def test_a_known_accuracy_comes_before_one_that_is_only_bounded():
    known = expected(find_variant("lite0"), 224, "int8")
    bounded = expected(find_variant("b7"), 600, "int8")
    assert known.rank > bounded.rank


def test_a_network_between_two_published_ones_is_between_them():
    found = expected(scaled(2.0), scaled(2.0).resolution, "float32")
    assert 80.1 < found.top1 < 81.6
    assert found.basis == INTERPOLATED


def test_below_the_smallest_network_the_losses_of_tinynets_count():
    small = scaled(-3.0, base=find_variant("b0"))
    found = expected(small, small.resolution, "float32")
    assert found.basis == EXTRAPOLATED
    # TinyNet-C, of 100 million multiply-accumulates, is right on 71.2% of ImageNet.
    assert counts(small).macs == pytest.approx(100e6, rel=0.05)
    assert found.top1 == pytest.approx(71.2, abs=0.3)


@pytest.mark.parametrize("base", SMALLEST)
@pytest.mark.parametrize("precision", ["float32", "int8"])
@given(phis=st.tuples(st.floats(-3, 2), st.floats(-3, 2)))
def test_more_compute_on_the_line_is_never_expected_to_be_worse(base, precision, phis):
    small, large = (scaled(phi, base=find_variant(base)) for phi in sorted(phis))
    found = [expected(one, one.resolution, precision).top1 for one in (small, large)]
    assert found[0] <= found[1] + (0.0 if counts(small).macs <= counts(large).macs else 0.5)


@given(sides=st.tuples(st.integers(128, 448), st.integers(128, 448)))
def test_a_larger_picture_is_never_expected_to_be_worse(sides):
    found = [expected(find_variant("lite0"), side, "int8").top1 for side in sorted(sides)]
    assert found[0] <= found[1]


def test_resolution_alone_wins_less_than_scaling_everything_by_as_much_compute():
    larger = expected(find_variant("b0"), 448, "float32").top1
    assert larger == pytest.approx(77.1 + 1.8)
    assert larger < expected(find_variant("b3"), 300, "float32").top1


def test_every_expected_accuracy_is_labelled_as_predicted():
    assert expected(find_variant("lite0"), 224, "int8").to_json() == {
        "top1": 74.4,
        "basis": PUBLISHED,
        "at_most": False,
        "provenance": "predicted",
    }


def test_a_loss_is_known_of_families_there_are():
    assert {family for family, _ in LOSS} == EVERY_FAMILY
