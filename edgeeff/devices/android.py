"""Android phones, through adb and LiteRT's ``benchmark_model``."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from edgeeff.accelerators.machine import MOVING, STEADY
from edgeeff.accelerators.plan import HARDWARE, Plan, TargetStatus
from edgeeff.devices import adb, benchmark_model, thermal
from edgeeff.devices.adb import Adb, Phone
from edgeeff.devices.android_bench import AndroidBench, Place, opened
from edgeeff.devices.android_system import (
    System,
    read_gpu,
    read_machine,
    read_system,
    read_warmth,
    software_gpu,
)
from edgeeff.devices.stop import Stop
from edgeeff.errors import EdgeeffError, TargetUnavailable, UsageError
from edgeeff.files import read_bytes

DIRECTORY = PurePosixPath("/data/local/tmp/edgeeff")
"""On the phone: the one place where adb's shell may write and run programs."""

WARMER = 2.0
"""Degrees Celsius that a later model may start above the first one."""

TARGETS = ("cpu", "gpu")
"""Those of ``accelerators.TARGETS`` that a phone has."""


@dataclass
class Android:
    """One phone.

    Args:
        phone: as ``adb devices`` lists it.
        directory: on the phone, for models, programs and work.
        stop: what ``interrupt`` sets.
    """

    phone: Phone
    directory: PurePosixPath = DIRECTORY
    stop: Stop = field(default_factory=Stop)
    _first: float | None = None
    _trouble: TargetUnavailable | None = None

    @property
    def name(self) -> str:
        """``android:SERIAL``."""
        return f"android:{self.phone.serial}"

    @cached_property
    def adb(self) -> Adb:
        """The connection. Raises ``TargetUnavailable`` if the phone is not ready."""
        self.phone.require_ready()
        return Adb(self.phone.serial, self.stop)

    @cached_property
    def system(self) -> System:
        """The phone's properties."""
        return read_system(self.adb)

    def probe(self, target: str) -> TargetStatus:
        """Whether the phone has what the target needs; whether its GPU works shows a run."""
        try:
            _require(target)
            program = self._program({})
            provenance = self._provenance(program, target)
        except EdgeeffError as error:
            return TargetStatus(target, "unavailable", reason=error.message, fix=error.hint)
        return TargetStatus(
            target,
            "available" if provenance == HARDWARE else "software",
            provenance=provenance,
            adapter=self._adapter(target),
            version=_version(program),
            reason="" if provenance == HARDWARE else f"figures are {provenance}",
        )

    def machine(self) -> dict[str, Any]:
        """The phone now, as ``android_system.read_machine`` does; all ``None`` if it is gone."""
        try:
            return read_machine(self.adb, self.system)
        except TargetUnavailable:
            return dict.fromkeys(STEADY | MOVING)

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """Wait until the phone is cool and does not throttle.

        A phone that is not ready, or still too warm after that, says so in ``bench``: so one of
        several phones does not stop the others.

        Plan options: ``max_celsius`` (40) and ``cool_down`` (600), seconds to wait at most.
        """
        gate = thermal.Gate(
            highest_celsius=_number(plan, "max_celsius", thermal.Gate.highest_celsius),
            patience=_number(plan, "cool_down", thermal.Gate.patience),
        )
        self._trouble = None
        try:
            return tuple(self._cool(gate))
        except TargetUnavailable as error:
            self._trouble = error
            return ()

    def _cool(self, gate: thermal.Gate) -> list[str]:
        warmth = gate.wait(self._warmth, sleep=self.stop.sleep).require_cool(self.phone.serial)
        found = list(thermal.warnings(warmth, warmth))
        if self._first is None:
            self._first = warmth.surface
        else:
            limit = min(gate.highest_celsius, self._first + WARMER)
            closer = dataclasses.replace(gate, highest_celsius=limit)
            later = closer.wait(self._warmth, sleep=self.stop.sleep)
            if later.problem:
                found.append(f"the phone is warmer than when it began: {later.problem}")
        return found

    def bench(self, model: Path, target: str, plan: Plan) -> AbstractContextManager[AndroidBench]:
        """A directory on the phone with the model and the program, unless they are there.

        Plan options: ``benchmark_model`` (path of the program), ``precision`` (``fp32`` or
        ``fp16``, gpu), ``xnnpack`` (``on`` or ``off``, cpu).
        """
        if self._trouble is not None:
            raise self._trouble
        _require(target)
        if plan.options.get("precision", "fp32") not in ("fp32", "fp16"):
            raise UsageError(f"no precision {plan.options['precision']!r}", "fp32 or fp16")
        program = self._program(plan.options)
        content = read_bytes(model)
        place = Place(
            adb=self.adb,
            executable=self.directory / "bin" / _sha256(read_bytes(program)),
            model=self._place(content),
            work=self.directory / f"work-{secrets.token_hex(6)}",
            runtime=_version(program),
            provenance=self._provenance(program, target),
            adapter=self._adapter(target),
        )
        self.adb.push(content, place.model)
        self.adb.push(read_bytes(program), place.executable, executable=True)
        return opened(AndroidBench(place, model, plan, target == "gpu"))

    def forget(self, content: bytes) -> None:
        """Take the copy of a model away. Raises ``TargetUnavailable``."""
        self.adb.remove(self._place(content))

    def interrupt(self) -> None:
        """End what a thread waits for on this phone; it cleans up there, and the program ends."""
        self.stop.set()

    def close(self) -> None:
        """Models and programs stay for the next time; benches clean up after themselves."""

    def _place(self, content: bytes) -> PurePosixPath:
        return self.directory / "models" / f"{_sha256(content)}.tflite"

    def _warmth(self) -> thermal.Warmth:
        return read_warmth(self.adb)

    def _program(self, options: Any) -> Path:
        return benchmark_model.locate(self.system.abis, options.get("benchmark_model", ""))

    def _adapter(self, target: str) -> str:
        return read_gpu(self.adb) if target == "gpu" else self.system.processor

    def _provenance(self, program: Path, target: str) -> str:
        if not benchmark_model.abi_of(read_bytes(program)):
            return "test-double"  # a script: whatever it prints, no phone computed it
        if self.system.emulator:
            return "emulated"
        return "software" if software_gpu(self._adapter(target)) else HARDWARE


def connect(address: str) -> list[Android]:
    """The phones of ``android``, ``android:SERIAL`` or ``android:all``.

    With ``all``, a phone that is not ready says so when it is used; the others go on.

    Raises:
        TargetUnavailable: none, not that one, not ready, or several and none was named.
    """
    serial = address.partition(":")[2]
    devices = [Android(phone, DIRECTORY) for phone in adb.choose(adb.phones(), serial)]
    if serial != "all":
        devices[0].phone.require_ready()
    return devices


def _require(target: str) -> None:
    if target not in TARGETS:
        raise TargetUnavailable(
            f"phones have no {target} target", f"--target {' or '.join(TARGETS)}"
        )


def _number(plan: Plan, name: str, default: float) -> float:
    text = plan.options.get(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name} is no number: {text!r}", f"such as {name}={default:g}")
    return number


def _version(program: Path) -> str:
    folder = program.parent.parent
    version = f" {folder.name}" if folder.parent == benchmark_model.cache() else ""
    return f"benchmark_model{version} (sha256 {_sha256(read_bytes(program))[:12]})"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
