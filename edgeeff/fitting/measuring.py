"""Candidates are built and timed, each in turn with one and the same network of its precision."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from edgeeff import files
from edgeeff.accelerators.plan import Plan
from edgeeff.devices import Device
from edgeeff.errors import EdgeeffError, TargetUnavailable
from edgeeff.fitting.building import Builder, Order
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.choosing import Next
from edgeeff.fitting.measured import Measured, Timing
from edgeeff.fitting.settings import FitSettings
from edgeeff.fitting.targets import runnable
from edgeeff.fitting.timing import timing
from edgeeff.progress import Progress


@dataclass(frozen=True)
class Attempt:
    """A measurement, and the error that it ended in."""

    measured: Measured
    error: EdgeeffError | None = None


@dataclass(frozen=True)
class Measurer:
    """Builds candidates and times them; without a device, they are only built.

    Attributes:
        scratch: a folder for files that do not last.
        references: the networks that are timed in turn with all others, by precision.
    """

    device: Device | None
    settings: FitSettings
    scratch: Path
    builder: Builder
    progress: Progress
    references: dict[str, Candidate] = field(default_factory=dict)

    def measured(self, following: Next) -> Attempt:
        """Build a candidate and time it. What goes wrong with it is noted.

        Raises:
            TargetUnavailable: the device does not even run what it ran before.
        """
        candidate, role = following.candidate, following.role
        reference = self.references.get(candidate.precision, candidate)
        try:
            model = self._built(candidate)
            time = self._timed(model, self.settings.plan, self._built(reference))
            size = model.stat().st_size
            self.references.setdefault(candidate.precision, candidate)
        except EdgeeffError as error:
            self._require_device()
            return Attempt(Measured(candidate, role, error=error.message), error)
        finally:
            if candidate not in self.references.values():
                self._forget(self._path(candidate))
        return Attempt(Measured(candidate, role, size, time))

    def again(self, model: Path) -> Timing | None:
        """Time a file at length."""
        try:
            return self._timed(model, self.settings.winners_plan)
        finally:
            self._forget_there(model)

    def close(self) -> None:
        """Take the networks away that the others were timed with."""
        for candidate in self.references.values():
            self._forget(self._path(candidate))

    def _path(self, candidate: Candidate) -> Path:
        name = f"{candidate.variant}-{candidate.resolution}-{candidate.precision}.tflite"
        return self.scratch / name

    def _built(self, candidate: Candidate) -> Path:
        """The file of a candidate, which is built if it is not there."""
        path = self._path(candidate)
        if not path.exists():
            paths = {candidate.precision: path}
            with self.progress.stage(f"build {candidate}"):
                self.builder.build(
                    Order(candidate.variant, candidate.resolution, self.settings.classes, paths)
                )
            runnable(path, self.settings.target).replace(path)
        return path

    def _forget(self, model: Path) -> None:
        """Remove a file here and on the device."""
        if model.exists():
            self._forget_there(model)
            model.unlink()

    def _forget_there(self, model: Path) -> None:
        if self.device is not None:
            with contextlib.suppress(TargetUnavailable):
                self.device.forget(files.read_bytes(model))

    def _require_device(self) -> None:
        for candidate in self.references.values():
            if self.device is not None:
                self._timed(self._built(candidate), self.settings.plan)
                return

    def _timed(self, model: Path, plan: Plan, reference: Path | None = None) -> Timing | None:
        if self.device is None:
            return None
        target = self.settings.target
        return timing(self.device, model, target, plan, self.progress, reference=reference)
