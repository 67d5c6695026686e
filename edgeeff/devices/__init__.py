"""Devices: where a benchmark runs. Each alone in its module."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edgeeff import accelerators
from edgeeff.accelerators.plan import Loaded, Plan, Profile, Samples, TargetStatus, WarmedUp
from edgeeff.errors import UsageError, unknown_name

DEVICES = {
    "local": "edgeeff.devices.local",
    "ssh": "edgeeff.devices.ssh",
    "android": "edgeeff.devices.android",
}
"""Kind of device to its module, imported when it is asked for.

A module has ``connect(address: str) -> list[Device]``; ``address`` is the whole text of
``--device``.
"""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "android": ("benchmark_model", "max_celsius", "cool_down"),
}
"""What ``Plan.options`` may hold for a kind of device, beside what its targets take."""

Progress = Callable[[int], None]


class Bench(Protocol):
    """One model on one target of one device, in a process of its own.

    Calls come in this order: ``load``, ``warm_up``, ``verify``, any number of ``sample``.
    ``memory`` and ``profile`` come alone, on a bench of their own (``memory`` after ``load``);
    ``answer`` and ``sha256`` any number of times after ``load``.
    Every call may raise ``TargetUnavailable``; other benches go on then.
    """

    def load(self) -> Loaded:
        """Open the model."""

    def warm_up(self, progress: Progress | None = None) -> WarmedUp:
        """Run until timings settle, as the plan says."""

    def verify(self) -> dict[str, Any]:
        """Prove that the outputs are right; ``{}`` where the device cannot.

        Raises:
            GateFailed: they are not; no figure is given then.
        """

    def sample(
        self,
        *,
        min_runs: int,
        min_seconds: float,
        max_seconds: float,
        progress: Progress | None = None,
    ) -> Samples:
        """Time inferences until both minima are reached, or ``max_seconds``."""

    def answer(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The raw outputs for raw inputs of exactly the model's shapes and types."""

    def sha256(self) -> str:
        """That of the model's file where it runs, computed there."""

    def memory(self) -> int | None:
        """Growth of peak resident memory by loading and running, bytes; ``None``: unknown."""

    def profile(self) -> Profile:
        """Time per operator."""


class Device(Protocol):
    """A machine that benchmarks run on."""

    @property
    def name(self) -> str:
        """What identifies it in results: ``local``, ``ssh://pi@host``, ``android:SERIAL``."""

    def probe(self, target: str) -> TargetStatus:
        """Whether a target can be used there; a crash of the probe is a status too."""

    def machine(self) -> dict[str, Any]:
        """The machine now (keys as in ``accelerators.machine.read_machine``; ``None``: unknown)."""

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """Wait until it is fit to be timed (phones: cool enough); warnings that remain."""

    def bench(self, model: Path, target: str, plan: Plan) -> AbstractContextManager[Bench]:
        """A place to time a model; leaving the context ends its process and frees the target."""

    def forget(self, content: bytes) -> None:
        """Remove the copy of a model there, given by its content, that would stay."""

    def interrupt(self) -> None:
        """End, from another thread, what its own thread waits for: see ``benchmarking.together``.

        That thread then gets ``KeyboardInterrupt`` and cleans the device. Devices that are
        always alone (``local``, ``ssh``) work in the main thread, where Ctrl-C does the same.
        """

    def close(self) -> None:
        """Clean up what was left on the device."""


def check_options(options: Mapping[str, str], targets: Sequence[str], address: str) -> None:
    """Refuse an option that would change nothing. Raises ``UsageError``.

    Args:
        options: as ``Plan.options``; each is for one of the targets, or for the device.
        targets: names of ``accelerators.TARGETS``.
        address: as of ``connect``.
    """
    known: dict[str, tuple[str, ...]] = dict.fromkeys(
        OPTIONS.get(address.partition(":")[0], ()), ()
    )
    for target in targets:
        known |= accelerators.OPTIONS[target]
    for name, value in options.items():
        if name not in known:
            raise unknown_name(f"option of {' and '.join(targets)} on {address}", name, known)
        if known[name] and value not in known[name]:
            raise unknown_name(f"value of option {name}", value, known[name])


def connect(address: str) -> list[Device]:
    """The devices of an address, ready to be asked; several for ``android:all``.

    Args:
        address: ``local``, ``ssh://user@host[:port]``, ``android[:SERIAL]`` or ``android:all``.

    Raises:
        UsageError: not such an address.
        TargetUnavailable: no such device is connected.
    """
    kind = address.partition(":")[0]
    if kind not in DEVICES:
        raise unknown_name(
            "device", address, DEVICES, "local, ssh://user@host[:port] or android[:SERIAL]"
        )
    if kind == "local" and address != "local":
        raise UsageError(f"{address!r} is no device", "the machine here is just: local")
    devices: list[Device] = importlib.import_module(DEVICES[kind]).connect(address)
    return devices
