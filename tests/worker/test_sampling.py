import gc
import statistics
import time

import pytest

from edgeeff.accelerators.plan import Plan
from edgeeff.worker.sampling import WINDOW, sample, warm_up


def sleeping(milliseconds):
    return lambda: time.sleep(milliseconds / 1000)


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


def test_stops_by_runs_when_they_are_reached_last():
    found = samples(sleeping(2), 20, 0.001, 5)
    assert (len(found.samples_ns), found.stopped_by) == (20, "runs")


def test_stops_by_seconds_when_they_are_reached_last():
    found = samples(sleeping(1), 3, 0.05, 5)
    assert found.stopped_by == "seconds"
    assert len(found.samples_ns) > 3
    assert sum(found.samples_ns) <= 0.5e9


def test_stops_at_the_cap_with_what_there_is():
    found = samples(sleeping(10), 1000, 10, 0.05)
    assert found.stopped_by == "cap"
    assert 1 <= len(found.samples_ns) <= 6


def test_a_single_run_longer_than_the_cap_is_still_a_sample():
    assert len(samples(sleeping(30), 5, 1, 0.01).samples_ns) == 1


def test_tells_how_many_began_in_each_second():
    found = samples(sleeping(40), 1, 1.2, 5)
    assert len(found.per_second) == 2
    assert sum(found.per_second) == len(found.samples_ns)
    assert found.per_second[0] > found.per_second[1] > 0
    assert 0.9 < found.busy_share <= 1


@pytest.mark.slow
def test_seconds_in_which_none_began_count_zero():
    found = samples(sleeping(2100), 2, 0, 5)
    assert found.per_second == (1, 0, 1)


def test_reports_between_samples_about_twice_a_second():
    reports = []
    samples(sleeping(5), 1, 1.2, 5, reports.append)
    assert 1 <= len(reports) <= 3
    assert reports == sorted(reports)


def test_garbage_collection_rests_while_sampling_and_comes_back():
    seen = []
    samples(lambda: seen.append(gc.isenabled()), 3, 0, 1)
    assert seen == [False, False, False]
    assert gc.isenabled()


def test_the_first_inference_of_a_warm_up_is_told_apart():
    times = iter([30, *[1] * 1000])
    found = warm_up(
        lambda: time.sleep(next(times) / 1000), Plan(warmup_runs=5, warmup_seconds=0), nothing
    )
    assert found.first_ns > 25e6
    assert found.settled


def test_a_warm_up_of_a_slow_model_ends_unsettled():
    plan = Plan(warmup_runs=1, warmup_seconds=0, warmup_max_seconds=0.05)
    found = warm_up(sleeping(20), plan, nothing)
    assert not found.settled
    assert found.runs < 2 * WINDOW


def test_a_warm_up_goes_on_while_timings_fall():
    falling = iter([*(0.01 * 0.8**step for step in range(30)), *[0.0001] * 10000])
    plan = Plan(warmup_runs=2 * WINDOW, warmup_seconds=0)
    found = warm_up(lambda: time.sleep(next(falling)), plan, nothing)
    assert found.runs > 2 * WINDOW


@pytest.mark.clock
def test_overhead_is_under_two_percent_of_a_millisecond():
    """The least of many is free of other programs; the call itself takes 1 ms by the clock."""
    found = samples(busy(1), 200, 0, 5)
    assert min(found.samples_ns) / 1e6 == pytest.approx(1, rel=0.02)
    assert statistics.median(found.samples_ns) >= 1e6
