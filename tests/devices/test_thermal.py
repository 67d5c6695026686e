from __future__ import annotations

import pytest

from edgeeff.devices.thermal import Gate, Waited, Warmth, parse, warnings
from edgeeff.errors import TargetUnavailable
from tests.devices.thermal_words import BATTERY, GALAXY, PIXEL


def test_hottest_live_sensor_of_each_kind_counts() -> None:
    warmth = parse(PIXEL, "")
    assert warmth.status == 0
    assert warmth.celsius == {
        "npu": 25.000002,
        "gpu": 26.000002,
        "cpu": 27.000002,
        "skin": 24.83324,
        "battery": 22.1,
    }


def test_cached_and_unconnected_sensors_do_not_count() -> None:
    warmth = parse(GALAXY, "")
    assert warmth.throttled
    assert warmth.celsius == {"cpu": 33.1, "battery": 31.1, "skin": 32.7}


def test_battery_is_read_in_tenths_of_a_degree() -> None:
    warmth = parse("Can't find service: thermalservice", BATTERY)
    assert warmth == Warmth(None, {"battery": 29.5}, 82, ("USB",))
    assert warmth.surface == 29.5


def test_silence_is_unknown_and_not_cool() -> None:
    assert parse("", "") == Warmth()


def waited_for(gate: Gate, *readings: Warmth) -> Waited:
    """What the gate says of a phone that gives these readings, the last one for ever."""
    left, now = list(readings), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return gate.wait(
        lambda: left.pop(0) if len(left) > 1 else left[0], sleep=sleep, clock=lambda: now[0]
    )


@pytest.mark.parametrize(
    ("hot", "word"),
    [(Warmth(2), "moderate"), (Warmth(0, {"skin": 41.0}), "41.0 °C"), (Warmth(1), "light")],
)
def test_gate_waits_until_the_phone_is_cool(hot: Warmth, word: str) -> None:
    gate = Gate(highest_celsius=36)
    assert word in gate.problem(hot)
    waited = waited_for(gate, hot, hot, Warmth(0, {"skin": 30.0}))
    assert waited.problem == ""
    assert waited.seconds == 2 * gate.interval


def test_gate_gives_up_with_the_reason() -> None:
    waited = waited_for(Gate(patience=20), Warmth(3, {"skin": 45.0}))
    assert waited.seconds == 20
    with pytest.raises(TargetUnavailable, match=r"phone X1 is too warm after 20 s.*severe"):
        waited.require_cool("X1")


def test_unknown_heat_is_let_through_and_said() -> None:
    assert Gate().problem(Warmth()) == ""
    assert "unknown" in warnings(Warmth(), Warmth())[0]


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (Warmth(0), Warmth(2), "began to throttle: thermal status none before, moderate after"),
        (Warmth(1), Warmth(1), "throttled: thermal status light"),
        (Warmth(0, powered_by=("AC", "USB")), Warmth(0), "was charging (AC, USB)"),
        (Warmth(0, battery_percent=9), Warmth(0), "battery was at 9 %"),
    ],
)
def test_what_spoils_a_figure_is_a_warning(before: Warmth, after: Warmth, word: str) -> None:
    assert word in "\n".join(warnings(before, after))


def test_a_cable_for_adb_is_no_warning() -> None:
    assert warnings(Warmth(0, powered_by=("USB",)), Warmth(0)) == ()
