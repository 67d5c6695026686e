"""One device, and how long a model takes there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.session import Subject, measure
from edgeeff.devices import Device, connect
from edgeeff.errors import UsageError
from edgeeff.fitting.measured import Timing, timing_of
from edgeeff.progress import Progress


@contextlib.contextmanager
def one_device(address: str) -> Iterator[Device]:
    """Connect to the device of an address, for the block.

    Raises:
        UsageError: the address is that of several devices.
        TargetUnavailable: it is out of reach.
    """
    devices = connect(address)
    with contextlib.ExitStack() as opened:
        for device in devices:
            opened.callback(device.close)
        if len(devices) != 1:
            raise UsageError(f"{address} is {len(devices)} devices", "a budget is of one: name it")
        yield devices[0]


def timing(
    device: Device,
    model: Path,
    target: str,
    plan: Plan,
    progress: Progress,
    *,
    reference: Path | None = None,
) -> Timing:
    """Time a model. Raises what the measurement failed with.

    Args:
        device: where.
        model: the file.
        target: a name of ``accelerators.TARGETS``.
        plan: how long and how often.
        progress: told what is going on.
        reference: a file that is timed in turn with it, for ``Timing.reference``; may be the same.
    """
    paths = dict.fromkeys(path for path in (model, reference) if path is not None)
    outcome = measure(device, [Subject(path, target) for path in paths], plan, progress=progress)
    for failure in outcome.failures:
        raise failure.error
    beside = outcome.measurements[-1] if reference is not None else None
    return timing_of(outcome.measurements[0], beside)
