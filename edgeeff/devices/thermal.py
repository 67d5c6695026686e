"""How warm a phone is, from ``dumpsys``, and waiting until a figure can be trusted."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgeeff.errors import TargetUnavailable

STATUSES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Android's throttling severities; the index is what ``Thermal Status`` prints."""

KINDS = {0: "cpu", 1: "gpu", 2: "battery", 3: "skin", 9: "npu"}
"""Android's ``TemperatureType``. The others are voltages, currents, levels or unused sensors."""

PLAUSIBLE = (5.0, 130.0)
"""Degrees Celsius; sensors that are not connected read 0, -99.9, -3.4e38 or NaN."""

READING = re.compile(r"\bTemperature\{mValue=([^,]+), mType=(-?\d+), mName=([^,}]+)")
POWERED = re.compile(r"^\s*(\w+) powered: true\b", re.MULTILINE)


@dataclass(frozen=True)
class Warmth:
    """What a phone says of its heat and power; ``None`` and empty where it does not.

    Attributes:
        status: index in ``STATUSES``; above 0 Android throttles.
        celsius: the hottest sensor of each of ``KINDS``.
        battery_percent: charge of the battery.
        powered_by: ``AC``, ``USB``, ``Wireless``, ``Dock``; a cable for adb is power too.
    """

    status: int | None = None
    celsius: Mapping[str, float] = field(default_factory=dict)
    battery_percent: int | None = None
    powered_by: tuple[str, ...] = ()

    @property
    def throttled(self) -> bool:
        """Whether Android says that it slows the phone down."""
        return bool(self.status)

    @property
    def surface(self) -> float | None:
        """Degrees of what warms and cools slowly: the skin sensor, else the battery."""
        return self.celsius.get("skin", self.celsius.get("battery"))


def parse(thermalservice: str, battery: str) -> Warmth:
    """Read ``dumpsys thermalservice`` (Android 10 and newer) and ``dumpsys battery``.

    Only live readings count: the cached ones above them can be hours old.
    """
    status = re.search(r"^\s*Thermal Status: (\d+)", thermalservice, re.MULTILINE)
    celsius: dict[str, float] = {}
    live = thermalservice.partition("Current temperatures from HAL:")[2]
    for value, kind, _ in READING.findall(live.partition("Current cooling devices")[0]):
        name, degrees = KINDS.get(int(kind)), _plausible(value)
        if name and degrees is not None:
            celsius[name] = max(degrees, celsius.get(name, degrees))
    tenths = re.search(r"^\s*temperature: (-?\d+)", battery, re.MULTILINE)
    if tenths and (degrees := _plausible(str(int(tenths.group(1)) / 10))) is not None:
        celsius["battery"] = degrees
    level = re.search(r"^\s*level: (\d+)", battery, re.MULTILINE)
    return Warmth(
        status=int(status.group(1)) if status else None,
        celsius=celsius,
        battery_percent=int(level.group(1)) if level else None,
        powered_by=tuple(POWERED.findall(battery)),
    )


@dataclass(frozen=True)
class Gate:
    """When a phone is cool enough to start.

    Attributes:
        highest_status: of ``STATUSES``; 0: Android must not throttle at all.
        highest_celsius: of the skin, else the battery.
        patience: seconds to wait for it before giving up; 0: do not wait.
        interval: seconds between two looks.
    """

    highest_status: int = 0
    highest_celsius: float = 40.0
    patience: float = 600.0
    interval: float = 5.0

    def problem(self, warmth: Warmth) -> str:
        """Why not to start now, ``""`` if nothing is known against it."""
        if warmth.status is not None and warmth.status > self.highest_status:
            return f"it throttles (thermal status {status_name(warmth.status)})"
        if warmth.surface is not None and warmth.surface > self.highest_celsius:
            return f"it has {warmth.surface:.1f} °C, more than {self.highest_celsius:.1f} °C"
        return ""

    def wait(
        self,
        read: Callable[[], Warmth],
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> Waited:
        """Wait until the phone may start, or ``patience`` is at its end.

        Args:
            read: gives its present state.
            sleep: pauses for that many seconds.
            clock: seconds that only grow.
        """
        start = clock()
        while True:
            warmth = read()
            why, seconds = self.problem(warmth), clock() - start
            if not why or seconds + self.interval > self.patience:
                return Waited(warmth, seconds, why)
            sleep(self.interval)


@dataclass(frozen=True)
class Waited:
    """How waiting ended: state, seconds, and what still speaks against starting (or ``""``)."""

    warmth: Warmth
    seconds: float
    problem: str

    def require_cool(self, name: str) -> Warmth:
        """The state, or ``TargetUnavailable`` if the phone of that name is still too warm."""
        if not self.problem:
            return self.warmth
        raise TargetUnavailable(
            f"phone {name} is too warm after {self.seconds:.0f} s of waiting: {self.problem}",
            "take it off the charger and out of its case and let it cool at 20-25 °C; "
            "or allow more: --option max_celsius=45",
        )


def warnings(before: Warmth, after: Warmth) -> tuple[str, ...]:
    """What a reader of the figure must know about the phone's heat and power."""
    found = []
    if after.throttled and after.status != before.status:
        found.append(
            f"the phone began to throttle: thermal status {status_name(before.status)} "
            f"before, {status_name(after.status)} after"
        )
    elif before.throttled:
        found.append(f"the phone throttled: thermal status {status_name(before.status)}")
    if before.status is None:
        found.append("thermal status unknown: this Android has no thermal service")
    if set(before.powered_by) - {"USB"}:
        found.append(f"the phone was charging ({', '.join(before.powered_by)}), which warms it")
    if before.battery_percent is not None and before.battery_percent < 20:
        found.append(
            f"the battery was at {before.battery_percent} %: phones save power when it is low"
        )
    return tuple(found)


def status_name(status: int | None) -> str:
    """A thermal status in words."""
    if status is None:
        return "unknown"
    return STATUSES[status] if status < len(STATUSES) else str(status)


def _plausible(text: str) -> float | None:
    try:
        degrees = float(text)
    except ValueError:
        return None
    low, high = PLAUSIBLE
    return degrees if math.isfinite(degrees) and low <= degrees <= high else None
