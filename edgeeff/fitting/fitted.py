"""What a search for a network gave, as far as it has come: one document in its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeeff import __version__, files, foreign
from edgeeff.drawing.svg import Plot
from edgeeff.fitting.budget import Limits, Models, frontier
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.costs import Errors, left_out
from edgeeff.fitting.measured import (
    EDITED,
    HELD_OUT,
    Measured,
    Timing,
    built,
    read_measured,
    read_timing,
    timed,
)
from edgeeff.fitting.plot import frontier_plot
from edgeeff.fitting.settings import FitSettings

SCHEMA = "edgeeff.fit/1"

DOCUMENT, PLOT = "fit.json", "fit.svg"
"""The files of a search, beside those of the winner."""

PLACE = ("device", "target", "threads", "options", "classes")
"""Settings that have to stay as they are for figures to stay true."""


@dataclass(frozen=True)
class Winner:
    """A candidate that was converted for good and measured again, in processes of its own.

    Attributes:
        candidate: which one.
        files: names of its files, the model first.
        sha256: of the model, hex.
        bytes: of the model.
        timing: of the model; ``None`` if latency is not limited.
        trained: whether its weights are of a training; if not, it has to be trained first.
        command: the line that makes it.
    """

    candidate: Candidate
    files: tuple[str, ...]
    sha256: str
    bytes: int
    timing: Timing | None
    trained: bool
    command: str

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            **_candidate_json(self.candidate),
            "files": list(self.files),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "latency_ms": self.timing.to_json() if self.timing else None,
            "trained": self.trained,
            "command": self.command,
        }


@dataclass(frozen=True)
class Fitted:
    """A search as far as it has come; a notebook shows its frontier.

    Attributes:
        folder: where it is kept.
        settings: what was looked for.
        machine: where networks were timed, as ``accelerators.machine`` reads it; ``{}``: nowhere.
        measured: in order.
        rejected: converted for good, measured again and found outside of the budget.
        winner: ``None``: none yet, or none is inside the budget.
        finished: nothing is left to be done.
    """

    folder: Path
    settings: FitSettings
    machine: Mapping[str, Any] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    rejected: tuple[Winner, ...] = ()
    winner: Winner | None = None
    finished: bool = False

    @property
    def limits(self) -> Limits:
        """The budget and what was measured."""
        return Limits(self.settings, self.measured)

    @property
    def frontier(self) -> list[Measured]:
        """The measured networks that none is both better and cheaper than, cheap ones first."""
        costs = {one.candidate: (one, self.limits.cost(one)) for one in self.measured}
        line = frontier((which, cost) for which, (_, cost) in costs.items() if cost is not None)
        return [costs[which][0] for which, _ in line]

    @property
    def models(self) -> Models:
        """What candidates cost by the networks that were not held out."""
        return self.limits.models()

    def errors(self) -> dict[str, Errors | None]:
        """How far the model of what is limited is off: on networks held out, and one by one."""
        known = timed if self.limits.by_time else built
        held_out = [one for one in self.measured if one.role == HELD_OUT]
        others = [one for one in self.measured if one.role != HELD_OUT]
        return {
            "held_out": self.models.costs.errors(known(held_out)),
            "leave_one_out": left_out(known(others), self.settings.classes),
        }

    def plot(self) -> Plot:
        """Predicted accuracy against what was measured."""
        winner = self.winner.candidate if self.winner else None
        return frontier_plot(self.limits, self.frontier, winner)

    def to_json(self) -> dict[str, Any]:
        """The fields of ``edgeeff.fit/1``."""
        found = self.errors()
        return {
            "edgeeff": __version__,
            "settings": self.settings.to_json(),
            "machine": dict(self.machine),
            "finished": self.finished,
            "winner": self.winner.to_json() if self.winner else None,
            "rejected": [one.to_json() for one in self.rejected],
            "frontier": [one.to_json() for one in self.frontier],
            "model": {
                "cost": "latency_ms" if self.limits.by_time else "bytes",
                "prices": self.models.costs.to_json(),
                "errors": {name: one and one.to_json() for name, one in found.items()},
            },
            "measured": [one.to_json() for one in self.measured],
        }

    def document(self) -> str:
        """The JSON document."""
        return files.document(SCHEMA, self.to_json())

    def write(self) -> None:
        """Put document and plot into the folder, in place of earlier ones. ``OutputError``."""
        contents = {self.folder / DOCUMENT: self.document().encode()}
        if self.measured:
            contents[self.folder / PLOT] = self.plot().svg.encode()
        files.write_together(contents)

    def with_settings(self, settings: FitSettings) -> Fitted:
        """The same measurements held against another budget; what won before is forgotten."""
        if settings == self.settings and self.finished:
            return self
        return replace(self, settings=settings, rejected=(), winner=None, finished=False)

    def _repr_svg_(self) -> str:
        return self.plot().svg


def is_fit(folder: Path) -> bool:
    """Whether a folder holds a search."""
    return os.path.isfile(folder / DOCUMENT)


def read_fitted(folder: Path) -> Fitted:
    """Read a search's document.

    Raises:
        InputError: none, one that is damaged, or of a newer version.
    """
    path = folder / DOCUMENT
    found = files.read_document(path, SCHEMA)
    with foreign.parsing(f"{path} is not a whole search", EDITED):
        settings = _settings(found["settings"], str(path))
        winner = found["winner"]
        return Fitted(
            folder,
            settings,
            dict(found["machine"]),
            read_measured(found["measured"], str(path)),
            tuple(_winner(entry, str(path)) for entry in found["rejected"]),
            None if winner is None else _winner(winner, str(path)),
            found["finished"] is True,
        )


def changed_place(before: FitSettings, now: FitSettings) -> list[str]:
    """What differs of what figures depend on, ``name: this, that`` each."""
    return [
        f"{name} {getattr(before, name)}, now {getattr(now, name)}"
        for name in PLACE
        if getattr(before, name) != getattr(now, name)
    ]


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "variant": candidate.variant,
        "family": candidate.network.family,
        "resolution": candidate.resolution,
        "precision": candidate.precision,
        "expected_top1": candidate.expected.to_json(),
    }


def _settings(fields: Mapping[str, Any], where: str) -> FitSettings:
    foreign.check_types(FitSettings, fields, where)
    listed = {name: tuple(fields[name]) for name in ("families", "precisions")}
    return FitSettings(**{**fields, **listed})


def _winner(entry: Mapping[str, Any], where: str) -> Winner:
    with foreign.parsing(f"{where} has a malformed winner", EDITED):
        found = Winner(
            Candidate(entry["variant"], entry["resolution"], entry["precision"]),
            tuple(map(str, entry["files"])),
            entry["sha256"],
            entry["bytes"],
            read_timing(entry["latency_ms"], where),
            entry["trained"],
            entry["command"],
        )
    foreign.check_types(Candidate, vars(found.candidate), where)
    plain = {
        name: value for name, value in vars(found).items() if name not in ("candidate", "timing")
    }
    foreign.check_types(Winner, plain, where)
    return found
