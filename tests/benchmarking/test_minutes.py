"""What long runs show minute by minute."""

import dataclasses

import pytest

from edgeeff.accelerators.plan import Heat, Samples
from edgeeff.benchmarking.minutes import joined, minute_medians, minutes_of, warnings_of_run
from tests.benchmarking.makers import run

MS = 1_000_000


def paced(medians_ms, *, per_second=2):
    """A run with one median per minute."""
    samples = [ms * MS for ms in medians_ms for _ in range(60 * per_second)]
    counts = (per_second,) * (60 * len(medians_ms))
    return dataclasses.replace(run(samples), per_second=counts)


def test_every_minute_has_its_median_by_the_clock_not_by_the_samples_lengths():
    """Three samples of a millisecond each second: most of each second is something else."""
    counts = (3,) * 130
    samples = [*[1 * MS] * 180, *[2 * MS] * 180, *[4 * MS] * 30]
    assert minute_medians(samples, counts) == [
        {"minute": 0, "median": 1.0, "runs": 180},
        {"minute": 1, "median": 2.0, "runs": 180},
        {"minute": 2, "median": 4.0, "runs": 30},
    ]


def test_a_minute_without_samples_is_left_out():
    counts = (*(1,) * 60, *(0,) * 60, 1)
    found = minute_medians([MS] * 61, counts)
    assert [entry["minute"] for entry in found] == [0, 2]


def test_a_run_of_exactly_a_minute_has_none():
    assert minutes_of([paced([5])]) == []
    assert len(minutes_of([paced([5, 5])])[0]) == 2


def test_blocks_of_models_in_turn_have_one_clock():
    hot = Heat(1.5, 1, {"skin": 41.0})
    blocks = [
        (100.0, Samples((1, 2, 3), "seconds", (2, 1), 1.0)),
        (105.5, Samples((4, 5), "cap", (1, 1), 0.5, (hot,))),
    ]
    found = joined(blocks)
    assert found.samples_ns == (1, 2, 3, 4, 5)
    assert found.per_second == (2, 1, 0, 0, 0, 1, 1)
    assert (found.stopped_by, found.busy_share) == ("cap", 0.75)
    assert found.heat == (Heat(7.0, 1, {"skin": 41.0}),)


@pytest.mark.parametrize(
    ("medians", "words"),
    [
        ([10, 10, 12, 13], "slower from minute 2 on: 13.000 ms in the last minute, 10.000"),
        ([10, 12, 10, 12], "slower from minute 3 on"),
    ],
)
def test_a_device_that_stays_slower_is_said_with_the_minute(medians, words):
    (found,) = warnings_of_run(paced(medians), sustained=False)
    assert words in found


def test_a_device_that_does_less_than_half_as_many_runs_is_said_too():
    fast, slow = paced([10], per_second=100), paced([30, 30], per_second=30)
    throttled = dataclasses.replace(
        fast,
        samples_ns=(*fast.samples_ns, *slow.samples_ns),
        per_second=(*fast.per_second, *slow.per_second),
    )
    (words,) = warnings_of_run(throttled, sustained=False)
    assert words == "slower from minute 1 on: 30.000 ms in the last minute, 10.000 in minute 0"


@pytest.mark.parametrize("medians", [[10, 10, 10, 10], [10, 12, 10, 10]])
def test_a_device_that_recovers_is_not_warned_of(medians):
    assert warnings_of_run(paced(medians), sustained=False) == []


def test_a_few_samples_after_the_last_whole_minute_slow_nothing():
    steady = paced([10, 10])
    late = dataclasses.replace(
        steady,
        samples_ns=(*steady.samples_ns, 15 * MS, 15 * MS),
        per_second=(*steady.per_second, 2),
    )
    assert warnings_of_run(late, sustained=False) == []


def test_a_phone_that_throttles_is_said_with_the_minute():
    heat = (Heat(60.1, 0, {}), Heat(120.3, None, {}), Heat(180.2, 1, {}), Heat(240.1, 3, {}))
    (words,) = warnings_of_run(dataclasses.replace(paced([10]), heat=heat), sustained=False)
    assert words == "throttled in minute 3: thermal status light, severe at worst"


def test_a_sustained_run_with_long_pauses_says_so():
    idle = dataclasses.replace(paced([10]), busy_share=0.62)
    (words,) = warnings_of_run(idle, sustained=True)
    assert "inferred 62% of the time" in words
    assert warnings_of_run(idle, sustained=False) == []
