from __future__ import annotations

from pathlib import Path

import pytest

from edgeeff.devices import adb
from edgeeff.devices.adb import STATES, Phone, choose, parse_devices
from edgeeff.errors import TargetUnavailable

LISTED = """\
* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
R5CT20ABCDE            device usb:1-4 product:r0s model:SM_S901B device:r0s transport_id:1
emulator-5554          offline transport_id:3
0A041FDD4003XY         unauthorized usb:1-5 transport_id:4
????????????           no permissions (user in plugdev group; are your udev rules wrong?); \
see [http://developer.android.com/tools/device.html] usb:1-6 transport_id:2
192.168.1.20:5555      device product:raven model:Pixel_6_Pro device:raven transport_id:5

"""

READY = Phone("A1", "device")
OTHER = Phone("B2", "device")
LOCKED = Phone("C3", "unauthorized")


def test_every_listed_phone_is_read() -> None:
    assert parse_devices(LISTED) == (
        Phone("R5CT20ABCDE", "device", "SM_S901B"),
        Phone("emulator-5554", "offline"),
        Phone("0A041FDD4003XY", "unauthorized"),
        Phone("????????????", "no permissions"),
        Phone("192.168.1.20:5555", "device", "Pixel_6_Pro"),
    )


def test_an_empty_list_has_no_phones() -> None:
    assert parse_devices("List of devices attached\n\n") == ()


@pytest.mark.parametrize(
    ("found", "serial", "expected"),
    [
        ([READY], "", (READY,)),
        ([READY, LOCKED], "", (READY,)),
        ([LOCKED], "", (LOCKED,)),
        ([READY, OTHER], "B2", (OTHER,)),
        ([READY, OTHER, LOCKED], "all", (READY, OTHER, LOCKED)),
    ],
)
def test_the_phone_that_is_meant(found: list[Phone], serial: str, expected: tuple[Phone]) -> None:
    assert choose(found, serial) == expected


@pytest.mark.parametrize(
    ("found", "serial", "message"),
    [
        ([], "", "no phone is connected"),
        ([], "all", "no phone is connected"),
        ([READY, OTHER], "", "2 phones are connected and none was named: A1, B2"),
        ([READY], "Z9", "phone Z9 is not connected"),
    ],
)
def test_a_phone_that_is_not_clear_is_an_error(
    found: list[Phone], serial: str, message: str
) -> None:
    with pytest.raises(TargetUnavailable, match=message) as caught:
        choose(found, serial)
    assert caught.value.hint


@pytest.mark.parametrize("state", [*STATES, "rescue"])
def test_a_phone_that_is_not_ready_says_what_to_do(state: str) -> None:
    with pytest.raises(TargetUnavailable, match="phone A1") as caught:
        Phone("A1", state).require_ready()
    assert caught.value.hint


def test_an_adb_that_hangs_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "adb"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(adb, "SHORT", 0.2)
    with pytest.raises(TargetUnavailable, match="adb does not answer") as caught:
        adb.phones()
    assert "adb kill-server" in caught.value.hint


def test_without_adb_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(TargetUnavailable, match="adb is not on PATH"):
        adb.phones()
