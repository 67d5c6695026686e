"""One measurement: raw samples with everything one must know to believe or doubt them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeeff import foreign
from edgeeff.accelerators.plan import Facts, Plan, Profile, Run
from edgeeff.benchmarking.intervals import Interval
from edgeeff.benchmarking.minutes import minutes_of, warnings_of_run
from edgeeff.benchmarking.statistics import (
    Latency,
    Shape,
    shape,
    summarise,
    warnings_of,
)
from edgeeff.errors import InputError


@dataclass(frozen=True)
class Stages:
    """Preprocessing, invoke and postprocessing of real pictures, median milliseconds each."""

    pictures: int
    preprocessing_ms: float
    invoke_ms: float
    postprocessing_ms: float

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Measurement:
    """A model timed on a target of a device; ``to_json`` is an entry of edgeeff.benchmark/1.

    Attributes:
        model: the file's name.
        sha256: of the file, 64 hexadecimal digits.
        size: of the file in bytes.
        device: its name, such as ``local``.
        runs: one raw record per fresh process, in order.
    """

    model: str
    sha256: str
    size: int
    target: str
    device: str
    plan: Plan
    runs: tuple[Run, ...]
    latency: Latency
    shape: Shape
    peak_memory_bytes: int | None = None
    profile: Profile | None = None
    stages: Stages | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def facts(self) -> Facts:
        """What the target said about the loaded model."""
        return self.runs[0].facts

    @property
    def samples_ns(self) -> list[int]:
        """Every sample of every process, in order."""
        return [sample for run in self.runs for sample in run.samples_ns]

    @property
    def blocks(self) -> list[Sequence[int]]:
        """The samples cut where the measurement paused, processes one after the other."""
        return [block for run in self.runs for block in split(run)]

    @property
    def minutes(self) -> list[list[dict[str, Any]]]:
        """The medians of every minute, per process; empty if none ran that long."""
        return minutes_of(self.runs)

    def to_json(self) -> dict[str, Any]:
        """The measurement as JSON values, every raw sample included."""
        facts = self.facts
        return {
            "model": self.model,
            "sha256": self.sha256,
            "bytes": self.size,
            "target": self.target,
            "device": self.device,
            "provenance": facts.provenance,
            "runtime": facts.runtime,
            "adapter": facts.adapter,
            "threads": self.plan.threads,
            "plan": self.plan.to_json(),
            "runs": len(self.samples_ns),
            "stopped_by": stopped_by(self.runs),
            "latency_ms": self.latency.to_json(),
            "shape": self.shape.to_json(),
            "load_ms": statistics.median(run.load_ns for run in self.runs) / 1e6,
            "first_inference_ms": statistics.median(run.first_ns for run in self.runs) / 1e6,
            "peak_memory_bytes": self.peak_memory_bytes,
            "delegate": {
                "name": facts.delegate,
                "nodes": facts.nodes,
                "delegated": facts.delegated,
                "partitions": facts.partitions,
            },
            "checked": dict(self.runs[0].checked),
            "repeats": [_repeat(run) for run in self.runs],
            "minutes": self.minutes,
            "profile": self.profile.to_json() if self.profile else None,
            "stages_ms": self.stages.to_json() if self.stages else None,
            "samples_ns": self.samples_ns,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Figure:
    """What comparing needs of a measurement, read back from a document or at hand."""

    model: str
    sha256: str
    target: str
    device: str
    provenance: str
    runtime: str
    threads: int
    median: float
    ci95: Interval
    options: Mapping[str, str]

    @staticmethod
    def of(entry: Mapping[str, Any], where: str) -> Figure:
        """Read one entry of ``measurements``. Raises ``InputError`` naming what is missing."""
        hint = "was it edited, or cut short?"
        with foreign.parsing(f"{where} is not a whole benchmark document", hint):
            latency = entry["latency_ms"]
            low, high = latency["ci95"]
            found = Figure(
                model=str(entry["model"]),
                sha256=str(entry["sha256"]),
                target=str(entry["target"]),
                device=str(entry["device"]),
                provenance=str(entry["provenance"]),
                runtime=str(entry.get("runtime", "unknown")),
                threads=int(entry["threads"]),
                median=float(latency["median"]),
                ci95=(float(low), float(high)),
                options=dict(entry.get("plan", {}).get("options", {})),
            )
        foreign.check_types(Figure, vars(found), where)
        if not 0 < found.ci95[0] <= found.ci95[1] or found.median <= 0:
            raise InputError(f"{where}: a latency of {foreign.shown(found.median)} ms", hint)
        return found


def measured(
    what: Mapping[str, Any],
    plan: Plan,
    runs: Sequence[Run],
    *,
    passes: Mapping[str, Any],
    warnings: Sequence[str] = (),
) -> Measurement:
    """Make the statistics of raw records.

    Args:
        what: ``model``, ``sha256``, ``size``, ``target``, ``device``.
        plan: how it was measured.
        runs: one record per process, at least one.
        passes: what passes of their own found: ``peak_memory_bytes``, ``profile``, ``stages``.
        warnings: what the session knows already.
    """
    samples = [run.samples_ns for run in runs]
    latency = summarise(samples, plan.seed)
    found = shape(samples, latency)
    words = [*warnings, *warnings_of(found, sum(len(run) for run in samples))]
    for run in runs:
        sustained = plan.preset == "sustained"
        words += [*run.facts.warnings, *warnings_of_run(run, sustained=sustained)]
    if not all(run.settled for run in runs):
        words.append("the warm-up ended before the timings settled")
    if stopped_by(runs) == "cap":
        words.append(
            f"stopped after {plan.max_seconds:g} s with fewer runs than asked: a slow model"
        )
    return Measurement(
        **what,
        plan=plan,
        runs=tuple(runs),
        latency=latency,
        shape=found,
        warnings=tuple(dict.fromkeys(words)),
        **passes,
    )


def stopped_by(runs: Sequence[Run]) -> str:
    """``cap`` if any process ran out of time, else the rule that most were stopped by."""
    reasons = [run.stopped_by for run in runs]
    return "cap" if "cap" in reasons else statistics.mode(reasons)


def split(run: Run) -> list[Sequence[int]]:
    """One process' samples, cut where it paused."""
    parts: list[Sequence[int]] = []
    start = 0
    for length in run.blocks:
        parts.append(run.samples_ns[start : start + length])
        start += length
    return parts


def _repeat(run: Run) -> dict[str, Any]:
    return {
        "runs": len(run.samples_ns),
        "median_ms": statistics.median(run.samples_ns) / 1e6,
        "load_ms": run.load_ns / 1e6,
        "first_inference_ms": run.first_ns / 1e6,
        "warmup_runs": run.warmup_runs,
        "settled": run.settled,
        "stopped_by": run.stopped_by,
        "blocks": list(run.blocks),
        "per_second": list(run.per_second),
        "busy_share": run.busy_share,
        "heat": [look.to_json() for look in run.heat],
    }
