"""The best candidate is converted for good and measured again; if that is outside, the next."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgeeff import files
from edgeeff.errors import OutputError
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.fitted import Fitted, Winner
from edgeeff.fitting.measured import Timing
from edgeeff.fitting.settings import FitSettings
from edgeeff.fitting.targets import runnable
from edgeeff.pipeline.conversion import Conversion, Settings, convert
from edgeeff.progress import Progress
from edgeeff.tflite.manifest import path_of, refuse_foreign

HOPE = 0.9
"""Of what a network is slower when it is converted, by what is known of its kind: the next one may
be so much better off."""

TimeAgain = Callable[[Path], Timing | None]
"""Times a file at length; ``None`` where latency is not limited."""


def win(
    found: Fitted,
    time_again: TimeAgain,
    scratch: Path,
    progress: Progress,
    *,
    force: bool = False,
) -> Fitted:
    """Convert and measure candidates inside the budget, the best first, until one is inside.

    Args:
        found: with all measurements.
        time_again: times a file at length.
        scratch: a folder inside the search's, for files that may be left out.
        progress: told of every stage.
        force: replace files that are no earlier winner's.

    Returns:
        The search with its winner, whose files are in its folder, and with those that were
        outside; without one, none was inside.

    Raises:
        OutputError: such a file is in the way.
    """
    limits = found.limits
    for measured in limits.best():
        slower = _slower(measured.candidate, found)
        if slower * HOPE * limits.costs[measured.candidate] > limits.limit:
            continue
        folder = scratch / f"winner-{len(found.rejected)}"
        made = _converted(measured.candidate, found.settings, folder, progress)
        model = runnable(made.model, found.settings.target)
        winner = _winner(measured.candidate, made, model, time_again(model))
        if _inside(winner, found.settings):
            _kept(found, folder, winner.files, force=force)
            return replace(found, winner=winner)
        found = replace(found, rejected=(*found.rejected, winner))
        found.write()
    return found


def _slower(candidate: Candidate, found: Fitted) -> float:
    """By how much networks of a kind were slower when they were converted; 1: nothing is known.

    The recipe may make other operators of trained weights than of random ones, as that of the B
    networks in int8 does. Infinite for a network that was rejected itself.
    """
    factors = [1.0]
    for one in found.rejected:
        if one.candidate == candidate:
            return math.inf
        alike = one.candidate.network.family == candidate.network.family
        cost = found.limits.costs.get(one.candidate)
        if alike and one.candidate.precision == candidate.precision and one.timing and cost:
            factors.append(one.timing.median / cost)
    return max(factors)


def _converted(
    candidate: Candidate, settings: FitSettings, folder: Path, progress: Progress
) -> Conversion:
    beside = candidate.resolution != candidate.network.resolution
    return convert(
        candidate.variant,
        Settings(
            precision=candidate.precision,
            weights=settings.weights,
            classes=settings.classes,
            resolution=candidate.resolution if beside else None,
            output=folder,
        ),
        progress,
    )


def _winner(candidate: Candidate, made: Conversion, model: Path, timing: Timing | None) -> Winner:
    """What is kept of a conversion; ``model`` is the file that was timed."""
    manifest, models = made.manifest, dict.fromkeys((made.model, made.reference))
    weights = manifest.weights
    written = [path for one in models for path in (one, path_of(one))]
    return Winner(
        candidate,
        tuple(dict.fromkeys(path.name for path in (model, *written))),
        files.sha256(model),
        model.stat().st_size,
        timing,
        weights is not None and weights.trained,
        manifest.command or "",
    )


def _inside(winner: Winner, settings: FitSettings) -> bool:
    small = settings.max_bytes is None or winner.bytes <= settings.max_bytes
    return small and (
        winner.timing is None
        or settings.max_latency is None
        or winner.timing.median <= settings.max_latency
    )


def _kept(found: Fitted, folder: Path, names: Sequence[str], *, force: bool) -> None:
    """Bring the winner's files into the search's folder. Raises ``OutputError``."""
    contents = {found.folder / name: files.read_bytes(folder / name) for name in names}
    for path, content in contents.items():
        if path.suffix != ".tflite" or path.name in found.earlier_files or force:
            continue
        refuse_foreign(path, force=force)
        # The same one is of this search, which was stopped before it could say so.
        if os.path.lexists(path) and files.read_bytes(path) != content:
            raise OutputError(
                f"{path} exists already", "move it away: the same command then goes on from here"
            )
    files.write_together(contents)
