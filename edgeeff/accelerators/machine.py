"""What the machine a worker runs on says about itself; nothing is ever changed here."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from edgeeff import extras

PACKAGES = ("edgeeff", "ai-edge-litert", "tflite-runtime", "numpy")
"""Whose versions a figure depends on."""

FEATURES = {
    # x86: the vector widths and 8-bit dot products that decide what int8 is worth.
    *("avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8"),
    # ARM, as Linux calls them: dot product, int8 matrix product, half precision, SVE.
    *("asimd", "asimddp", "i8mm", "asimdhp", "fphp", "sve", "sve2", "bf16"),
}
"""Processor features that change which kernels run."""

CPUFREQ = "/sys/devices/system/cpu/cpu{}/cpufreq/{}"
TURBO = {
    "/sys/devices/system/cpu/intel_pstate/no_turbo": {"0": True, "1": False},
    "/sys/devices/system/cpu/cpufreq/boost": {"1": True, "0": False},
}


def read_machine() -> dict[str, Any]:
    """The machine now, as JSON values; ``None`` is what cannot be read here.

    Returns:
        ``STEADY`` keys stay as they are while a machine runs; the ``MOVING`` ones are worth
        reading before and after a measurement.
    """
    return {name: _or_none(read) for name, read in (STEADY | MOVING).items()}


def _or_none(read: Callable[[], Any]) -> Any:
    """What can be read, ``None`` where a container or an emulator leaves out what psutil reads."""
    try:
        return read()
    except (NotImplementedError, OSError, psutil.Error, ValueError):
        return None


def resident_bytes() -> int:
    """Resident memory of this process now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int | None:
    """The most resident memory this process ever had, in bytes; ``None`` where unknown.

    Linux: VmHWM, because ``ru_maxrss`` also counts the process that started this one.
    """
    status = _text("/proc/self/status")
    if status is not None:
        found = _field(status, "VmHWM")
        return int(found.split()[0]) * 1024 if found else None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def processor_name() -> str:
    """The processor's name as the system tells it."""
    cpuinfo = _text("/proc/cpuinfo") or ""
    for key in ("model name", "Model", "Hardware"):
        if found := _field(cpuinfo, key):
            return found
    return _text("/proc/device-tree/model") or platform.processor() or platform.machine()


def emulated() -> bool:
    """Whether user-mode qemu plays this processor: its figures say nothing about a real one.

    qemu-user shows parts of the host's /proc, whose x86 vendor contradicts an ARM machine.
    """
    arm = platform.machine() in ("aarch64", "armv7l", "armv6l")
    vendor = _field(_text("/proc/cpuinfo") or "", "vendor_id") or ""
    return arm and vendor in ("GenuineIntel", "AuthenticAMD")


def _features() -> list[str] | None:
    text = _text("/proc/cpuinfo") or ""
    flags = _field(text, "flags") or _field(text, "Features")
    return sorted(FEATURES & set(flags.split())) if flags else None


def _affinity() -> list[int] | None:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return None


def _governors() -> list[str] | None:
    return _each_core("scaling_governor")


def _frequencies() -> list[int] | None:
    cores = _each_core("scaling_cur_freq", distinct=False)
    if cores is not None:
        return [int(frequency) // 1000 for frequency in cores]
    text = _text("/proc/cpuinfo") or ""
    found = [line.partition(":")[2] for line in text.splitlines() if line.startswith("cpu MHz")]
    return [round(float(value)) for value in found] or None


def _most_frequency() -> int | None:
    cores = _each_core("cpuinfo_max_freq")
    return max(int(frequency) for frequency in cores) // 1000 if cores else None


def _each_core(name: str, *, distinct: bool = True) -> list[str] | None:
    texts = [_text(CPUFREQ.format(core, name)) for core in range(os.cpu_count() or 0)]
    known = [text for text in texts if text]
    return (sorted(set(known)) if distinct else known) or None


def _turbo() -> bool | None:
    for path, meaning in TURBO.items():
        text = _text(path)
        if text in meaning:
            return meaning[text]
    return None


def _virtual() -> bool | None:
    flags = _field(_text("/proc/cpuinfo") or "", "flags")
    return "hypervisor" in flags.split() if flags else None


def _load() -> list[float] | None:
    if not hasattr(os, "getloadavg"):
        return None
    return [round(value, 2) for value in os.getloadavg()]


def _container() -> dict[str, Any]:
    """Limits of the control group: cores' worth of time, bytes of memory; ``None``: no limit."""
    cores = None
    quota = (_text("/sys/fs/cgroup/cpu.max") or "max").split()
    if quota[0] != "max" and len(quota) == 2:
        cores = int(quota[0]) / int(quota[1])
    else:
        old = _number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _number("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
        if old is not None and old > 0 and period:
            cores = old / period
    memory = _number("/sys/fs/cgroup/memory.max")
    return {"cores": cores, "memory_bytes": memory}


def _temperature() -> float | None:
    """The hottest sensor in degrees Celsius."""
    if hasattr(psutil, "sensors_temperatures"):
        chips = psutil.sensors_temperatures()
        found = [sensor.current for chip in chips.values() for sensor in chip if sensor.current]
        if found:
            return float(max(found))
    zones = Path("/sys/class/thermal").glob("thermal_zone*/temp")
    degrees = [value / 1000 for zone in zones if (value := _number(str(zone))) is not None]
    return max(degrees) if degrees else None


def _battery() -> dict[str, Any] | None:
    if not hasattr(psutil, "sensors_battery"):
        return None
    battery = psutil.sensors_battery()
    if battery is None:
        return None
    return {"percent": round(float(battery.percent)), "plugged": battery.power_plugged}


def _thermal_status() -> None:
    """Only phones say how much they throttle."""


STEADY: dict[str, Callable[[], Any]] = {
    "system": platform.platform,
    "machine": platform.machine,
    "processor": processor_name,
    "features": _features,
    "cores": os.cpu_count,
    "affinity": _affinity,
    "memory_bytes": lambda: int(psutil.virtual_memory().total),
    "container": _container,
    "virtual": _virtual,
    "emulated": emulated,
    "turbo": _turbo,
    "max_frequency_mhz": _most_frequency,
    "python": platform.python_version,
    "packages": lambda: extras.versions(PACKAGES),
}

MOVING: dict[str, Callable[[], Any]] = {
    "time": lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    "governors": _governors,
    "frequencies_mhz": _frequencies,
    "load": _load,
    "available_memory_bytes": lambda: int(psutil.virtual_memory().available),
    "temperature_c": _temperature,
    "battery": _battery,
    "thermal_status": _thermal_status,
}


def _field(text: str, key: str) -> str | None:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.strip():
            return value.strip()
    return None


def _number(path: str) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
