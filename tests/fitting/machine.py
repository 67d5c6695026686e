"""A machine that is made up: what a network costs on it is known without building it."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.shape import NAMES, shape

PRICES = dict(zip(NAMES, (2e-8, 1e-8, 1e-7, 3e-7, 5e-7, 1e-8, 4e-3, 0.2), strict=True))
"""Of a machine that is made up: milliseconds for each piece of work."""


def true_cost(candidate: Candidate) -> float:
    """Milliseconds of a run, twice as many in float32."""
    work = astuple(shape(candidate.variant, candidate.resolution))
    slower = 2.0 if candidate.precision == "float32" else 1.0
    return slower * float(np.dot(list(PRICES.values()), work))
