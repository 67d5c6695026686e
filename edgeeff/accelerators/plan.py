"""What is asked of a benchmark, and what comes back raw: plain values that cross pipes as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeeff.errors import UsageError, unknown_name
from edgeeff.foreign import shown

HARDWARE = "hardware"
PROVENANCES = (HARDWARE, "software", "emulated", "test-double", "predicted")
"""Where a figure comes from. Only hardware figures are ranked or compared with hardware."""

MOST_THREADS = 1024
MOST_REPEATS = 1000
MOST_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Plan:
    """How one model is timed, in each of ``repeats`` fresh processes.

    Sampling stops when both ``min_runs`` and ``min_seconds`` are reached, or at
    ``max_seconds``. Warm-up lasts at least ``warmup_runs`` and ``warmup_seconds``, goes on
    until the rolling median settles, and ends at ``warmup_max_seconds`` in any case.

    Attributes:
        preset: the name the numbers came from.
        threads: CPU threads of the runtime, explicit so that a figure means something.
        timeout: seconds of silence after which a worker counts as hung; longer than one
            inference and longer than loading.
        seed: of the random input.
        options: what only one target understands, such as ``{"precision": "fp16"}`` (gpu)
            or ``{"library": "/usr/lib/libedgetpu.so.1"}`` (edgetpu).
    """

    preset: str = "standard"
    threads: int = 1
    warmup_runs: int = 10
    warmup_seconds: float = 0.5
    warmup_max_seconds: float = 10.0
    min_runs: int = 50
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    repeats: int = 3
    timeout: float = 120.0
    seed: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for numbers that cannot be meant."""
        if not 1 <= self.threads <= MOST_THREADS:
            raise UsageError(f"{shown(self.threads)} threads", f"--threads 1 to {MOST_THREADS}")
        if not 1 <= self.repeats <= MOST_REPEATS:
            raise UsageError(f"{shown(self.repeats)} repeats", f"--repeats 1 to {MOST_REPEATS}")
        if max(self.max_seconds, self.timeout) > MOST_SECONDS:
            raise UsageError("a benchmark of more than a week", "shorten it")
        if self.min_runs < 1 or self.max_seconds <= 0 or self.timeout <= 0:
            raise UsageError("a benchmark needs at least one run and some time", "see --help")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**dataclasses.asdict(self), "options": dict(self.options)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Plan:
        """Read what ``to_json`` wrote; unknown fields are refused with ``UsageError``."""
        return cls(**_known(cls, fields))


PRESETS = {
    "quick": Plan(
        "quick",
        warmup_runs=3,
        warmup_seconds=0.2,
        warmup_max_seconds=3,
        min_runs=30,
        min_seconds=0.5,
        max_seconds=10,
        repeats=1,
    ),
    "standard": Plan(),
    # MLPerf Mobile's single-stream rule: at least 1024 samples and at least 60 s, p90.
    "mlperf": Plan(
        "mlperf", warmup_seconds=2, min_runs=1024, min_seconds=60, max_seconds=600, repeats=1
    ),
    "sustained": Plan("sustained", min_runs=1, min_seconds=1800, max_seconds=1800, repeats=1),
}


def preset(name: str, **changes: Any) -> Plan:
    """The plan of that name with some fields changed. Raises ``UsageError`` with near names."""
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return dataclasses.replace(PRESETS[name], **changes)


@dataclass(frozen=True)
class TargetStatus:
    """Whether an accelerator can be used here, and if not, why and what to do.

    Attributes:
        target: its name in ``TARGETS``.
        state: ``available``; ``software`` (works, but figures are no hardware figures);
            ``unavailable``.
        provenance: of the figures it would give; ``None`` when unavailable.
        adapter: what does the work, such as a processor's or Vulkan adapter's name.
        version: of the runtime, with the delegate's where it has one.
        reason: why not available, or what is special.
        fix: what the user does to get it.
    """

    target: str
    state: str
    provenance: str | None = None
    adapter: str = ""
    version: str = ""
    reason: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TargetStatus:
        """Read what ``to_json`` wrote."""
        return cls(**_known(cls, fields))


