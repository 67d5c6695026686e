"""What a candidate costs before it is trained: its file is built and timed in the device's slot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeeff import files
from edgeeff.errors import GateFailed, InputError
from edgeeff.fitting.building import Builder, Order
from edgeeff.fitting.search.claims import Claim, Pulse
from edgeeff.fitting.search.device_slot import device_slot
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.space import Candidate
from edgeeff.fitting.targets import runnable
from edgeeff.fitting.timing import one_device, timing
from edgeeff.progress import Progress

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def measured(
    storage: BaseStorage,
    name: str,
    pool: tuple[Candidate, ...],
    settings: SearchSettings,
    folder: Path,
    progress: Progress,
    pulse: Pulse | None = None,
) -> dict[str, Outcome]:
    """Build and time the candidates, together with all processes that do the same.

    The slot is held while a file is built, too: on the device ``local`` that would disturb.

    Args:
        storage: of ``open_storage``.
        name: of the search in it.
        pool: the candidates.
        settings: device, target, precision.
        folder: where a folder is made that is gone afterwards.
        progress: told of every stage.
        pulse: of the claims.

    Returns:
        By the variant's name; ``notes`` are ``bytes`` and ``latency_ms``.
    """
    variants = {one.variant.name: one.variant for one in pool}

    def do(task: Task, claim: Claim) -> Outcome:
        variant, path = variants[task.name], scratch / "candidate.tflite"
        precision = settings.file_precision
        order = Order(variant.name, variant.resolution, variant.classes, {precision: path})
        with (
            device_slot(storage, settings.device, pulse=pulse),
            progress.stage(f"measure {task.name}"),
        ):
            builder.build(order)
            model = runnable(path, settings.target)
            cost = costs(model, settings, progress, again=False)
        return Outcome(
            -float(cost["latency_ms"]["median"] if cost["latency_ms"] else cost["bytes"]),
            notes=cost,
        )

    tasks = tuple(Task(one.variant.name, one.parameters) for one in pool)
    with files.scratch_folder(folder) as scratch, Builder() as builder:
        return share(storage, f"{name}, measured", tasks, do, pulse=pulse)


def costs(
    path: Path, settings: SearchSettings, progress: Progress, *, again: bool
) -> dict[str, Any]:
    """Bytes and latency of a file as JSON values; the device's slot has to be held.

    Args:
        path: of the file.
        settings: device, target, threads.
        progress: told of the measurement.
        again: time it at length.
    """
    plan = settings.winners_plan if again else settings.plan
    found: dict[str, Any] = {"bytes": path.stat().st_size, "latency_ms": None}
    if again or settings.max_latency is not None:
        with one_device(settings.device) as device:
            found["latency_ms"] = timing(device, path, settings.target, plan, progress).to_json()
    return found


def inside(
    pool: tuple[Candidate, ...], found: dict[str, Outcome], settings: SearchSettings
) -> tuple[Candidate, ...]:
    """The candidates inside the budget.

    Raises:
        InputError: none could be measured.
        GateFailed: none is inside; names the cheapest.
    """
    costly = {name: one.notes for name, one in found.items() if one.value is not None}
    if not costly:
        raise InputError(f"no network could be measured: {next(iter(found.values())).error}")
    kept = tuple(one for one in pool if fits(costly.get(one.variant.name), settings))
    if not kept:
        name = max(costly, key=lambda name: float(found[name].value or 0))
        raise GateFailed(
            f"no network is inside the budget: the cheapest, {name}, {told(costly[name])}",
            "a lower --phi, a smaller --variant, or a larger budget",
        )
    return kept


def fits(cost: dict[str, Any] | None, settings: SearchSettings) -> bool:
    """Whether what ``costs`` found is inside the budget."""
    if cost is None or (settings.max_bytes is not None and cost["bytes"] > settings.max_bytes):
        return False
    latency = cost["latency_ms"]
    return (
        settings.max_latency is None
        or latency is None
        or float(latency["median"]) <= settings.max_latency
    )


def told(cost: Mapping[str, Any]) -> str:
    """What ``costs`` found, in words."""
    latency = cost["latency_ms"]
    time = f"takes {latency['median']:.3g} ms and " if latency else ""
    return f"{time}has {cost['bytes']:,} bytes"
