"""What is known of a candidate that was built and measured, and how a document keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from edgeeff import foreign
from edgeeff.benchmarking.measurement import Measurement
from edgeeff.errors import InputError
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.settings import KNOWN_PRECISIONS
from edgeeff.pictures.preprocessing import MOST_RESOLUTION

SURVEY, HELD_OUT, SEARCH = "survey", "held-out", "search"
"""Why a candidate is measured: for the model, to judge the model, or because it may win."""

LARGEST = 8.0
"""Times the depth or width of a family's base; no candidate is half as large."""

EDITED = "was it edited, or cut short?"


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
        reference: the median of one and the same network of this precision, timed in turn with
            it; its changes are those of the device's speed. ``None``: none was.
    """

    median: float
    p90: float
    ci95: tuple[float, float]
    runs: int
    provenance: str
    runtime: str
    adapter: str
    reference: float | None = None

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


def timing_of(measurement: Measurement, reference: Measurement | None = None) -> Timing:
    """The figures of a measurement that are kept, and of what was timed in turn with it."""
    latency, facts = measurement.latency, measurement.facts
    return Timing(
        latency.median,
        latency.p90,
        latency.ci95,
        len(measurement.samples_ns),
        facts.provenance,
        facts.runtime,
        facts.adapter,
        None if reference is None else reference.latency.median,
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


def read_candidate(entry: Mapping[str, Any], where: str) -> Candidate:
    """The candidate of an entry. Raises ``InputError`` for one that none could be."""
    with foreign.parsing(f"{where} has a malformed network", EDITED):
        found = Candidate(entry["variant"], entry["resolution"], entry["precision"])
    foreign.check_types(Candidate, vars(found), where)
    network = found.network
    if not (
        found.precision in KNOWN_PRECISIONS
        and 1 <= found.resolution <= MOST_RESOLUTION
        and max(network.depth, network.width) <= LARGEST
    ):
        raise InputError(f"{where}: {foreign.shown(str(found))} is no network of a search", EDITED)
    return found


def _measured(entry: Mapping[str, Any], where: str) -> Measured:
    candidate = read_candidate(entry, where)
    with foreign.parsing(f"{where} has a malformed network", EDITED):
        plain = {name: entry[name] for name in ("role", "bytes", "error")}
        latency = entry["latency_ms"]
    foreign.check_types(Measured, plain, where)
    return Measured(candidate, timing=read_timing(latency, where), **plain)


def built(measured: Sequence[Measured]) -> list[tuple[Candidate, float]]:
    """What is known of bytes."""
    return [(one.candidate, float(one.bytes)) for one in measured if one.bytes]


def steady(measured: Sequence[Measured]) -> dict[Candidate, float]:
    """The latency of each network at the device's usual speed, in milliseconds.

    A machine or a phone is faster at one minute than at another. The network that was timed in
    turn with all others of a precision says how much; its own median time is the usual speed.
    """
    references: dict[str, list[float]] = {}
    for one in measured:
        if one.timing and one.timing.reference:
            references.setdefault(one.candidate.precision, []).append(one.timing.reference)
    usual = {precision: median(times) for precision, times in references.items()}
    return {
        one.candidate: one.timing.median
        * (usual[one.candidate.precision] / one.timing.reference if one.timing.reference else 1.0)
        for one in measured
        if one.timing
    }
