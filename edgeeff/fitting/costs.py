"""What a network costs, predicted from networks that were built and measured.

A cost is a sum of the amounts of work in a ``Shape``, each at a price that is never negative, one
list of prices for each precision. Because no amount shrinks when a network grows, no price can make
a larger network cheaper: the model is monotone by construction. That latency is near to linear in
the work of each kind on one device is what Paleo (Qi, Sparks and Talwalkar, ICLR 2017) and nn-Meter
(Zhang and others, MobiSys 2021) rest on; prices are found by non-negative least squares (Lawson and
Hanson, 1974) of relative errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import median
from typing import Any

import numpy as np

from edgeeff.arrays import Vector
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.shape import NAMES, shape

Known = tuple[Candidate, float]
"""A candidate and what it costs, above 0: milliseconds or bytes."""


@dataclass(frozen=True)
class Errors:
    """How far predictions were from what was measured, as shares of it.

    Attributes:
        networks: how many were predicted.
        median: of the errors' sizes.
        worst: the largest.
    """

    networks: int
    median: float
    worst: float

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class CostModel:
    """Prices of work.

    Attributes:
        prices: by precision, in the order of ``shape.NAMES``; none is negative.
        classes: of all networks; ``None``: the variants' own.
    """

    prices: Mapping[str, tuple[float, ...]]
    classes: int | None = None

    def cost(self, candidate: Candidate) -> float | None:
        """What a candidate is predicted to cost; ``None`` if nothing of its precision is known."""
        prices = self.prices.get(candidate.precision)
        return None if prices is None else float(np.dot(prices, _work(candidate, self.classes)))

    def errors(self, held_out: Iterable[Known]) -> Errors | None:
        """How far it is off on networks that it does not know; ``None`` without any."""
        return _errors((self.cost(candidate), cost) for candidate, cost in held_out)

    def to_json(self) -> dict[str, Any]:
        """Prices by precision and kind of work."""
        return {
            precision: dict(zip(NAMES, prices, strict=True))
            for precision, prices in self.prices.items()
        }


def cost_model(known: Sequence[Known], classes: int | None = None) -> CostModel:
    """Find the prices that fit what is known best.

    Args:
        known: of any precisions.
        classes: outputs of all of them.
    """
    precisions = dict.fromkeys(candidate.precision for candidate, _ in known)
    return CostModel(
        {
            precision: _prices(
                [
                    _work(candidate, classes)
                    for candidate, _ in known
                    if candidate.precision == precision
                ],
                [cost for candidate, cost in known if candidate.precision == precision],
            )
            for precision in precisions
        },
        classes,
    )


def left_out(known: Sequence[Known], classes: int | None = None) -> Errors | None:
    """The errors of models that know all networks but the one that they predict."""

    def predicted(place: int) -> float | None:
        others = [*known[:place], *known[place + 1 :]]
        return cost_model(others, classes).cost(known[place][0])

    return _errors((predicted(place), cost) for place, (_, cost) in enumerate(known))


def _work(candidate: Candidate, classes: int | None) -> Vector:
    return np.asarray(astuple(shape(candidate.variant, candidate.resolution, classes)), np.float64)


def _prices(work: Sequence[Vector], costs: Sequence[float]) -> tuple[float, ...]:
    from scipy.optimize import nnls

    # Dividing by the cost makes errors relative; the columns' scales are for the solver alone.
    rows = np.stack(work) / np.asarray(costs)[:, None]
    scales = np.where(rows.any(axis=0), np.abs(rows).max(axis=0), 1.0)
    found, _ = nnls(rows / scales, np.ones(len(costs)))
    return tuple(float(price) for price in found / scales)


def _errors(pairs: Iterable[tuple[float | None, float]]) -> Errors | None:
    found = [abs(predicted / cost - 1) for predicted, cost in pairs if predicted is not None]
    return Errors(len(found), median(found), max(found)) if found else None
