"""Calibration pictures that make a network reach far beyond what it does otherwise.

A network whose activations nothing bounds answers a few pictures with values many times as large
as all others. They own every sum of squares: the ranges that they ask for, and the weights that
are rounded to their liking, leave all other pictures a few steps of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeeff.quantization.calibration.observation import Observed

SHARE = 90.0
"""Percent of the activations, of which the picture reaches farther in the others: one activation
alone, such as a logit, tells nothing about a picture."""

MOST = 0.1
"""Share of the pictures that may be left out, the farthest first: more are no exception."""


def odd_pictures(observed: Mapping[int, Observed], count: int, limit: float) -> list[int]:
    """The places of the pictures that should not calibrate, in order.

    Args:
        observed: what each activation did, by tensor index.
        count: of the pictures; a last batch may have been filled up with more.
        limit: a picture is odd that reaches more than so many times as far as the picture in the
            middle does, in at least a tenth of the activations; 0: none is.
    """
    if not limit or not observed:
        return []
    ends = np.array([seen.extremes[:count] for seen in observed.values()], np.float64)
    reach = np.abs(ends).max(axis=-1)
    usual = np.median(reach, axis=1, keepdims=True)
    alive = usual[:, 0] > 0
    if not alive.any():
        return []
    times = np.percentile(reach[alive] / usual[alive], SHARE, axis=0)
    farthest = np.argsort(-times, kind="stable")[: int(MOST * count)]
    return sorted(int(place) for place in farthest if times[place] > limit)
