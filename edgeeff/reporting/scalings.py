"""Searches of ``edgeeff fit --data`` as the report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeeff.benchmarking.measurement import Figure
from edgeeff.fitting.measured import read_timing
from edgeeff.reporting.figures import Latency, Source
from edgeeff.reporting.searches import Search, timed


def scaling(name: str, fields: Mapping[str, Any]) -> Search:
    """What is shown of a search on pictures of one's own.

    Args:
        name: the document's place in the folder.
        fields: of the document, ``edgeeff.search/1``.

    Raises:
        InputError, LookupError, TypeError, ValueError: they are not as its schema says.
    """
    return Search(name, tuple(_facts(fields, name)), "", ())


def scalings_latency(fields: Mapping[str, Any], source: Source) -> Latency | None:
    """The latency of the winner beside those of other documents; ``None`` if it was not timed.

    Raises:
        InputError, LookupError, TypeError, ValueError: as ``scaling``.
    """
    settings, winner = fields["settings"], fields["winner"]
    timing = read_timing(winner["latency_ms"], source.path)
    if timing is None:
        return None
    figure = Figure(
        model=str(winner["model"]),
        sha256=str(winner["sha256"]),
        target=str(settings["target"]),
        device=str(settings["device"]),
        provenance=timing.provenance,
        runtime=timing.runtime,
        threads=int(settings["threads"]),
        median=timing.median,
        ci95=timing.ci95,
        options={},
    )
    return timed(figure, timing, int(winner["bytes"]), "", source)


def _facts(fields: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    settings, winner = fields["settings"], fields["winner"]
    training = settings["training"]
    yield "scaled", f"{fields['base']['variant']} to 2^{settings['phi']:g} times its compute"
    yield "pictures", str(training["dataset"] or training["data"])
    if settings["max_latency"] is not None:
        device = f"the {settings['target']} of {settings['device']}"
        yield "budget", f"{settings['max_latency']:g} ms on {device}"
    if settings["max_bytes"] is not None:
        yield "budget", f"{settings['max_bytes']:,} bytes"
    yield "state", "finished"
    yield from ((_factors(one), _tried(one)) for one in fields["candidates"])
    yield "chosen", f"{winner['variant']}: {_factors(winner)}"
    for part in ("val", "test"):
        right = winner[f"{part}_top1"]
        if right is not None:
            yield "top-1", f"{right:.2%} of {part}, measured after {_epochs(winner['epochs'])}"
    timing = read_timing(winner["latency_ms"], where)
    if timing is not None:
        yield "latency", f"{timing.median:.3f} ms, {timing.provenance}"
    yield "bytes", f"{winner['bytes']:,}"
    # Of the pictures, the search and the winner's training say the same.
    notes = dict.fromkeys(map(str, (*fields["notes"], *winner["notes"])))
    yield from (("note", note) for note in notes)


def _factors(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {point[name]:g}" for name in ("alpha", "beta", "gamma"))


def _tried(candidate: Mapping[str, Any]) -> str:
    """What became of a candidate, in words."""
    rungs = [
        str(one["error"])
        if one["val_top1"] is None
        else f"{one['val_top1']:.2%} of val after {_epochs(one['epochs'])}"
        for one in candidate["trained"]
    ]
    found = ", ".join(rungs) or str(candidate["error"] or "not trained")
    return f"{candidate['compute']:.2f} times the compute: {found}"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
