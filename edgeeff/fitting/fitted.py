"""What a search for a network gave, as far as it has come: one document in its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.drawing.svg import Plot
from edgeeff.fitting.budget import Limits, Models, frontier
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.costs import Errors, left_out
from edgeeff.fitting.measured import (
    EDITED,
    Measured,
    Timing,
    read_candidate,
    read_measured,
    read_timing,
)
from edgeeff.fitting.plot import frontier_plot
from edgeeff.fitting.settings import MOST_NETWORKS, FitSettings
from edgeeff.version import __version__

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
        taken_over: how many of them were measured for another budget.
        rejected: converted for good, measured again and found outside of the budget.
        winner: ``None``: none yet, or none is inside the budget.
        finished: nothing is left to be done.
        earlier_files: those of winners of other budgets in the folder; a later one replaces them.
    """

    folder: Path
    settings: FitSettings
    machine: Mapping[str, Any] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    taken_over: int = 0
    rejected: tuple[Winner, ...] = ()
    winner: Winner | None = None
    finished: bool = False
    earlier_files: tuple[str, ...] = ()

    @cached_property
    def limits(self) -> Limits:
        """The budget and what was measured."""
        return Limits(self.settings, self.measured, self.taken_over)

    @property
    def frontier(self) -> list[Measured]:
        """The measured networks that none is both better and cheaper than, cheap ones first."""
        limits = self.limits
        able = {one.candidate: one for one in limits.able}
        return [able[which] for which, _ in frontier((one, limits.costs[one]) for one in able)]

    @property
    def models(self) -> Models:
        """What candidates cost by the networks that were not held out."""
        return self.limits.models()

    def errors(self) -> dict[str, Errors | None]:
        """How far the model of what is limited is off: on networks held out, and one by one."""
        return {
            "held_out": self.models.costs.errors(self.limits.judges),
            "leave_one_out": left_out(self.limits.known, self.settings.classes),
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
            "frontier": [self._entry(one) for one in self.frontier],
            "model": {
                "cost": "latency_ms" if self.limits.by_time else "bytes",
                "prices": self.models.costs.to_json(),
                "errors": {name: one and one.to_json() for name, one in found.items()},
            },
            "measured": [self._entry(one) for one in self.measured],
            "taken_over": self.taken_over,
            "earlier_files": list(self.earlier_files),
        }

    def _entry(self, one: Measured) -> dict[str, Any]:
        steady = self.limits.costs.get(one.candidate) if self.limits.by_time else None
        return {**one.to_json(), "steady_ms": steady}

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
        if settings == self.settings:
            return self
        mine = self.winner.files if self.winner else ()
        return Fitted(
            self.folder,
            settings,
            self.machine,
            self.measured,
            taken_over=len(self.measured),
            earlier_files=tuple(dict.fromkeys((*self.earlier_files, *mine))),
        )

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
    return parse_fitted(files.read_document(path, SCHEMA), folder, str(path))


def parse_fitted(found: Mapping[str, Any], folder: Path, where: str) -> Fitted:
    """The fields of a document as values.

    Args:
        found: the fields.
        folder: that the winner's files are in.
        where: what errors call the document.

    Raises:
        InputError: a part is missing or malformed.
    """
    with foreign.parsing(f"{where} is not a whole search", EDITED):
        settings, winner = _settings(found["settings"], where), found["winner"]
        measured = found["measured"]
        if len(measured) > MOST_NETWORKS:
            raise ValueError(f"{len(measured)} networks")
        return Fitted(
            folder,
            settings,
            dict(found["machine"]),
            read_measured(measured, where),
            int(found["taken_over"]),
            tuple(_winner(entry, where) for entry in found["rejected"]),
            None if winner is None else _winner(winner, where),
            found["finished"] is True,
            tuple(map(str, found["earlier_files"])),
        )


def changed_place(before: FitSettings, now: FitSettings) -> list[str]:
    """What differs of what figures depend on, in words."""
    kinds = ["bytes" if one.max_latency is None else "latency" for one in (before, now)]
    if kinds[0] != kinds[1]:
        return [f"{kinds[0]}, now of {kinds[1]}"]
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
            read_candidate(entry, where),
            tuple(map(str, entry["files"])),
            entry["sha256"],
            entry["bytes"],
            read_timing(entry["latency_ms"], where),
            entry["trained"],
            entry["command"],
        )
    plain = {
        name: value for name, value in vars(found).items() if name not in ("candidate", "timing")
    }
    foreign.check_types(Winner, plain, where)
    return found
