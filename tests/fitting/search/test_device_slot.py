"""The one slot of a device: nobody measures beside another."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from edgeeff.fitting.search.claims import Pulse
from edgeeff.fitting.search.device_slot import device_slot
from edgeeff.fitting.search.storage import open_storage
from tests.waiting import wait_until

PULSE = Pulse(beat=0.1, grace=1.5)
PHONE = "android:0123456789"


def hold(journal: Path, device: str, log: Path, seconds: float, temporary: str) -> None:
    """Hold the slot, and say when it begins and ends; ``temporary`` stands for a machine."""
    os.environ["TMPDIR"] = temporary
    with device_slot(open_storage(journal), device, pulse=PULSE):
        with log.open("a") as opened:
            opened.write("begin\n")
        time.sleep(seconds)
        with log.open("a") as opened:
            opened.write("end\n")


def started(*arguments) -> multiprocessing.Process:
    process = multiprocessing.get_context("spawn").Process(target=hold, args=arguments)
    process.start()
    return process


@pytest.mark.slow
@pytest.mark.parametrize("device", ["local", PHONE])
@pytest.mark.parametrize("machines", [1, 2])
def test_holders_come_one_after_the_other(device, machines, tmp_path):
    folders = [tmp_path / f"machine-{number}" for number in range(machines)]
    for folder in folders:
        folder.mkdir()
    log, journal = tmp_path / "log", tmp_path / "journal"
    holders = [
        started(journal, device, log, 0.3, str(folders[number % machines])) for number in range(3)
    ]
    for holder in holders:
        holder.join(120)
        assert holder.exitcode == 0
    words = log.read_text().split()
    assert sorted(words) == ["begin"] * 3 + ["end"] * 3
    if machines == 1 or device != "local":
        assert words == ["begin", "end"] * 3


@pytest.mark.slow
def test_a_holder_that_is_killed_frees_the_slot(tmp_path):
    log, journal = tmp_path / "log", tmp_path / "journal"
    victim = started(journal, PHONE, log, 600.0, str(tmp_path))
    wait_until(log.exists, "the victim holds the slot", seconds=60)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(10)
    other = started(journal, PHONE, log, 0.0, str(tmp_path))
    other.join(120)
    assert other.exitcode == 0
    assert log.read_text().split() == ["begin", "begin", "end"]


def test_what_goes_wrong_inside_frees_the_slot(tmp_path):
    storage, patient = open_storage(tmp_path / "journal"), Pulse(beat=0.1, grace=100.0)
    with pytest.raises(ZeroDivisionError), device_slot(storage, PHONE, pulse=patient):
        raise ZeroDivisionError
    begin = time.monotonic()
    with device_slot(storage, PHONE, pulse=patient):
        assert time.monotonic() - begin < patient.grace
