"""What an Android phone says about itself: properties, processor, heat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeeff.accelerators.machine import MOVING, STEADY
from edgeeff.devices import thermal
from edgeeff.devices.adb import Adb
from edgeeff.errors import TargetUnavailable

PROPERTY = re.compile(r"^\[([^\]]+)\]: \[(.*)\]$", re.MULTILINE)

EMULATORS = frozenset({"goldfish", "ranchu", "cutf_cvm", "vbox86"})
"""``ro.hardware`` of virtual phones."""

SOFTWARE_GPUS = ("swiftshader", "llvmpipe", "lavapipe", "software")

PROBE = """
for f in /sys/devices/system/cpu/cpufreq/policy*; do
  [ -d "$f" ] || continue
  echo "governor ${f##*/} $(cat $f/scaling_governor 2>/dev/null)"
  echo "khz ${f##*/} $(cat $f/scaling_cur_freq 2>/dev/null)"
done
echo "cores $(cat /sys/devices/system/cpu/possible 2>/dev/null)"
echo "load $(cat /proc/loadavg 2>/dev/null)"
grep -E '^Mem(Total|Available):' /proc/meminfo 2>/dev/null
true
"""
"""Prints what /sys and /proc show to adb's shell, a line each; phones hide some of it."""


@dataclass(frozen=True)
class System:
    """A phone's properties.

    Attributes:
        name: manufacturer and model.
        android: release and API level, such as ``Android 14 (API 34)``.
        abis: processor interfaces its programs may have, best first.
        processor: the chip's name.
        emulator: a virtual phone: its figures are emulated.
        fingerprint: of the system image, which updates change.
    """

    name: str
    android: str
    abis: tuple[str, ...]
    processor: str
    emulator: bool
    fingerprint: str


def read_system(adb: Adb) -> System:
    """Ask a phone for its properties. Raises ``TargetUnavailable`` if it is no Android."""
    answer = adb.attempt(["getprop"])
    found = dict(PROPERTY.findall(answer.output))
    if answer.status or not found:
        raise TargetUnavailable(
            f"{adb.serial} speaks adb but is no Android: {answer.reason}",
            "boards with Linux: --device ssh://user@host",
        )
    return parse_properties(found)


def parse_properties(found: Mapping[str, str]) -> System:
    """Read the properties that ``getprop`` lists, by name."""

    def first(*names: str) -> str:
        return next((found[name] for name in names if found.get(name)), "")

    maker, model = first("ro.product.manufacturer"), first("ro.product.model")
    abis = first("ro.product.cpu.abilist", "ro.product.cpu.abi")
    chip = (first("ro.soc.manufacturer"), first("ro.soc.model"))
    virtual = first("ro.kernel.qemu", "ro.boot.qemu") == "1"
    release, level = first("ro.build.version.release"), first("ro.build.version.sdk")
    return System(
        name=f"{maker} {model}".strip() or "unknown",
        android=f"Android {release or 'unknown'} (API {level or 'unknown'})",
        abis=tuple(filter(None, abis.split(","))),
        processor=" ".join(filter(None, chip)) or first("ro.board.platform", "ro.hardware"),
        emulator=virtual or first("ro.hardware") in EMULATORS,
        fingerprint=first("ro.build.fingerprint"),
    )


def read_warmth(adb: Adb) -> thermal.Warmth:
    """Ask a phone for its heat; a service it does not have leaves fields unknown."""
    service = adb.attempt(["dumpsys", "thermalservice"])
    battery = adb.attempt(["dumpsys", "battery"])
    return thermal.parse(service.output, battery.output)


def read_gpu(adb: Adb) -> str:
    """The GPU's name as SurfaceFlinger tells it, ``""`` where it does not."""
    answer = adb.attempt(["dumpsys", "SurfaceFlinger"])
    found = re.search(r"^\s*GLES: (.+)$", answer.output, re.MULTILINE)
    if found is None:
        return ""
    # "vendor, renderer, OpenGL ES version": the renderer is the adapter.
    parts = [part.strip() for part in found.group(1).split(",")]
    return parts[1] if len(parts) > 1 else parts[0]


def software_gpu(name: str) -> bool:
    """Whether a GPU's name is that of a program on the processor."""
    return any(word in name.lower() for word in SOFTWARE_GPUS)


def read_machine(adb: Adb, system: System) -> dict[str, Any]:
    """The phone now, as JSON values; ``None`` is what it does not tell.

    Keys are those of ``accelerators.machine.read_machine`` where they mean the same. Governor and
    clock are per cluster here (``clusters``), and nobody can fix them on a phone; the battery
    has no ``plugged``: the cable of adb is power, and a phone is better measured without.
    """
    output = adb.script(PROBE).output
    warmth = read_warmth(adb)
    loads = re.search(r"^load ([\d.]+) ([\d.]+) ([\d.]+)", output, re.MULTILINE)
    cores = re.search(r"^cores 0-(\d+)$", output, re.MULTILINE)
    return {
        **dict.fromkeys(STEADY | MOVING),
        "system": f"{system.name}, {system.android}",
        "machine": system.abis[0] if system.abis else None,
        "processor": system.processor or None,
        "cores": int(cores.group(1)) + 1 if cores else None,
        "memory_bytes": _kilobytes(output, "MemTotal"),
        "emulated": system.emulator,
        "fingerprint": system.fingerprint or None,
        "time": MOVING["time"](),
        "clusters": _clusters(output) or None,
        "load": [float(load) for load in loads.groups()] if loads else None,
        "available_memory_bytes": _kilobytes(output, "MemAvailable"),
        "temperature_c": warmth.surface,
        "temperatures_c": dict(warmth.celsius) or None,
        "battery": {"percent": warmth.battery_percent, "powered_by": list(warmth.powered_by)},
        "thermal_status": warmth.status,
    }


def _clusters(output: str) -> dict[str, dict[str, Any]]:
    """Governor and present clock of each group of cores."""
    found: dict[str, dict[str, Any]] = {}
    for policy, governor in re.findall(r"^governor (\S+) (\S+)$", output, re.MULTILINE):
        found.setdefault(policy, {})["governor"] = governor
    for policy, khz in re.findall(r"^khz (\S+) (\d+)$", output, re.MULTILINE):
        found.setdefault(policy, {})["mhz"] = int(khz) // 1000
    return found


def _kilobytes(text: str, name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else None
