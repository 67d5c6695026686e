"""Which of several files of one network to take: for quality, for size, or for both.

Quality is top-1 on the same pictures; where not every candidate has it, nothing is said of quality,
and only the smallest file is marked: how near a file is to its float network does not say how good
either is. A file that does not answer as its float network is no candidate, and neither is the
float network itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeeff.reporting.figures import Trial
from edgeeff.reporting.references import network, quantized
from edgeeff.reporting.subjects import Subject

QUALITY, BALANCED, COMPACT = "quality", "balanced", "compact"

EXACT_DB = 200.0
"""What stands for the SQNR of a file without any error."""


@dataclass(frozen=True)
class Candidate:
    """A file that could be taken.

    Attributes:
        quality: more is better.
    """

    name: str
    bytes: int
    quality: float


def marks(candidates: Sequence[Candidate], *, judged: bool = True) -> dict[str, tuple[str, ...]]:
    """The marks of each candidate that has one, by its name; none for fewer than two.

    Where quality was not ``judged`` on pictures with labels, only compact is given.

    - quality: the best.
    - compact: the smallest; of equal ones the better.
    - balanced: of those that no other is both smaller and better than, the one nearest to the
      smallest size with the best quality, both counted from 0 to 1 over the candidates, size by
      its logarithm. Of equally near ones the better.
    """
    if len(candidates) < 2:
        return {}
    smallest = min(candidates, key=lambda one: (one.bytes, -one.quality, one.name))
    if not judged:
        return {smallest.name: (COMPACT,)}
    best = min(candidates, key=lambda one: (-one.quality, one.bytes, one.name))
    front = [one for one in candidates if not any(_dominates(two, one) for two in candidates)]
    balanced = min(front, key=lambda one: (_distance(one, candidates), -one.quality, one.name))
    found: dict[str, tuple[str, ...]] = {}
    for mark, chosen in ((QUALITY, best), (BALANCED, balanced), (COMPACT, smallest)):
        found[chosen.name] = (*found.get(chosen.name, ()), mark)
    return found


def mark(subjects: Iterable[Subject]) -> None:
    """Set the marks of models that are of one network."""
    networks: dict[tuple[object, ...], list[Subject]] = {}
    for subject in subjects:
        if quantized(subject):
            networks.setdefault(network(subject), []).append(subject)
    for members in networks.values():
        chosen = _marks_of(members)
        for subject in members:
            subject.marks = chosen.get(subject.sha256, ())


def marked_trials(found: Sequence[Trial]) -> tuple[tuple[Trial, tuple[str, ...]], ...]:
    """The recipes that a gate tried, each with its marks."""
    judged = all(trial.drop for trial in found)
    candidates = [
        Candidate(str(number), trial.bytes, value)
        for number, trial in enumerate(found)
        if not trial.failed and (value := _of_trial(trial, judged)) is not None
    ]
    chosen = marks(candidates, judged=judged)
    return tuple((trial, chosen.get(str(number), ())) for number, trial in enumerate(found))


def _of_trial(trial: Trial, judged: bool) -> float | None:
    if judged:
        return -trial.drop.value if trial.drop else None
    return trial.sqnr_db


def _marks_of(members: Sequence[Subject]) -> dict[str, tuple[str, ...]]:
    good = [one for one in members if not one.origin.faults and (one.size or 0) > 0 and one.trained]
    judged = [one.accuracy for one in good]
    alike = {quality and (quality.pictures, quality.images) for quality in judged}
    told = len(alike) == 1 and None not in alike
    found = [(one, _top1(one) if told else _sqnr(one)) for one in good]
    return marks(
        [Candidate(one.sha256, one.size or 0, value) for one, value in found if value is not None],
        judged=told,
    )


def _top1(subject: Subject) -> float | None:
    found = subject.accuracy
    return found.top1.value if found and found.top1 else None


def _sqnr(subject: Subject) -> float | None:
    found = subject.fidelity
    if found is None:
        return None
    return EXACT_DB if found.median_sqnr_db is None else found.median_sqnr_db


def _dominates(one: Candidate, other: Candidate) -> bool:
    no_worse = one.bytes <= other.bytes and one.quality >= other.quality
    return no_worse and (one.bytes, one.quality) != (other.bytes, other.quality)


def _distance(one: Candidate, all_of_them: Sequence[Candidate]) -> float:
    sizes = [math.log(other.bytes) for other in all_of_them]
    qualities = [other.quality for other in all_of_them]
    size = _share(math.log(one.bytes), min(sizes), max(sizes))
    lost = 1 - _share(one.quality, min(qualities), max(qualities))
    return round(math.hypot(size, lost), 9)


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0
