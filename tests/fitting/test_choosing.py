"""What is measured next, on devices that are made up: their costs are known without building."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgeeff.fitting.budget import Limits
from edgeeff.fitting.candidates import Candidate, candidates
from edgeeff.fitting.choosing import FAR, HELD_OUT_NETWORKS, WORTH, next_candidate
from edgeeff.fitting.measured import HELD_OUT, SEARCH, SURVEY, Measured, Timing
from edgeeff.fitting.settings import FitSettings
from tests.fitting.machine import true_cost

SETTINGS = FitSettings(max_latency=25.0, families=("lite", "edgetpu"), precisions=("int8",))


def made_up(candidate: Candidate, role: str, noise: float = 0.0) -> Measured:
    """A measurement of a device whose samples are off by a few percent, always the same ones."""
    off = 1 + noise * math.sin(hash_of(candidate))
    timing = Timing(true_cost(candidate) * off, 0, (0, 0), 1, "test-double", "", "")
    return Measured(candidate, role, 4 * candidate.counts.parameters, timing)


def hash_of(candidate: Candidate) -> int:
    return sum(map(ord, str(candidate)))


def searched(settings: FitSettings, noise: float = 0.0) -> Limits:
    pool, limits = candidates(settings), Limits(settings, ())
    while (following := next_candidate(pool, limits)) is not None:
        one = made_up(following.candidate, following.role, noise)
        limits = replace(limits, measured=(*limits.measured, one))
    return limits


@pytest.fixture(scope="module")
def limits() -> Limits:
    return searched(SETTINGS, noise=0.03)


def test_none_is_measured_twice_and_no_more_than_asked_for(limits):
    found = [one.candidate for one in limits.measured]
    assert len(found) == len(set(found)) <= 48


def test_a_share_of_the_networks_is_held_out(limits):
    roles = [one.role for one in limits.measured]
    assert roles.count(HELD_OUT) == HELD_OUT_NETWORKS
    assert set(roles) == {SURVEY, HELD_OUT, SEARCH}


def test_nothing_far_beyond_the_budget_is_measured(limits):
    dear = [one for one in limits.measured if limits.cost(one) > 2 * FAR * limits.limit]
    assert dear == []


@pytest.mark.parametrize("budget", [8.0, 25.0, 60.0])
def test_no_network_inside_the_budget_is_much_better_than_the_best_that_is_found(budget):
    settings = replace(SETTINGS, max_latency=budget)
    inside = [one for one in candidates(settings) if true_cost(one) <= budget]
    best = searched(settings).best()[0].candidate
    assert best.expected.top1 >= max(one.expected.top1 for one in inside) - WORTH


def test_two_limits_both_count():
    settings = replace(SETTINGS, max_bytes=20_000_000)
    best = searched(settings).best()[0]
    assert best.bytes <= 20_000_000
    inside = [
        one
        for one in candidates(settings)
        if true_cost(one) <= 25 and 4 * one.counts.parameters <= 20_000_000
    ]
    assert best.candidate.expected.top1 >= max(one.expected.top1 for one in inside) - WORTH


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(limits):
    pool = candidates(SETTINGS)
    for done in (0, 1, 11, 30, len(limits.measured) - 1):
        following = next_candidate(pool, replace(limits, measured=limits.measured[:done]))
        assert following.candidate == limits.measured[done].candidate


def test_a_budget_that_nothing_keeps_is_found_out_by_the_smallest_of_each_kind():
    found = searched(replace(SETTINGS, max_latency=0.01))
    assert {one.candidate.network.family for one in found.measured} == {"lite", "edgetpu"}
    assert len(found.measured) == 2
    assert found.best() == []


@pytest.mark.parametrize("networks", [1, 2, 3])
def test_few_networks_are_as_many_as_asked_for(networks):
    assert len(searched(replace(SETTINGS, networks=networks)).measured) == networks


def test_another_budget_measures_only_what_is_missing(limits):
    pool, other = candidates(SETTINGS), replace(SETTINGS, max_latency=20.0)
    after = replace(limits, settings=other, taken_over=len(limits.measured))
    while (following := next_candidate(pool, after)) is not None:
        one = made_up(following.candidate, following.role, 0.03)
        after = replace(after, measured=(*after.measured, one))
    more = len(after.measured) - len(limits.measured)
    assert 0 < more < 30
    best = after.best()[0].candidate
    inside = [one.expected.top1 for one in pool if true_cost(one) <= 0.95 * 20]
    assert best.expected.top1 >= max(inside) - WORTH


def test_what_failed_is_not_tried_again():
    pool = candidates(SETTINGS)
    first = next_candidate(pool, Limits(SETTINGS, ()))
    failed = Measured(first.candidate, first.role, error="crashed")
    second = next_candidate(pool, Limits(SETTINGS, (failed,)))
    assert second.candidate != first.candidate


def test_the_slower_of_equals_loses():
    slow, fast = (Candidate("lite0", 224, "int8"), Candidate("lite0", 224, "dynamic"))
    timings = {slow: 9.0, fast: 4.0}
    measured = tuple(
        Measured(one, SURVEY, 1, Timing(ms, ms, (ms, ms), 1, "hardware", "", ""))
        for one, ms in timings.items()
    )
    settings = replace(SETTINGS, precisions=("int8", "dynamic"))
    assert Limits(settings, measured).best()[0].candidate == fast
