"""What a user may decide about the search for a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edgeeff.accelerators import find_target
from edgeeff.accelerators.plan import Plan, preset
from edgeeff.architectures.variants import VARIANTS
from edgeeff.devices import check_options
from edgeeff.errors import UsageError, unknown_name
from edgeeff.fitting.expected import LOSS
from edgeeff.foreign import shown
from edgeeff.pictures.preprocessing import MOST_RESOLUTION

FAMILIES = tuple(dict.fromkeys(variant.family for variant in VARIANTS.values()))

PRECISIONS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("int8", "float32"),
    "gpu": ("float16",),
    "edgetpu": ("int8",),
}
"""What is tried on a target if the user names no precision."""

KNOWN_PRECISIONS = ("int8", "int16x8", "dynamic", "float16", "float32")

WEIGHTS = ("auto", "none")

NETWORKS, BUILT = 48, 16
"""How many are built and measured at most, and how many are built where nothing is measured."""

MOST_NETWORKS = 1000

PLAN = Plan("fit", warmup_runs=5, warmup_seconds=0.3, min_runs=30, min_seconds=0.5, repeats=2)
"""How each candidate is timed: the winner is timed again, at length."""


@dataclass(frozen=True)
class FitSettings:
    """What is looked for, and where it is measured.

    Attributes:
        max_latency: the most milliseconds that a run may take, as a median; ``None``: any.
        max_bytes: the most bytes of the file; ``None``: any. One of the two is needed.
        device: an address as in ``devices.connect``, of one device.
        target: a name of ``accelerators.TARGETS``.
        threads: kernel threads on the device.
        options: of the target, as ``Plan.options``.
        families: which may win; none: those whose accuracy in a precision is known.
        precisions: of ``KNOWN_PRECISIONS``; none: as suits the target.
        published: only networks as they were published, whose weights can be had.
        resolution: of all networks; ``None``: as the scaling rule has it, and a little beside.
        classes: outputs; ``None``: the variant's.
        networks: how many are built and measured at most; ``None``: ``NETWORKS``, or
            ``BUILT`` where no latency is limited.
        weights: of the winner: ``auto``, those that were published if they can be had; ``none``.
        seed: of what is drawn at random.
    """

    max_latency: float | None = None
    max_bytes: int | None = None
    device: str = "local"
    target: str = "cpu"
    threads: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    families: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    published: bool = False
    resolution: int | None = None
    classes: int | None = None
    networks: int | None = None
    weights: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for a name or a number that cannot be meant."""
        if self.max_latency is None and self.max_bytes is None:
            raise UsageError("no budget is given", "--max-latency MS, --max-bytes N, or both")
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:  # NaN neither
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {shown(value)}", f"it lies in {least:g}..{most:g}")
        find_target(self.target)
        check_options(self.options, (self.target,), self.device)
        for names, known, kind in (
            (self.families, FAMILIES, "family"),
            (self.precisions, KNOWN_PRECISIONS, "precision"),
            ((self.weights,), WEIGHTS, "weights"),
        ):
            for name in names:
                if name not in known:
                    raise unknown_name(kind, name, known)

    @property
    def tried(self) -> tuple[tuple[str, str], ...]:
        """The pairs of family and precision that may win."""
        precisions = self.precisions or PRECISIONS[self.target]
        return tuple(
            (family, precision)
            for family in self.families or FAMILIES
            for precision in precisions
            if self.families or (family, precision) in LOSS
        )

    @property
    def most_networks(self) -> int:
        """How many are built and measured at most."""
        return self.networks or (BUILT if self.max_latency is None else NETWORKS)

    @property
    def plan(self) -> Plan:
        """How a candidate is timed."""
        return replace(PLAN, threads=self.threads, options=dict(self.options))

    @property
    def winners_plan(self) -> Plan:
        """How the winner is timed again: the standard of ``benchmark``."""
        return preset("standard", threads=self.threads, options=dict(self.options))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            **asdict(self),
            "families": list(self.families),
            "precisions": list(self.precisions),
            "options": dict(self.options),
        }


_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("max_latency", 1e-3, 1e6),
    ("max_bytes", 1, 1e12),
    ("resolution", 32, MOST_RESOLUTION),
    ("classes", 1, 1_000_000),
    ("networks", 1, MOST_NETWORKS),
    ("seed", 0, 2**63 - 1),
)
