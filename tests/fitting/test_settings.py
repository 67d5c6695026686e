"""What a search takes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeeff import errors
from edgeeff.architectures.variants import VARIANTS, find_variant
from edgeeff.fitting.candidates import Candidate, candidates, may_win
from edgeeff.fitting.settings import BUILT, NETWORKS, FitSettings

SETTINGS = FitSettings(max_latency=10.0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "no budget is given"),
        ({"max_latency": 0.0}, "--max-latency 0"),
        ({"max_latency": float("nan")}, "--max-latency nan"),
        ({"max_bytes": -1}, "--max-bytes -1"),
        ({"max_bytes": 9, "networks": 0}, "--networks 0"),
        ({"max_bytes": 9, "resolution": 10**6}, "--resolution 1000000"),
        ({"max_bytes": 9, "families": ("c",)}, "unknown family 'c'"),
        ({"max_bytes": 9, "precisions": ("int4",)}, "unknown precision 'int4'"),
        ({"max_bytes": 9, "target": "npu"}, "unknown target 'npu'"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, said):
    with pytest.raises(errors.UsageError) as raised:
        FitSettings(**fields)
    assert raised.value.message.startswith(said)


def test_a_quantized_b_is_tried_only_if_its_family_is_named():
    assert ("b", "int8") not in SETTINGS.tried
    assert ("b", "int8") in replace(SETTINGS, families=("b",)).tried


@pytest.mark.parametrize(
    ("target", "precisions"),
    [("cpu", {"int8", "float32"}), ("gpu", {"float16"}), ("edgetpu", {"int8"})],
)
def test_a_target_has_its_own_precisions(target, precisions):
    assert {name for _, name in replace(SETTINGS, target=target).tried} == precisions


def test_fewer_networks_are_built_where_nothing_is_timed():
    assert (SETTINGS.most_networks, FitSettings(max_bytes=9).most_networks) == (NETWORKS, BUILT)


@pytest.fixture(scope="module")
def pool() -> list[Candidate]:
    """The candidates of ``SETTINGS``."""
    return candidates(SETTINGS)


def test_every_candidate_has_a_name_that_every_command_takes(pool):
    for one in pool:
        assert find_variant(one.variant) == one.network


def test_no_two_candidates_are_the_same_network(pool):
    built = {
        (net.blocks, net.head_filters, net.family, one.resolution, one.precision)
        for one in pool
        if (net := one.network)
    }
    assert len(built) == len(pool)


def test_every_published_network_is_a_candidate(pool):
    assert set(VARIANTS) <= {one.variant for one in pool}


def test_only_published_networks_if_that_is_wanted():
    found = candidates(replace(SETTINGS, published=True))
    assert {one.variant for one in found} <= set(VARIANTS)
    assert all(one.resolution == one.network.resolution for one in found)


def test_no_larger_picture_is_tried_where_time_does_not_count():
    found = candidates(FitSettings(max_bytes=9))
    assert all(one.resolution == one.network.resolution for one in found)


def test_a_resolution_that_is_given_is_that_of_all():
    assert {one.resolution for one in candidates(replace(SETTINGS, resolution=96))} == {96}


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, published=True),
        replace(SETTINGS, resolution=96),
        FitSettings(max_bytes=9),
    ],
)
def test_every_candidate_may_win(settings):
    assert all(may_win(one, settings) for one in candidates(settings))


def test_a_network_between_published_ones_may_not_win_among_them(pool):
    between = next(one for one in pool if one.variant == "lite0-phi0.5")
    assert not may_win(between, replace(SETTINGS, published=True))
