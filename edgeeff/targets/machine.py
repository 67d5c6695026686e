"""What the machine a worker runs on says about itself."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import psutil


def resident_bytes() -> int:
    """Resident memory of this process now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int | None:
    """The most resident memory this process ever had, in bytes; ``None`` where unknown.

    Linux: VmHWM, because ``ru_maxrss`` also counts the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def processor_name() -> str:
    """The processor's name as the system tells it."""
    for key in ("model name", "Model", "Hardware"):
        if found := _cpuinfo(key):
            return found
    model = _text("/proc/device-tree/model")
    return model or platform.processor() or platform.machine()


def emulated() -> bool:
    """Whether user-mode qemu plays this processor: its figures say nothing about a real one.

    qemu-user shows the host's /proc/cpuinfo, whose vendor contradicts the machine type.
    """
    arm = platform.machine() in ("aarch64", "armv7l", "armv6l")
    vendor = _cpuinfo("vendor_id") or ""
    return arm and vendor in ("GenuineIntel", "AuthenticAMD")


def read_machine() -> dict[str, Any]:
    """The machine now, as JSON values; ``None`` is what cannot be read here."""
    return {"system": platform.platform(), "machine": platform.machine()}


def _cpuinfo(key: str) -> str | None:
    text = _text("/proc/cpuinfo") or ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key and value.strip():
            return value.strip()
    return None


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