@dataclass(frozen=True)
class Facts:
    """What a loaded model says about how it will run.

    Attributes:
        provenance: one of ``PROVENANCES``.
        runtime: name and version, such as ``ai-edge-litert 2.3.0``.
        adapter: what does the work.
        delegate: the delegate's name (``XNNPACK``), or ``""``.
        nodes: operators of the file's graph; ``None`` where it cannot be known.
        delegated: how many of them the delegate took; ``None`` where it cannot be known.
        partitions: into how many pieces the delegate split them.
        warnings: what a reader of the figure must know.
    """

    provenance: str
    runtime: str
    adapter: str = ""
    delegate: str = ""
    nodes: int | None = None
    delegated: int | None = None
    partitions: int | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**dataclasses.asdict(self), "warnings": list(self.warnings)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Facts:
        """Read what ``to_json`` wrote."""
        known = _known(cls, fields)
        return cls(**{**known, "warnings": tuple(known.get("warnings", ()))})


@dataclass(frozen=True)
class Loaded:
    """A model was opened: nanoseconds from the path to ready for input, and its facts."""

    load_ns: int
    facts: Facts


@dataclass(frozen=True)
class WarmedUp:
    """The warm-up: the very first inference apart, and whether the median settled."""

    first_ns: int
    runs: int
    seconds: float
    settled: bool


@dataclass(frozen=True)
class Heat:
    """How warm a device was while it was timed; ``None`` and ``{}``: it does not say.

    Attributes:
        second: since the sampling began.
        thermal_status: Android's; above 0 it slows the phone down.
        temperatures_c: degrees Celsius by sensor (``skin``, ``battery``, ``cpu``, …).
    """

    second: float
    thermal_status: int | None
    temperatures_c: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**vars(self), "temperatures_c": dict(self.temperatures_c)}


@dataclass(frozen=True)
class Samples:
    """Timed inferences in order, and when they were.

    Attributes:
        samples_ns: every one of them, in nanoseconds.
        stopped_by: ``runs`` or ``seconds`` (the rule that was met last) or ``cap``.
        per_second: how many of them began in each second since the sampling began, pauses
            included; their sum is the number of samples.
        busy_share: of that time, what the device spent inferring, warm-ups between included.
        heat: looks at it meanwhile, where that costs little.
    """

    samples_ns: tuple[int, ...]
    stopped_by: str
    per_second: tuple[int, ...]
    busy_share: float
    heat: tuple[Heat, ...] = ()


@dataclass(frozen=True)
class OperatorTime:
    """One operator of a profile: the kernel, the tensor it makes (``""``: unknown), mean ns."""

    operator: str
    tensor: str
    mean_ns: int


@dataclass(frozen=True)
class Profile:
    """Time per operator from a pass of its own, and how it was measured (see ``method``)."""

    method: str
    operators: tuple[OperatorTime, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Profile:
        """Read what ``to_json`` wrote."""
        operators = tuple(OperatorTime(**operator) for operator in fields["operators"])
        return cls(fields["method"], operators)


@dataclass(frozen=True)
class Run:
    """The raw record of one model timed in one process: what statistics are made from.

    Attributes:
        blocks: how many of ``samples_ns`` came without a pause; several when models were
            interleaved.
        per_second: how many of them began in each second since the first block began, other
            models' turns included.
        busy_share: as in ``Samples``, of this model's own blocks.
        heat: as in ``Samples``, by the same clock as ``per_second``.
        checked: what ``Session.verify`` found, JSON values.
    """

    load_ns: int
    first_ns: int
    warmup_runs: int
    settled: bool
    samples_ns: tuple[int, ...]
    blocks: tuple[int, ...]
    stopped_by: str
    per_second: tuple[int, ...]
    busy_share: float
    facts: Facts
    heat: tuple[Heat, ...] = ()
    checked: Mapping[str, Any] = field(default_factory=dict)


def _known(kind: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    names = {entry.name for entry in dataclasses.fields(kind)}
    unknown = sorted(set(fields) - names)
    if unknown:
        raise UsageError(
            f"{kind.__name__} has no {', '.join(unknown)}",
            "both ends of the connection need the same version of edgeeff",
        )
    return dict(fields)
