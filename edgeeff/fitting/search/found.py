"""What a search on the user's pictures gave: one document in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.architectures.variants import Variant, counts
from edgeeff.fitting.search.halving import Round
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome
from edgeeff.fitting.search.space import Candidate
from edgeeff.version import __version__

SCHEMA, DOCUMENT = "edgeeff.search/1", "search.json"


@dataclass(frozen=True)
class Found:
    """A search that is finished.

    Attributes:
        folder: where this process keeps it.
        settings: what was looked for.
        base: the network that was scaled, with the classes of the pictures.
        study: the name of the search in its storage.
        pool: all candidates.
        measured: what was measured of each before it was trained, by the variant's name; empty if
            nothing is limited.
        rounds: of successive halving.
        chosen: the best candidate.
        winner: what became of it, as JSON values: its folder and machine, accuracy, file and
            latency.
        notes: what the user must be told, a sentence each.
    """

    folder: Path
    settings: SearchSettings
    base: Variant
    study: str
    pool: Sequence[Candidate]
    measured: Mapping[str, Outcome]
    rounds: Sequence[Round]
    chosen: Candidate
    winner: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def document(self) -> str:
        """The JSON document; its schema is ``edgeeff.search/1``."""
        return files.document(
            SCHEMA,
            {
                "edgeeff": __version__,
                "settings": self.settings.to_json(),
                "study": self.study,
                "base": _network(self.base),
                "candidates": [self._candidate(one) for one in self.pool],
                "rungs": [vars(one.rung) for one in self.rounds],
                "winner": {**_point(self.chosen), **self.winner},
                "notes": list(self.notes),
            },
        )

    def write(self) -> None:
        """Write the document into the folder. Raises ``OutputError``."""
        files.write_bytes(self.folder / DOCUMENT, self.document().encode(), force=True)

    def _candidate(self, one: Candidate) -> dict[str, Any]:
        name = one.variant.name
        measured = self.measured.get(name)
        trained = [
            {"epochs": round_.rung.epochs, "val_top1": outcome.value, "error": outcome.error}
            for round_ in self.rounds
            if (outcome := round_.outcomes.get(name)) is not None
        ]
        return {
            **_point(one),
            "measured": measured.notes if measured else None,
            "error": measured.error if measured else "",
            "trained": trained,
        }


def _network(variant: Variant) -> dict[str, Any]:
    cost = counts(variant)
    return {
        "variant": variant.name,
        "resolution": variant.resolution,
        "parameters": cost.parameters,
        "macs": cost.macs,
    }


def _point(one: Candidate) -> dict[str, Any]:
    return {**one.parameters, "compute": one.compute, **_network(one.variant)}
