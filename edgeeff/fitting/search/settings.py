"""What a user may decide about the search on pictures of the user's own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeeff.accelerators import find_target
from edgeeff.accelerators.plan import Plan, preset
from edgeeff.errors import UsageError, unknown_name
from edgeeff.fitting.settings import KNOWN_PRECISIONS, PLAN, PRECISIONS
from edgeeff.training.settings import TrainingSettings

BOUNDS: Mapping[str, tuple[float, float]] = {
    "phi": (-6, 6),
    "networks": (1, 200),
    "reduction": (2, 10),
    "max_latency": (1e-3, 1e6),
    "max_bytes": (1, 1e12),
}
"""Between which numbers a setting lies."""

PLACES = ("data", "val_data")
"""Settings that differ between the machines of one search: the pictures themselves are compared."""


@dataclass(frozen=True)
class SearchSettings:
    """How a network is searched for.

    Attributes:
        training: the base, the pictures, and how networks are trained; its epochs are the winner's.
        phi: how often the compute of the base is doubled.
        networks: how many are trained at most.
        reduction: one of so many goes on to the next rung, and is trained so many times as long.
        max_latency: the most milliseconds of a run, as a median; ``None``: any, and candidates
            are not measured.
        max_bytes: the most bytes of the file; ``None``: any.
        device: where networks are timed, as in ``devices.connect``; one device.
        target: a name of ``accelerators.TARGETS``.
        threads: kernel threads on the device.
        precision: of the file; one of ``KNOWN_PRECISIONS``; ``None``: as suits the target.
    """

    training: TrainingSettings
    phi: float = 1.0
    networks: int = 16
    reduction: int = 3
    max_latency: float | None = None
    max_bytes: int | None = None
    device: str = "local"
    target: str = "cpu"
    threads: int = 1
    precision: str | None = None

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for a name or a number that cannot be meant."""
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and least <= value <= most):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {value:g}", f"it lies in {least:g}..{most:g}")
        find_target(self.target)
        if self.file_precision not in KNOWN_PRECISIONS:
            raise unknown_name("precision", self.file_precision, KNOWN_PRECISIONS)
        if self.training.resolution is not None:
            raise UsageError(
                "--resolution cannot be given with --data",
                "the search chooses it; --variant b0-phi-1 begins with a smaller network",
            )

    @property
    def file_precision(self) -> str:
        """The precision of the file."""
        return self.precision or PRECISIONS[self.target][0]

    @property
    def limited(self) -> bool:
        """Whether candidates are built and measured before they are trained."""
        return self.max_latency is not None or self.max_bytes is not None

    @property
    def plan(self) -> Plan:
        """How a candidate is timed."""
        return dataclasses.replace(PLAN, threads=self.threads)

    @property
    def winners_plan(self) -> Plan:
        """How the winner is timed."""
        return preset("standard", threads=self.threads)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        training, precision = self.training.to_json(), self.file_precision
        return {**dataclasses.asdict(self), "training": training, "precision": precision}

    def study_name(self, pictures: str) -> str:
        """The name of the search in its storage: the same on every machine that takes part.

        Args:
            pictures: their digest; where they lie does not matter.
        """
        fields = self.to_json()
        training = {name: one for name, one in fields["training"].items() if name not in PLACES}
        asked = json.dumps([pictures, {**fields, "training": training}], sort_keys=True)
        return f"fit {hashlib.sha256(asked.encode()).hexdigest()[:12]}"
