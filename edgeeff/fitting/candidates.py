"""The networks that may win: a family, a compound coefficient, a resolution and a precision."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgeeff.architectures.blocks import Counts
from edgeeff.architectures.variants import VARIANTS, Variant, counts, find_variant, scaled
from edgeeff.errors import UsageError
from edgeeff.fitting.expected import Expected, expected
from edgeeff.fitting.settings import FitSettings

STEP = 0.25
"""Of the compound coefficient between networks that are tried."""

LEAST_PHI = -3.0
"""An eighth of the work of a family's smallest published network."""

BESIDE = (192 / 224, 1.0, 256 / 224)
"""Resolutions that are tried, as shares of what the scaling rule asks for."""

SIDES = 8
"""Resolutions beside the rule's are multiples of so many pixels, as the rule's own."""


@dataclass(frozen=True)
class Candidate:
    """A network that can be built, in a precision.

    Attributes:
        variant: the network, by the name that every command takes.
        resolution: side of its pictures in pixels.
        precision: as of ``convert``.
    """

    variant: str
    resolution: int
    precision: str

    @property
    def network(self) -> Variant:
        """The network."""
        return _network(self.variant)

    @property
    def counts(self) -> Counts:
        """Parameters and multiply-accumulates of one picture."""
        return _counts(self.variant, self.resolution)

    @property
    def expected(self) -> Expected:
        """The accuracy that is predicted for it, if it were trained."""
        return _expected(self.variant, self.resolution, self.precision)

    def __str__(self) -> str:
        return f"{self.variant} at {self.resolution} pixels, {self.precision}"


_network = functools.cache(find_variant)


@functools.cache
def _counts(variant: str, resolution: int) -> Counts:
    return counts(find_variant(variant), resolution)


@functools.cache
def _expected(variant: str, resolution: int, precision: str) -> Expected:
    return expected(find_variant(variant), resolution, precision)


def candidates(settings: FitSettings) -> tuple[Candidate, ...]:
    """All networks that may win, each once.

    Raises:
        UsageError: no family goes with the precisions.
    """
    # Without a limit on time a larger picture would cost nothing.
    beside = BESIDE if settings.max_latency is not None and not settings.published else (1.0,)
    found: dict[object, Candidate] = {}
    for family, precision in settings.tried:
        for variant in _line(family, published=settings.published):
            for side in _sides(variant, settings.resolution, beside):
                # Rounding makes the same network of coefficients that lie close together.
                built = (variant.blocks, variant.head_filters, family, side, precision)
                found.setdefault(built, Candidate(variant.name, side, precision))
    if not found:
        raise UsageError(
            f"the accuracy of no family is known in {', '.join(settings.precisions)}",
            "--family NAME takes one all the same",
        )
    return tuple(found.values())


def may_win(candidate: Candidate, settings: FitSettings) -> bool:
    """Whether a network that was measured for another budget counts for this one, too."""
    network = candidate.network
    if settings.resolution is not None:
        side = candidate.resolution == settings.resolution
    elif settings.published or settings.max_latency is None:
        side = candidate.resolution == network.resolution
    else:
        side = True
    known = network.name in VARIANTS or not settings.published
    return side and known and (network.family, candidate.precision) in settings.tried


def _line(family: str, *, published: bool) -> Iterator[Variant]:
    """The networks of a family on the line of compound scaling, from small to large."""
    known = [variant for variant in VARIANTS.values() if variant.family == family]
    base, largest = known[0], counts(known[-1]).macs
    between = (
        scaled(LEAST_PHI + STEP * step, base=base)
        for step in range(int((MOST_PHI - LEAST_PHI) / STEP) + 1)
    )
    line = [one for one in between if one.name != base.name and counts(one).macs < largest]
    yield from known if published else sorted([*known, *line], key=lambda one: counts(one).macs)


MOST_PHI = math.log2(100)
"""No family spans a larger multiple of its smallest network."""


def _sides(variant: Variant, resolution: int | None, beside: tuple[float, ...]) -> Iterator[int]:
    if resolution is not None:
        yield resolution
        return
    for share in beside:
        yield (
            variant.resolution
            if share == 1
            else SIDES * int(variant.resolution * share / SIDES + 0.5)
        )
