"""Measure models on a device: each in a process of its own, several in turn."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeeff.accelerators import find_target
from edgeeff.accelerators.plan import Loaded, Plan, Run, Samples, WarmedUp
from edgeeff.benchmarking.environment import Environment
from edgeeff.benchmarking.measurement import Measurement, measured
from edgeeff.benchmarking.minutes import joined
from edgeeff.devices import Bench, Device
from edgeeff.errors import EdgeeffError
from edgeeff.files import sha256
from edgeeff.progress import Advance, Progress
from edgeeff.worker.channel import WorkerFailed

BLOCKS = 4
"""Into how many blocks a process' samples are cut when models take turns: A B, B A, A B, B A."""

Pass = Callable[[Bench], Any]


@dataclass(frozen=True)
class Subject:
    """What is measured: a file on a target."""

    model: Path
    target: str


@dataclass(frozen=True)
class Failure:
    """A subject that could not be measured, and why."""

    subject: Subject
    device: str
    error: EdgeeffError

    @property
    def printed(self) -> str:
        """The end of what the worker printed, if one broke down."""
        return self.error.printed if isinstance(self.error, WorkerFailed) else ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "model": self.subject.model.name,
            "target": self.subject.target,
            "device": self.device,
            "error": self.error.message,
            "hint": self.error.hint,
            "exit": self.error.exit_status,
        }


@dataclass(frozen=True)
class Outcome:
    """All that a device gave."""

    environment: Environment
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]


@dataclass
class _Lane:
    """One subject's open bench in one repeat, and what it gave so far."""

    subject: Subject
    bench: Bench
    loaded: Loaded
    warmed: WarmedUp
    checked: dict[str, Any]
    blocks: list[tuple[float, Samples]] = field(default_factory=list)

    def run(self) -> Run:
        samples = joined(self.blocks)
        return Run(
            load_ns=self.loaded.load_ns,
            first_ns=self.warmed.first_ns,
            warmup_runs=self.warmed.runs,
            settled=self.warmed.settled,
            samples_ns=samples.samples_ns,
            blocks=tuple(len(block.samples_ns) for _, block in self.blocks),
            stopped_by=samples.stopped_by,
            per_second=samples.per_second,
            busy_share=samples.busy_share,
            facts=self.loaded.facts,
            heat=samples.heat,
            checked=self.checked,
        )


