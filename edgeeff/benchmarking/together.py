"""Several devices at once, a thread each; one alone stays in the main thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, field

from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.session import Outcome, Pass, Subject, measure
from edgeeff.devices import Device
from edgeeff.progress import Advance, Progress


def measure_all(
    devices: Sequence[Device],
    subjects: Sequence[Subject],
    plan: Plan,
    *,
    passes: dict[str, Pass] | None = None,
    progress: Progress,
) -> list[Outcome]:
    """Measure the same subjects on every device, all at once.

    What fails on one device is in its outcome and does not disturb the others. When the user
    interrupts, every device is interrupted, and this returns only when each has ended its
    programs and cleaned up; a second interruption does not wait for that.

    Args:
        devices: different ones, at least one; they stay open.
        subjects: what, each once.
        plan: how long and how often.
        passes: as in ``session.measure``.
        progress: told what is going on, from several threads; stages begin with the device.

    Returns:
        An outcome per device, in the order of ``devices``.

    Raises:
        KeyboardInterrupt: the user interrupted.
        EdgeeffError: what is wrong with the call itself, such as an option's value.
    """
    if len(devices) == 1:
        return [measure(devices[0], subjects, plan, passes=passes, progress=progress)]

    def work(device: Device, future: Future[Outcome]) -> None:
        named = _Named(device=device.name, shared=progress)
        try:
            future.set_result(measure(device, subjects, plan, passes=passes, progress=named))
        except BaseException as error:
            future.set_exception(error)

    futures: list[Future[Outcome]] = [Future() for _ in devices]
    # Daemons: a second Ctrl-C must be able to leave while a phone does not answer.
    threads = [
        threading.Thread(target=work, args=pair, daemon=True)
        for pair in zip(devices, futures, strict=True)
    ]
    try:
        for thread in threads:
            thread.start()
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        _end(devices, threads)
    return _outcomes(futures)


def _end(devices: Sequence[Device], threads: Sequence[threading.Thread]) -> None:
    """Interrupt the devices that are still at work, and wait until they are clean."""
    at_work = [thread.is_alive() for thread in threads]
    for device, working in zip(devices, at_work, strict=True):
        if working:
            device.interrupt()
    for thread, working in zip(threads, at_work, strict=True):
        if working:
            thread.join()


def _outcomes(futures: Sequence[Future[Outcome]]) -> list[Outcome]:
    """The outcomes, or what made the others be interrupted."""
    errors = [error for error in (future.exception() for future in futures) if error]
    for error in sorted(errors, key=lambda error: isinstance(error, KeyboardInterrupt)):
        raise error
    return [future.result() for future in futures]


@dataclass
class _Named(Progress):
    """The stages of one device within the progress of all."""

    device: str = ""
    shared: Progress = field(default_factory=Progress)

    @contextlib.contextmanager
    def shown(self, name: str, steps: int | None) -> Iterator[Advance]:
        with self.shared.stage(f"{self.device}: {name}", steps) as advance:
            yield advance
