"""How far down the input of x · sigmoid(x) matters."""

from __future__ import annotations

import numpy as np

from edgeeff.arrays import Vector

LOWEST_AT = -1.2784645
"""Where swish is smallest."""

SWISH_LEAST = -0.2784646
"""And what it is there."""

PLACES = 1024
"""Of its falling branch, at which it is looked up."""


def told_apart_by_swish(half_a_step: Vector, end: float) -> Vector:
    """The least input whose swish lies at least so far from zero, float64 [...].

    Towards minus infinity swish goes to zero. Where it lies less than half a step of its grid from
    it, one input stands for all below, and the input's grid is the finer for what it need not hold.

    Args:
        half_a_step: of the grid of swish(x), [...].
        end: below ``-end`` nothing is told apart.
    """
    below = np.linspace(-max(end, -LOWEST_AT), LOWEST_AT, PLACES)
    found: Vector = np.interp(half_a_step, -below / (1 + np.exp(-below)), below)
    return found
