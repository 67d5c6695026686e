"""Which networks are tried: the same compute, no network twice."""

from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from edgeeff.architectures.variants import (
    PAPER_FACTORS,
    VARIANTS,
    counts,
    find_variant,
    scaling_grid,
)
from edgeeff.errors import UsageError
from edgeeff.fitting.search.space import (
    COMPUTE_TOLERANCE,
    LEAST_RESOLUTION,
    candidates,
)

BASES = [*VARIANTS, "b0-phi-3", "lite0-phi-2"]


@given(
    name=st.sampled_from(BASES),
    phi=st.sampled_from([-1.0, 0.5, 1.0, 2.0]),
    most=st.integers(1, 20),
    classes=st.integers(2, 100),
)
@settings(max_examples=8)
def test_every_candidate_spends_the_compute_and_keeps_the_factors_law(name, phi, most, classes):
    base = replace(find_variant(name), classes=classes)
    try:
        pool = candidates(base, scaling_grid(), phi=phi, most=most)
    except UsageError:
        reject()  # rounded too coarsely: another test's
    assert 1 <= len(pool) <= most
    for one in pool:
        alpha, beta, gamma = one.factors
        assert abs(alpha * beta**2 * gamma**2 - 2) <= 0.1 + 1e-6
        assert abs(one.compute - 2**phi) <= COMPUTE_TOLERANCE * 2**phi
        assert one.compute == counts(one.variant).macs / counts(base).macs
        assert one.variant.resolution >= LEAST_RESOLUTION
        assert find_variant(one.variant.name) == replace(
            one.variant, classes=find_variant(name).classes
        )


def test_no_network_is_tried_twice():
    pool = candidates(VARIANTS["lite0"], scaling_grid())
    shapes = {(one.variant.blocks, one.variant.resolution) for one in pool}
    assert len(shapes) == len(pool)


def test_of_many_candidates_the_papers_is_kept_and_those_far_from_it():
    everything = candidates(VARIANTS["b0"], scaling_grid())
    few = candidates(VARIANTS["b0"], scaling_grid(), most=4)
    assert len(few) == 4 < len(everything)
    assert PAPER_FACTORS in [one.factors for one in few]
    assert max(one.factors[2] for one in few) >= 1.3


def test_a_base_too_small_for_its_rounding_is_refused():
    with pytest.raises(UsageError, match="rounded too coarsely"):
        candidates(replace(VARIANTS["b0"], resolution=8, width=0.05, depth=0.1), scaling_grid())
