"""Figures as tables show them; a dash is what has no meaning for a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeeff.evaluation.accuracy import Share

ABSENT = "-"

Rows = list[tuple[str, str]]


LONGEST_NAME = 60


def layer_name(name: str) -> str:
    """A layer's name, short enough for a table.

    Converters join the names of operators that became one, and say the Python modules that each
    class of a network lies in. Of a long name the first is shown, without modules, or its end:
    that is what tells layers apart.
    """
    if len(name) <= LONGEST_NAME:
        return name
    first = next(filter(None, name.split(";")), name)
    short = "/".join(part.rpartition(".")[2] for part in first.split("/"))
    if len(short) <= LONGEST_NAME:
        return short
    end = short[1 - LONGEST_NAME :]
    return f"…{end[max(end.find('/'), 0) :]}"


def share(value: float | None) -> str:
    """A share of 0..1 as percent."""
    return ABSENT if value is None else f"{value:.1%}"


def pictures(count: int) -> str:
    """So many pictures, in words."""
    return f"{count:,} picture{'' if count == 1 else 's'}"


def share_of(found: Share, images: int) -> str:
    """A share of so many pictures, with its interval."""
    return f"{found.value:.2%} of {pictures(images)} ({found.low:.1%} to {found.high:.1%})"


def fidelity_rows(found: Mapping[str, Any], *, synthetic: bool = False) -> Rows:
    """Each figure against the float network, with what it amounts to.

    Args:
        found: the fields of a ``Fidelity`` as JSON values.
        synthetic: whether the pictures were made up.
    """
    rows = []
    if found["agreement"] is not None:
        rows.append(("same top-1", _agreement(found["agreement"], found["images"], synthetic)))
    rows += [
        ("SQNR, median picture", _sqnr(found["median_image_sqnr_db"])),
        ("SQNR, all together", _summed(found["sqnr_db"], found["median_image_sqnr_db"])),
    ]
    if found["kl"] is not None:
        rows.append(("KL divergence", _divergence(found["kl"])))
    return rows


def _agreement(agreement: float, images: int, synthetic: bool) -> str:
    """The share as a count with its 95% interval, for a few pictures prove little."""
    from edgeeff.evaluation.accuracy import wilson
    from edgeeff.evaluation.grades import GOOD, agreement_grade

    same = round(agreement * images)
    found = wilson(same, images)
    grade, proven = agreement_grade(found)
    told = f"{same:,} of {pictures(images)} ({found.low:.1%} to {found.high:.1%})"
    if synthetic:
        return f"{told}; synthetic pictures show no class, so this says little"
    if grade == GOOD and not proven:
        return f"{told}: good, as far as {pictures(images)} can tell"
    return f"{told}: {grade}"


def _sqnr(ratio: float | None) -> str:
    from edgeeff.evaluation.grades import GOOD, SQNR_DB

    if ratio is None:
        return f"{decibels(ratio)}: {GOOD}"
    grade = SQNR_DB.grade(ratio)
    return f"{decibels(ratio)}: {grade} (good is above {SQNR_DB.good:g} dB)"


def _summed(ratio: float | None, median: float | None) -> str:
    """The ratio of the sums, and that a few pictures are why where they ruin it."""
    from edgeeff.evaluation.grades import few_own

    if ratio is None or median is None or not few_own(ratio, median):
        return decibels(ratio)
    return f"{decibels(ratio)}: a few pictures own the error, and are answered much worse"


def decibels(ratio: float | None) -> str:
    """A ratio; ``None``, an infinite one in JSON, is no error."""
    return "no error" if ratio is None else f"{ratio:.1f} dB"


def _divergence(kl: float) -> str:
    from edgeeff.evaluation.grades import KL

    return f"{kl:.4f} nats: {KL.grade(kl)} (good is below {KL.good:g})"
