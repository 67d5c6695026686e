"""The float network between its source and everything that is made of it; needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgeeff import foreign
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.statistics import Statistics


@dataclass(frozen=True)
class Provenance:
    """Where a network's weights come from.

    Attributes:
        source: a package, a file's name, or ``none``.
        sha256: of the file, hex; ``None`` without one.
        trained: every layer has its weights from the source. False for an untrained network
            and for one whose head was dropped: its predictions mean nothing yet.
        notes: what the user must be told, one sentence each.
        difference: of the float model's answers from those of the network it was made of, the
            largest one found; ``None`` if the two were not compared.
    """

    source: str
    sha256: str | None = None
    trained: bool = False
    notes: tuple[str, ...] = ()
    difference: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "trained": self.trained,
            "notes": list(self.notes),
            "difference": self.difference,
        }

    @staticmethod
    def from_json(fields: Mapping[str, Any]) -> Provenance:
        """Read what ``to_json`` gave. Raises ``InputError`` for anything else."""
        if not isinstance(fields, Mapping):
            raise InputError(
                f"weights that are malformed: {foreign.shown(fields)}", "was it edited?"
            )
        foreign.check_types(Provenance, fields, "weights")
        for name in ("source", "sha256", "trained"):
            if name not in fields:
                raise InputError(f"weights without {name}")
        notes, difference = fields.get("notes", ()), fields.get("difference")
        return Provenance(
            fields["source"], fields["sha256"], fields["trained"], tuple(notes), difference
        )


@dataclass(frozen=True)
class FloatModel:
    """A float32 classifier, whatever it came from.

    Attributes:
        content: the .tflite. It takes normalised pictures, float32 [batch, height, width,
            channels].
        preprocessing: how its pictures are made.
        variant: its name; ``None`` for a network from elsewhere.
        weights: where they come from; ``None`` if that is not known.
        labels: class names in the order of the outputs; ``None`` if not given.
    """

    content: bytes
    preprocessing: Preprocessing
    variant: str | None = None
    weights: Provenance | None = None
    labels: tuple[str, ...] | None = None

    @cached_property
    def graph(self) -> Graph:
        """The network; all who read it share it, so that changes go into a copy.

        Raises:
            InputError: the content is no model, or damaged.
        """
        return Graph.of(self.content)

    @cached_property
    def statistics(self) -> Statistics | None:
        """What its source knows of its activations; ``None`` if nothing. ``InputError``."""
        return statistics.attached(self.graph)

    @property
    def untrained(self) -> bool:
        """Whether its answers are known to be noise, with which nothing can agree."""
        return self.weights is not None and not self.weights.trained
