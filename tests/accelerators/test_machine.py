import json

import psutil
import pytest

from edgeeff.accelerators import machine


def test_a_machine_is_json_and_unknown_is_null():
    found = machine.read_machine()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == set(machine.STEADY) | set(machine.MOVING)


def test_what_every_system_knows_is_there():
    found = machine.read_machine()
    assert found["processor"]
    assert found["cores"] >= 1
    assert found["memory_bytes"] > found["available_memory_bytes"] > 0
    assert found["packages"]["numpy"]
    assert found["time"].endswith("Z")


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ("sensors_battery", "battery"),
        ("sensors_temperatures", "temperature_c"),
        ("virtual_memory", "memory_bytes"),
    ],
)
def test_what_a_container_leaves_out_is_null(missing, field, monkeypatch):
    def absent() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/sys/class/power_supply")

    monkeypatch.setattr(psutil, missing, absent, raising=False)
    found = machine.read_machine()
    assert found["cores"] >= 1
    assert found[field] is None


def test_the_peak_is_at_least_what_is_resident():
    held = bytearray(30_000_000)
    held[::4096] = b"x" * len(held[::4096])
    assert machine.peak_bytes() >= 30_000_000
    del held
    assert machine.peak_bytes() >= machine.resident_bytes()


def test_x86_under_another_architecture_is_emulation(monkeypatch):
    texts = {"/proc/cpuinfo": "processor : 0\nvendor_id : GenuineIntel\nmodel name : Xeon\n"}
    monkeypatch.setattr(machine, "_text", texts.get)
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    assert machine.emulated()
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    assert not machine.emulated()


def test_a_boards_model_is_its_processors_name(monkeypatch):
    texts = {"/proc/cpuinfo": "processor\t: 0\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"}
    monkeypatch.setattr(machine, "_text", texts.get)
    assert machine.processor_name() == "Raspberry Pi 5 Model B Rev 1.0"


def test_container_limits_are_read_from_the_control_group(monkeypatch):
    texts = {"/sys/fs/cgroup/cpu.max": "150000 100000", "/sys/fs/cgroup/memory.max": "1073741824"}
    monkeypatch.setattr(machine, "_text", texts.get)
    assert machine._container() == {"cores": 1.5, "memory_bytes": 1 << 30}
    monkeypatch.setattr(machine, "_text", {"/sys/fs/cgroup/cpu.max": "max 100000"}.get)
    assert machine._container() == {"cores": None, "memory_bytes": None}
