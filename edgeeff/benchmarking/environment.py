"""The environment a figure holds in: recorded before and after, and told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Machine = Mapping[str, Any]

IDENTITY = (
    "system",
    "machine",
    "processor",
    "features",
    "cores",
    "affinity",
    "memory_bytes",
    "container",
    "turbo",
    "emulated",
)
"""Keys of ``accelerators.machine`` that must be the same for two figures to be comparable."""

BUSY = 0.6
"""Load average per core above which other programs disturb; a benchmark before adds 1 itself."""

SLOWED = 0.1
"""Loss of frequency during the measurement, as a share, that must be told."""

HOT_CELSIUS = 85.0


@dataclass(frozen=True)
class Environment:
    """One device before and after it was measured, as ``accelerators.machine`` reads it."""

    device: str
    before: Machine
    after: Machine

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"device": self.device, "before": dict(self.before), "after": dict(self.after)}

    def warnings(self) -> list[str]:
        """What in the environment a reader of the figures must know, with what to do."""
        words = []
        governors = self.before.get("governors")
        if governors and set(governors) != {"performance"}:
            words.append(
                f"frequency governor {', '.join(governors)}: clocks change while measuring "
                "(to fix them: sudo cpupower frequency-set -g performance)"
            )
        load, cores = self.before.get("load"), self.before.get("cores")
        if load and cores and load[0] > BUSY * cores:
            words.append(f"other programs are running (load {load[0]:g} on {cores} cores)")
        words += self._slowed()
        battery = self.before.get("battery")
        if battery and battery.get("plugged") is False:
            words.append("on battery: the processor may be held back")
        return words

    def _slowed(self) -> list[str]:
        words = []
        before, after = self.before.get("frequencies_mhz"), self.after.get("frequencies_mhz")
        if before and after and max(after) < (1 - SLOWED) * max(before):
            words.append(
                f"the clock fell from {max(before)} to {max(after)} MHz: throttled, let it cool"
            )
        if self.after.get("thermal_status"):
            words.append(f"the phone throttled (thermal status {self.after['thermal_status']})")
        temperature = self.after.get("temperature_c")
        if temperature and temperature > HOT_CELSIUS:
            words.append(f"{temperature:g} degrees Celsius at the end: it may have throttled")
        return words


def differences(first: Machine, second: Machine) -> list[str]:
    """How two machines differ in what decides speed: ``key: this, that``; empty: they do not."""
    return [
        f"{key}: {first.get(key)} against {second.get(key)}"
        for key in IDENTITY
        if first.get(key) != second.get(key)
    ]
