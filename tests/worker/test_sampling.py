"""When the loops stop and what they count, by a clock of the tests; overhead by the real one."""

import gc
import itertools
import statistics
import time

import pytest

from edgeeff.accelerators.plan import Plan
from edgeeff.worker import sampling
from edgeeff.worker.sampling import WINDOW, sample, warm_up


class Clock:
    """Time that passes only in calls."""

    def __init__(self):
        self.now = 0

    def perf_counter_ns(self):
        return self.now

    def taking(self, *milliseconds):
        """A call that takes as long as each of these, and then always as long as the last."""
        left = itertools.chain(milliseconds, itertools.repeat(milliseconds[-1]))

        def invoke():
            self.now += round(next(left) * 1e6)

        return invoke


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(sampling, "time", made)
    return made


def busy(milliseconds):
    """A call that takes exactly so long, without the scheduler's say."""

    def invoke():
        end = time.perf_counter_ns() + int(milliseconds * 1e6)
        while time.perf_counter_ns() < end:
            pass

    return invoke


def nothing(runs):
    pass


def samples(invoke, runs, seconds, most, report=nothing):
    return sample(invoke, min_runs=runs, min_seconds=seconds, max_seconds=most, report=report)


def test_stops_by_runs_when_they_are_reached_last(clock):
    found = samples(clock.taking(2), 20, 0.001, 5)
    assert (found.samples_ns, found.stopped_by) == ((2_000_000,) * 20, "runs")


def test_stops_by_seconds_when_they_are_reached_last(clock):
    found = samples(clock.taking(1), 3, 0.05, 5)
    assert (len(found.samples_ns), found.stopped_by) == (50, "seconds")


def test_stops_at_the_cap_with_what_there_is(clock):
    found = samples(clock.taking(10), 1000, 10, 0.05)
    assert (len(found.samples_ns), found.stopped_by) == (5, "cap")


def test_a_single_run_longer_than_the_cap_is_still_a_sample(clock):
    assert samples(clock.taking(30), 5, 1, 0.01).samples_ns == (30_000_000,)


def test_tells_how_many_began_in_each_second(clock):
    assert samples(clock.taking(40), 1, 1.2, 5).per_second == (25, 5)


def test_seconds_in_which_none_began_count_zero(clock):
    assert samples(clock.taking(2100), 2, 0, 5).per_second == (1, 0, 1)


def test_what_is_not_inference_is_no_busy_time(clock):
    def pause(runs):
        clock.now += 250_000_000

    found = samples(clock.taking(500), 3, 0, 5, pause)
    assert found.busy_share == 0.75


def test_reports_between_samples_about_twice_a_second(clock):
    reports = []
    samples(clock.taking(5), 1, 1.2, 5, reports.append)
    assert reports == [100, 200]


def test_garbage_collection_rests_while_sampling_and_comes_back():
    seen = []
    samples(lambda: seen.append(gc.isenabled()), 3, 0, 1)
    assert seen == [False, False, False]
    assert gc.isenabled()


def test_the_first_inference_of_a_warm_up_is_told_apart(clock):
    found = warm_up(clock.taking(30, 1), Plan(warmup_runs=5, warmup_seconds=0), nothing)
    assert (found.first_ns, found.runs, found.settled) == (30_000_000, 2 * WINDOW, True)


def test_a_warm_up_of_a_slow_model_ends_unsettled(clock):
    plan = Plan(warmup_runs=1, warmup_seconds=0, warmup_max_seconds=0.05)
    found = warm_up(clock.taking(20), plan, nothing)
    assert (found.runs, found.settled) == (3, False)


def test_a_warm_up_goes_on_while_timings_fall(clock):
    falling = [10 * 0.8**step for step in range(20)]
    found = warm_up(clock.taking(*falling), Plan(warmup_runs=1, warmup_seconds=0), nothing)
    assert found.settled
    assert found.runs > len(falling) + WINDOW


@pytest.mark.clock
def test_overhead_is_under_two_percent_of_a_millisecond():
    """The least of many is free of other programs; the call itself takes 1 ms by the clock."""
    found = samples(busy(1), 200, 0, 5)
    assert min(found.samples_ns) / 1e6 == pytest.approx(1, rel=0.02)
    assert statistics.median(found.samples_ns) >= 1e6
