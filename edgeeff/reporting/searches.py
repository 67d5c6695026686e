"""Searches of ``edgeeff fit`` as the report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgeeff.benchmarking.measurement import Figure
from edgeeff.drawing.svg import Plot
from edgeeff.fitting.fitted import Fitted
from edgeeff.fitting.measured import Timing
from edgeeff.reporting.figures import Latency, Source


@dataclass(frozen=True)
class Search:
    """A search for a network.

    Attributes:
        name: the document's place in the folder.
        facts: names and values, in words.
        command: makes the winner; empty without one.
        plots: the frontier; none before anything is measured.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    command: str
    plots: tuple[Plot, ...]


def search(name: str, found: Fitted) -> Search:
    """What is shown of a search."""
    command = found.winner.command if found.winner else ""
    plots = (found.plot(),) if found.limits.costs else ()
    return Search(name, tuple(_facts(found)), command, plots)


def _facts(found: Fitted) -> Iterator[tuple[str, str]]:
    settings, winner = found.settings, found.winner
    if settings.max_latency is not None:
        yield "budget", f"{settings.max_latency:g} ms on the {settings.target} of {settings.device}"
    if settings.max_bytes is not None:
        yield "budget", f"{settings.max_bytes:,} bytes"
    yield "measured", f"{len(found.measured)} networks"
    yield "state", "finished" if found.finished else "not finished"
    if winner is None:
        return
    yield "chosen", str(winner.candidate)
    expected = winner.candidate.expected
    yield "top-1", f"{expected}% of ImageNet, predicted ({expected.basis})"
    if winner.timing is not None:
        yield "latency", f"{winner.timing.median:.3f} ms, {winner.timing.provenance}"
    yield "bytes", f"{winner.bytes:,}"
    if not winner.trained:
        yield "note", "its weights are random: it has to be trained first"


def winners_latency(found: Fitted, source: Source) -> Latency | None:
    """The latency of the winner beside those of other documents; ``None`` if it was not timed."""
    winner, settings = found.winner, found.settings
    if winner is None or winner.timing is None:
        return None
    timing = winner.timing
    figure = Figure(
        model=winner.files[0],
        sha256=winner.sha256,
        target=settings.target,
        device=settings.device,
        provenance=timing.provenance,
        runtime=timing.runtime,
        threads=settings.threads,
        median=timing.median,
        ci95=timing.ci95,
        options=dict(settings.options),
    )
    return timed(figure, timing, winner.bytes, str(found.machine.get("processor") or ""), source)


def timed(figure: Figure, timing: Timing, size: int, processor: str, source: Source) -> Latency:
    """The latency of a file of so many bytes, as a search timed it."""
    return Latency(
        figure=figure,
        size=size,
        p90=timing.p90,
        runs=timing.runs,
        processor=processor,
        adapter=timing.adapter,
        delegate="",
        nodes=None,
        delegated=None,
        peak_memory=None,
        warnings=(),
        source=source,
    )
