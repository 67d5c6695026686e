"""Where golden vectors are computed again: in this process, or on a target of a device."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeeff import devices
from edgeeff.accelerators.cpu import provenance
from edgeeff.accelerators.plan import Facts, Plan
from edgeeff.bundling import golden
from edgeeff.devices import Device
from edgeeff.errors import TargetUnavailable, UsageError
from edgeeff.files import sha256
from edgeeff.tflite.probe import probe
from edgeeff.tflite.runner import Runner, TensorInfo, runtime_version

TIMEOUT = 300.0
"""Seconds that a board may take for one inference, or to load."""


@dataclass(frozen=True)
class Opened:
    """A model that is loaded somewhere.

    Attributes:
        input: what ``run`` takes.
        output: what ``run`` gives.
        sha256: of the file where it runs, computed there.
        facts: how it runs.
        run: the raw output for a raw input.
    """

    input: TensorInfo
    output: TensorInfo
    sha256: str
    facts: Facts
    run: Callable[[NDArray[Any]], NDArray[Any]]


class Place(Protocol):
    """Where models are run."""

    @property
    def device(self) -> str:
        """As ``--device`` names it."""

    @property
    def target(self) -> str:
        """The accelerator."""

    @property
    def machine(self) -> str:
        """The processor's architecture; empty if it is not known."""

    def opened(self, model: Path) -> contextlib.AbstractContextManager[Opened]:
        """A model there.

        Raises:
            InputError: the runtime cannot run it.
            TargetUnavailable: nothing there can.
        """


@dataclass(frozen=True)
class Here:
    """The process that asks, on its CPU."""

    device: str = "local"
    target: str = "cpu"
    machine: str = platform.machine()

    @contextlib.contextmanager
    def opened(self, model: Path) -> Iterator[Opened]:
        """A model of any origin: a child process tries it first."""
        probe(model)
        runner = Runner(model, threads=golden.THREADS)
        facts = Facts(provenance(), runtime_version())
        ends = (runner.inputs[0], runner.outputs[0])
        yield Opened(*ends, sha256(model), facts, lambda values: runner.run(values)[0])


@dataclass(frozen=True)
class There:
    """A target of a device, in processes of its own."""

    at: Device
    target: str
    machine: str

    @property
    def device(self) -> str:
        """As results name it."""
        return self.at.name

    @contextlib.contextmanager
    def opened(self, model: Path) -> Iterator[Opened]:
        """A model that is copied there. This computer's runtime says what its ends are."""
        probe(model)
        here = Runner(model, threads=golden.THREADS)
        ends = (here.inputs[0], here.outputs[0])
        del here
        plan = Plan(threads=golden.THREADS, timeout=TIMEOUT)
        with self.at.bench(model, self.target, plan) as bench:
            loaded = bench.load()

            def run(values: NDArray[Any]) -> NDArray[Any]:
                (found, *_) = bench.answer([np.ascontiguousarray(values)])
                return found.reshape(ends[1].shape)

            yield Opened(*ends, bench.sha256(), loaded.facts, run)


@contextlib.contextmanager
def place(device: str = "local", target: str = "cpu") -> Iterator[Place]:
    """The place that ``--device`` and ``--target`` name.

    Raises:
        UsageError: no such device or target, or several devices.
        TargetUnavailable: it is not connected, or the target cannot be used there.
    """
    if (device, target) == ("local", "cpu"):
        yield Here()
        return
    found = devices.connect(device)
    try:
        if len(found) != 1:
            raise UsageError(f"{device} names {len(found)} devices", "name one: android:SERIAL")
        status = found[0].probe(target)
        if status.state == "unavailable":
            raise TargetUnavailable(status.reason, status.fix)
        yield There(found[0], target, str(found[0].machine().get("machine") or ""))
    finally:
        for each in found:
            each.close()
