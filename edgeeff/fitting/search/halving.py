"""Successive halving: all candidates are trained briefly, the best of them longer.

Karnin et al., ICML 2013; Jamieson and Talwalkar, arXiv 1502.07943. Each rung trains from the first
weights again, with a schedule of its own that comes to its end: its figures can be compared, and a
rung needs nothing of the machines that did the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeeff.fitting.search.sharing import Outcome


@dataclass(frozen=True)
class Rung:
    """One round.

    Attributes:
        candidates: how many are trained.
        epochs: for how long.
    """

    candidates: int
    epochs: int


def rungs(candidates: int, epochs: int, reduction: int = 3) -> tuple[Rung, ...]:
    """The rounds that leave one of some candidates.

    Args:
        candidates: at the beginning.
        epochs: of the training that the winner gets afterwards; the last round has a part of them.
        reduction: one of so many goes on, and is trained so many times as long.
    """
    counts = [candidates]
    while counts[-1] > reduction:
        counts.append(max(1, round(counts[-1] / reduction)))
    if counts[-1] == 1 and len(counts) > 1:
        counts.pop()
    lengths = [epochs / reduction ** (len(counts) - place) for place in range(len(counts))]
    return tuple(
        Rung(count, max(1, round(length))) for count, length in zip(counts, lengths, strict=True)
    )


def best(names: Sequence[str], outcomes: Mapping[str, Outcome], count: int) -> tuple[str, ...]:
    """The names of the highest values, the best first; equal ones in the order of the names."""
    valued = {name: one for name in names if (one := outcomes[name].value) is not None}
    return tuple(sorted(valued, key=lambda name: -valued[name])[:count])
