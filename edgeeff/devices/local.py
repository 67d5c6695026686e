"""The machine edgeeff runs on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgeeff.accelerators.machine import read_machine
from edgeeff.accelerators.plan import Plan, TargetStatus
from edgeeff.devices.worker_bench import WorkerBench, crash_hint
from edgeeff.errors import TargetUnavailable
from edgeeff.tflite.child_process import environment
from edgeeff.worker.channel import Channel, local_command

PROBE_SECONDS = 60.0


class Local:
    """The machine itself: every model runs in a worker process of its own."""

    name = "local"

    def probe(self, target: str) -> TargetStatus:
        """Ask a worker; one that crashes or hangs makes the target unavailable."""
        try:
            with self.channel(target, PROBE_SECONDS) as channel:
                return TargetStatus.from_json(channel.ask("probe", target=target))
        except TargetUnavailable as error:
            return TargetStatus(target, "unavailable", reason=error.message, fix=error.hint)

    def machine(self) -> dict[str, Any]:
        """The machine now."""
        return read_machine()

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """A machine on a desk is always ready."""
        return ()

    @contextlib.contextmanager
    def bench(self, model: Path, target: str, plan: Plan) -> Iterator[WorkerBench]:
        """A worker with nothing loaded yet."""
        with self.channel(target, plan.timeout) as channel:
            yield WorkerBench(channel, str(model.resolve()), target, plan, model, _paths)

    def channel(self, target: str, timeout: float) -> Channel:
        """Start a worker for a target."""
        return Channel(
            local_command(),
            name=f"the {target} target",
            timeout=timeout,
            environment=environment(),
            crash_hint=crash_hint(target),
        )

    def forget(self, content: bytes) -> None:
        """There is no copy."""

    def interrupt(self) -> None:
        """Never needed: it is used alone, in the main thread."""

    def close(self) -> None:
        """Nothing is left behind."""


def _paths(pictures: Sequence[Path]) -> list[str]:
    return [str(path.resolve()) for path in pictures]


def connect(address: str) -> list[Local]:
    """The machine itself, whatever the address says."""
    return [Local()]
