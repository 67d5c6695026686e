"""What is known of a candidate that was built and measured, and how a document keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeeff import foreign
from edgeeff.benchmarking.measurement import Measurement
from edgeeff.fitting.candidates import Candidate

SURVEY, HELD_OUT, SEARCH = "survey", "held-out", "search"
"""Why a candidate is measured: for the model, to judge the model, or because it may win."""


@dataclass(frozen=True)
class Timing:
    """How long a run takes.

    Attributes:
        median: in milliseconds, likewise the others.
        ci95: where the median of another measurement is expected.
        runs: how many were timed.
        provenance: one of ``accelerators.plan.PROVENANCES``.
        runtime: that ran it, with its version.
        adapter: what did the work.
    """

    median: float
    p90: float
    ci95: tuple[float, float]
    runs: int
    provenance: str
    runtime: str
    adapter: str

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**vars(self), "ci95": list(self.ci95)}


@dataclass(frozen=True)
class Measured:
    """A candidate that was built.

    Attributes:
        role: why: ``survey``, ``held-out`` or ``search``.
        bytes: of its file; ``None`` if it could not be built.
        timing: on the device; ``None`` if it was not timed, or failed.
        error: why it failed; empty if it did not.
    """

    candidate: Candidate
    role: str
    bytes: int | None = None
    timing: Timing | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, with what is predicted for the candidate."""
        candidate = self.candidate
        return {
            "variant": candidate.variant,
            "family": candidate.network.family,
            "resolution": candidate.resolution,
            "precision": candidate.precision,
            "macs": candidate.counts.macs,
            "expected_top1": candidate.expected.to_json(),
            "role": self.role,
            "bytes": self.bytes,
            "latency_ms": self.timing.to_json() if self.timing else None,
            "error": self.error,
        }


def timing_of(measurement: Measurement) -> Timing:
    """The figures of a measurement that are kept."""
    latency, facts = measurement.latency, measurement.facts
    return Timing(
        latency.median,
        latency.p90,
        latency.ci95,
        len(measurement.samples_ns),
        facts.provenance,
        facts.runtime,
        facts.adapter,
    )


def read_measured(entries: Iterable[Mapping[str, Any]], where: str) -> tuple[Measured, ...]:
    """Read what ``to_json`` gave. Raises ``InputError``."""
    return tuple(_measured(entry, where) for entry in entries)


def read_timing(fields: Mapping[str, Any] | None, where: str) -> Timing | None:
    """Read what ``Timing.to_json`` gave. Raises ``InputError``."""
    if fields is None:
        return None
    with foreign.parsing(f"{where} has a malformed latency", EDITED):
        low, high = fields["ci95"]
        found = Timing(**{**fields, "ci95": (float(low), float(high))})
    foreign.check_types(Timing, vars(found), where)
    return found


def _measured(entry: Mapping[str, Any], where: str) -> Measured:
    with foreign.parsing(f"{where} has a malformed network", EDITED):
        candidate = Candidate(entry["variant"], entry["resolution"], entry["precision"])
        foreign.check_types(Candidate, vars(candidate), where)
        # A name that no variant has is refused here, not when it is needed.
        if candidate.network.family != entry["family"]:
            raise ValueError("family")
        found = Measured(candidate, entry["role"], entry["bytes"], None, str(entry["error"]))
    foreign.check_types(
        Measured, {"role": found.role, "bytes": found.bytes, "error": found.error}, where
    )
    timing = read_timing(entry["latency_ms"], where)
    return Measured(found.candidate, found.role, found.bytes, timing, found.error)


EDITED = "was it edited, or cut short?"


def built(measured: Sequence[Measured]) -> list[tuple[Candidate, float]]:
    """What is known of bytes."""
    return [(one.candidate, float(one.bytes)) for one in measured if one.bytes]


def timed(measured: Sequence[Measured]) -> list[tuple[Candidate, float]]:
    """What is known of latency, in milliseconds."""
    return [(one.candidate, one.timing.median) for one in measured if one.timing]
