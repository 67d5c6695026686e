"""Which networks a search tries: ways to spend the same compute, no network twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeeff.architectures.variants import PAPER_FACTORS, Factors, Variant, counts, scaled
from edgeeff.errors import UsageError

COMPUTE_TOLERANCE = 0.15
"""How far a network's multiply-accumulates may be from the aim, as a share of it.

Filters, repeats and pixels are rounded, so the small networks of factors that promise the same
compute differ; ``scaling_grid`` alone does not see that.
"""

LEAST_RESOLUTION = 32
"""Pixels below which no network is trained."""


@dataclass(frozen=True)
class Candidate:
    """One way to scale the base.

    Attributes:
        factors: of depth, width and resolution per step of phi.
        variant: the network that they make.
        compute: its multiply-accumulates by those of the base.
    """

    factors: Factors
    variant: Variant
    compute: float

    @property
    def parameters(self) -> dict[str, float]:
        """The factors by the paper's names."""
        return dict(zip(("alpha", "beta", "gamma"), self.factors, strict=True))


def candidate(base: Variant, phi: float, factors: Factors) -> Candidate:
    """The network of some factors. Raises ``UsageError`` for factors that scale nothing."""
    variant = scaled(phi, *factors, base=base)
    return Candidate(factors, variant, counts(variant).macs / counts(base).macs)


def candidates(
    base: Variant, points: Sequence[Factors], *, phi: float = 1.0, most: int | None = None
) -> tuple[Candidate, ...]:
    """The different networks among some points that spend ``2^phi`` times the base's compute.

    Args:
        base: the network to scale.
        points: factors, such as those of ``scaling_grid``.
        phi: how often the compute doubles.
        most: how many are kept: those that lie farthest apart. ``None``: all.

    Raises:
        UsageError: no network has that compute within ``COMPUTE_TOLERANCE``.
    """
    aim = 2.0**phi
    networks: dict[Any, Candidate] = {}
    for point in points:
        found = candidate(base, phi, point)
        if abs(found.compute - aim) > COMPUTE_TOLERANCE * aim:
            continue
        if found.variant.resolution < LEAST_RESOLUTION:
            continue
        former = networks.get(_shape(found.variant))
        if former is None or _off(point) < _off(former.factors):
            networks[_shape(found.variant)] = found
    if not networks:
        raise UsageError(
            f"no scaling of {base.name} has {aim:g} times its compute within "
            f"{COMPUTE_TOLERANCE:.0%}: what is that small is rounded too coarsely",
            "a larger base, or another --phi",
        )
    found_ones = tuple(networks.values())
    return found_ones if most is None else _spread(found_ones, most)


def _shape(variant: Variant) -> tuple[Any, ...]:
    """What two variants share if they are the same network."""
    return variant.blocks, variant.stem_filters, variant.head_filters, variant.resolution


def _off(point: Factors) -> float:
    """How far factors are from promising twice the compute; the paper's go before all others.

    Of all factors that round to one network, it is called by those that are least off.
    """
    alpha, beta, gamma = point
    return -1.0 if point == PAPER_FACTORS else abs(alpha * beta**2 * gamma**2 - 2)


def _spread(found: tuple[Candidate, ...], most: int) -> tuple[Candidate, ...]:
    """The paper's point or its nearest, then always the one farthest from all that are kept."""

    def distance(one: Candidate, other: Factors) -> float:
        return math.dist(_logarithms(one.factors), _logarithms(other))

    kept = [min(found, key=lambda one: distance(one, PAPER_FACTORS))]
    while len(kept) < min(most, len(found)):
        kept.append(max(found, key=lambda one: min(distance(one, k.factors) for k in kept)))
    return tuple(one for one in found if one in kept)


def _logarithms(factors: Factors) -> tuple[float, float, float]:
    """Of the compute that each factor takes."""
    alpha, beta, gamma = (math.log2(factor) for factor in factors)
    return alpha, 2 * beta, 2 * gamma