@dataclass
class _Session:
    """The state of one call of ``measure``."""

    device: Device
    plan: Plan
    progress: Progress
    failures: dict[Subject, EdgeeffError] = field(default_factory=dict)
    runs: dict[Subject, list[Run]] = field(default_factory=dict)

    @contextmanager
    def attempt(self, subject: Subject) -> Iterator[None]:
        """Note what goes wrong with a subject; the others go on."""
        try:
            yield
        except EdgeeffError as error:
            self.failures.setdefault(subject, error)

    def left(self, subjects: Sequence[Subject]) -> list[Subject]:
        """The subjects that have not failed."""
        return [subject for subject in subjects if subject not in self.failures]

    def repeat(self, subjects: Sequence[Subject], number: int) -> None:
        """Time every subject once, in fresh processes."""
        subjects = self.left(subjects)
        if any(_exclusive(subject) for subject in subjects):
            # Only one process may hold such an accelerator: whole processes take turns.
            for subject in subjects if number % 2 == 0 else subjects[::-1]:
                self._together([subject])
        else:
            self._together(subjects)

    def _together(self, subjects: Sequence[Subject]) -> None:
        with ExitStack() as open_benches:
            lanes = []
            for subject in subjects:
                with self.attempt(subject):
                    lanes.append(self._open(subject, open_benches))
            blocks = BLOCKS if len(lanes) > 1 else 1
            for block in range(blocks):
                for lane in lanes if block % 2 == 0 else lanes[::-1]:
                    if lane.subject not in self.failures:
                        with self.attempt(lane.subject):
                            begin = time.monotonic()
                            lane.blocks.append((begin, self._sample(lane, blocks)))
            for lane in lanes:
                if lane.subject not in self.failures:
                    self.runs.setdefault(lane.subject, []).append(lane.run())

    def _open(self, subject: Subject, open_benches: ExitStack) -> _Lane:
        with self.progress.stage(f"load and warm up {subject.model.name}", None) as advance:
            bench = open_benches.enter_context(
                self.device.bench(subject.model, subject.target, self.plan)
            )
            loaded = bench.load()
            warmed = bench.warm_up(_counting(advance))
            return _Lane(subject, bench, loaded, warmed, bench.verify())

    def _sample(self, lane: _Lane, blocks: int) -> Samples:
        least, most = (
            seconds / blocks for seconds in (self.plan.min_seconds, self.plan.max_seconds)
        )
        runs = -(-self.plan.min_runs // blocks)
        # As fast as in the warm-up; a device whose tool warms up by itself does not tell.
        each = lane.warmed.seconds / max(lane.warmed.runs, 1)
        expected = math.ceil(min(max(runs, least / each), most / each)) if each else runs
        with self.progress.stage(f"time {lane.subject.model.name}", expected) as advance:
            return lane.bench.sample(
                min_runs=runs,
                min_seconds=least,
                max_seconds=most,
                progress=_counting(advance),
            )


def measure(
    device: Device,
    subjects: Sequence[Subject],
    plan: Plan,
    *,
    passes: dict[str, Pass] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Time subjects on a device.

    Every subject gets a fresh process per repeat. Several are interleaved block by block
    (A B, B A, ...), so that what slows the machine slows all of them. A subject that fails is
    left out and noted; the others go on.

    Args:
        device: where; stays open.
        subjects: what, each once.
        plan: how long and how often.
        passes: what else to find out, in processes of their own after the timing: a field
            of ``Measurement`` to a function of a fresh bench (``peak_memory``, ``profile``).
        progress: told what is going on.
    """
    session = _Session(device, plan, progress or Progress())
    hashes: dict[Subject, str] = {}
    for subject in subjects:
        with session.attempt(subject):
            hashes[subject] = sha256(subject.model)
    warnings = device.ready(plan) if session.left(subjects) else ()
    before = device.machine()
    with session.progress.stage("repeats", plan.repeats) as advance:
        for number in range(plan.repeats):
            session.repeat(subjects, number)
            advance(1)
    environment = Environment(device.name, before, device.machine())
    warnings = (*warnings, *environment.warnings())
    measurements = []
    for subject in session.left(subjects):
        found, trouble = _passes(session, subject, passes or {})
        what = {
            "model": subject.model.name,
            "sha256": hashes[subject],
            "size": subject.model.stat().st_size,
            "target": subject.target,
            "device": device.name,
        }
        measurements.append(
            measured(
                what,
                plan,
                session.runs[subject],
                passes=found,
                warnings=[*warnings, *trouble],
            )
        )
    failures = [Failure(which, device.name, error) for which, error in session.failures.items()]
    return Outcome(environment, tuple(measurements), tuple(failures))


def peak_memory(bench: Bench) -> int | None:
    """The pass that measures memory."""
    bench.load()
    return bench.memory()


def operator_profile(bench: Bench) -> Any:
    """The pass that times every operator."""
    return bench.profile()


def _passes(
    session: _Session, subject: Subject, passes: dict[str, Pass]
) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    trouble = []
    for name, look in passes.items():
        plan = dataclasses.replace(session.plan, repeats=1)
        try:
            with session.device.bench(subject.model, subject.target, plan) as bench:
                found[name] = look(bench)
        except EdgeeffError as error:
            # The latency stands; what is missing is said beside it.
            trouble.append(f"no {name.replace('_', ' ')}: {error.message}")
    return found, trouble


def _exclusive(subject: Subject) -> bool:
    return bool(getattr(find_target(subject.target), "EXCLUSIVE", False))


def _counting(advance: Advance) -> Callable[[int], None]:
    done = 0

    def count(runs: int) -> None:
        nonlocal done
        advance(runs - done)
        done = runs

    return count
