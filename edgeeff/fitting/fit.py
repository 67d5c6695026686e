"""``fit``: build networks, time them on the device, and choose the best inside a budget."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from edgeeff import extras, files
from edgeeff.benchmarking.environment import differences
from edgeeff.devices import Device
from edgeeff.errors import GateFailed, OutputError
from edgeeff.fitting.building import Builder
from edgeeff.fitting.candidates import Candidate, candidates
from edgeeff.fitting.choosing import next_candidate
from edgeeff.fitting.fitted import DOCUMENT, Fitted, changed_place, is_fit, read_fitted
from edgeeff.fitting.measured import Measured
from edgeeff.fitting.measuring import Attempt, Measurer
from edgeeff.fitting.settings import FitSettings
from edgeeff.fitting.targets import require_compiler, require_target
from edgeeff.fitting.timing import one_device
from edgeeff.fitting.winning import win
from edgeeff.progress import Progress

Told = Callable[[Measured, Fitted], None]
"""Is told of a candidate that was measured, and of the search with it."""

ELSEWHERE = "--force begins anew, --output DIR goes elsewhere"


def fit(
    settings: FitSettings,
    output: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    on_measured: Told | None = None,
) -> Fitted:
    """Find the network of the highest predicted accuracy inside a budget, without any training.

    Files of candidates are built with random weights and measured on the device; what lies between
    is predicted by a monotone model. The best one is converted for good, measured again in
    processes of its own, and kept if it is inside; else the next one is. After every measurement
    the folder holds all that is needed to go on: the same call does.

    Args:
        settings: the budget, the device, and what may win.
        output: folder of the document, the plot and the winner's files.
        force: begin anew, and replace what is in the way.
        progress: told of every stage.
        on_measured: told of every measurement.

    Raises:
        UsageError: names or numbers that cannot be meant, or several devices.
        ExtraMissing: TensorFlow or the quantizer is not installed.
        TargetUnavailable: the device or the target cannot be used.
        OutputError: the folder holds a search on another device, or cannot be written.
        GateFailed: no network is inside the budget; names the cheapest.
    """
    extras.require("convert", "fit")
    progress = progress or Progress()
    pool = candidates(settings)
    files.refuse_unwritable(output)
    found = _begun(settings, output, force=force)
    if found.finished and found.winner is not None:
        return found
    require_compiler(settings.target)
    with contextlib.ExitStack() as opened:
        device = opened.enter_context(_device(settings))
        scratch = opened.enter_context(files.scratch_folder(output))
        found = _on(found, device, output, force=force)
        with Builder() as builder:
            measurer = Measurer(device, settings, scratch, builder, progress, _references(found))
            opened.callback(measurer.close)
            while (following := next_candidate(pool, found.limits)) is not None:
                one = measurer.measured(following)
                _refuse_first(one, found)
                found = replace(found, measured=(*found.measured, one.measured))
                found.write()
                if on_measured is not None:
                    on_measured(one.measured, found)
        found = replace(win(found, measurer.again, scratch, progress, force=force), finished=True)
        found.write()
    if found.winner is None:
        raise _nothing_inside(found)
    return found


@contextlib.contextmanager
def _device(settings: FitSettings) -> Iterator[Device | None]:
    """The device, if it is needed: it runs the target. Raises ``TargetUnavailable``."""
    if settings.max_latency is None:
        yield None
        return
    with one_device(settings.device) as device:
        if not settings.options:  # which may name the library or the program of the target
            require_target(device, settings.target)
        yield device


def _references(found: Fitted) -> dict[str, Candidate]:
    """The first network of each precision that was timed, in turn with which the others were."""
    first: dict[str, Candidate] = {}
    for one in found.measured:
        if one.timing:
            first.setdefault(one.candidate.precision, one.candidate)
    return first


def _begun(settings: FitSettings, output: Path, *, force: bool) -> Fitted:
    """The search that a folder holds, or a new one. Raises ``OutputError`` for one elsewhere."""
    if force or not is_fit(output):
        return Fitted(output, settings)
    found = read_fitted(output)
    changed = changed_place(found.settings, settings)
    if changed:
        raise OutputError(f"{output} holds a search of {'; '.join(changed)}", ELSEWHERE)
    return found.with_settings(settings)


def _on(found: Fitted, device: Device | None, output: Path, *, force: bool) -> Fitted:
    """The search with the machine that it goes on with, if that is the one it began with."""
    if device is None:
        return found
    machine = device.machine()
    apart = differences(found.machine, machine) if found.measured and not force else []
    if apart:
        raise OutputError(
            f"{output / DOCUMENT} is of another machine ({'; '.join(apart)})", ELSEWHERE
        )
    return replace(found, machine=machine)


def _refuse_first(attempt: Attempt, found: Fitted) -> None:
    """Raise what the first candidate failed with: nothing says that any will do better."""
    if attempt.error is not None and not any(one.bytes for one in found.measured):
        raise attempt.error


def _nothing_inside(found: Fitted) -> GateFailed:
    limits = found.limits
    budget = f"{limits.limit:g} ms" if limits.by_time else f"{limits.limit:,.0f} bytes"
    if not limits.able:
        return GateFailed(f"no network could be measured for a budget of {budget}")
    least = min(limits.able, key=lambda one: limits.costs[one.candidate])
    cost = limits.costs[least.candidate]
    shown = f"takes {cost:.3g} ms" if limits.by_time else f"has {cost:,.0f} bytes"
    size = f" and {least.bytes:,} bytes" if limits.by_time and limits.settings.max_bytes else ""
    return GateFailed(
        f"no network is inside {budget}: the cheapest measured, {least.candidate}, {shown}{size}",
        "raise the budget, or lower --resolution or --classes",
    )
