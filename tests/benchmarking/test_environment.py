import pytest

from edgeeff.benchmarking.environment import Environment, differences

MACHINE = {
    "processor": "A",
    "features": ["avx2"],
    "cores": 4,
    "load": [0.1, 0.1, 0.1],
    "governors": ["performance"],
    "frequencies_mhz": [3000, 2900],
    "temperature_c": 50.0,
    "battery": None,
}


def warnings(before=None, after=None):
    return Environment("local", MACHINE | (before or {}), MACHINE | (after or {})).warnings()


def test_a_quiet_machine_has_no_warning():
    assert warnings() == []


def test_a_machine_that_tells_nothing_has_no_warning():
    assert Environment("android:1", {}, {}).warnings() == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"governors": ["powersave"]}, {}, "cpupower frequency-set -g performance"),
        ({"load": [3.0, 1.0, 1.0]}, {}, "load 3 on 4 cores"),
        ({}, {"frequencies_mhz": [1500, 1400]}, "from 3000 to 1500 MHz"),
        ({}, {"temperature_c": 95.0}, "95 degrees"),
        ({"battery": {"percent": 80, "plugged": False}}, {}, "on battery"),
    ],
)
def test_what_disturbs_is_said(before, after, words):
    (warning,) = warnings(before, after)
    assert words in warning


def test_machines_of_the_same_kind_do_not_differ_by_what_moves():
    assert differences(MACHINE, MACHINE | {"load": [9, 9, 9], "temperature_c": 80}) == []


def test_another_processor_is_a_difference():
    assert differences(MACHINE, MACHINE | {"processor": "B"}) == ["processor: A against B"]
