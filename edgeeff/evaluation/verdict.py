"""Whether a quantized model still answers as its float network does.

Networks that kept their answers measured 15 dB or more at the median picture, ruined ones 10.5 and
less; the share of pictures with the same top-1 was above 93% for the former and below 80% for the
latter. The sum over pictures does not tell: a few can own it, in a network that
agrees on 97%.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeeff.evaluation.fidelity import Fidelity
from edgeeff.evaluation.paired import Drop

LEAST_SQNR_DB = 12.0
"""Of the median picture."""

LEAST_AGREEMENT = 0.85
"""Share with the same top-1 that the 95% interval has to reach. On synthetic pictures it says
nothing: they show no class, and the two likeliest are often as good as equal."""

MOST_KL = 0.05
"""Divergence of the probabilities in nats, mean over the pictures; made-up ones are not judged by
it, nor by the share above."""

MOST_DROP = 0.05
"""Of top-1 accuracy below float, that the 95% interval has to reach."""


@dataclass(frozen=True)
class Compared:
    """A comparison with the float network.

    Attributes:
        fidelity: what was measured.
        pictures: on which, in words.
        synthetic: whether they were made up.
        drop: of top-1, if they had labels.
    """

    fidelity: Fidelity
    pictures: str
    synthetic: bool = False
    drop: Drop | None = None


def faults(compared: Compared) -> tuple[str, ...]:
    """What shows that a model does not answer as its float network, in words; empty: nothing."""
    found, where = [], f"on {compared.fidelity.images:,} {compared.pictures}"
    ratio = compared.fidelity.median_image_sqnr_db
    if ratio < LEAST_SQNR_DB:
        found.append(f"SQNR of the median picture {ratio:.1f} dB, under {LEAST_SQNR_DB:g}, {where}")
    same = compared.fidelity.same
    if same is not None and not compared.synthetic and same.high < LEAST_AGREEMENT:
        found.append(
            f"same top-1 as float {same.value:.1%} ({same.low:.1%} to {same.high:.1%}), under "
            f"{LEAST_AGREEMENT:.0%}, {where}"
        )
    kl = compared.fidelity.kl
    if kl is not None and not compared.synthetic and kl > MOST_KL:
        found.append(f"KL divergence {kl:.2g} nats, above {MOST_KL:g}, {where}")
    if compared.drop is not None and compared.drop.interval[0] > MOST_DROP:
        points = 100 * compared.drop.value
        found.append(
            f"top-1 {points:.1f} points below float, more than {100 * MOST_DROP:g}, {where}"
        )
    return tuple(found)
