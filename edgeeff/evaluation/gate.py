"""The accuracy gate: whether a quantized model reaches the limits that its user set.

A limit on the drop in accuracy is reached when the whole 95% interval of the drop is inside: what
pictures cannot tell from a larger drop has not been shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeeff.errors import GateFailed, UsageError
from edgeeff.evaluation.evaluate import Evaluation
from edgeeff.evaluation.fidelity import Fidelity
from edgeeff.evaluation.paired import Drop, fewest_images


@dataclass(frozen=True)
class Limits:
    """What a model must reach; ``None``: no limit.

    Attributes:
        max_drop: top-1 accuracy below float, in points.
        min_agreement: pictures with the same top-1 as float, in percent.
        min_sqnr: of the logits, in dB.
    """

    max_drop: float | None = None
    min_agreement: float | None = None
    min_sqnr: float | None = None

    def __post_init__(self) -> None:
        """Raises ``UsageError`` for a limit that is not a finite number: nothing misses NaN."""
        for name, limit in asdict(self).items():
            if limit is not None and not math.isfinite(limit):
                raise UsageError(f"{name} {limit} is not a finite number", "a limit is one")

    @property
    def set(self) -> bool:
        """Whether there is any."""
        return any(value is not None for value in asdict(self).values())


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Trial:
    """One recipe against the limits.

    Attributes:
        recipe: its name.
        bytes: of the model.
        images: on which it was measured; 0 in manifests of before they were counted.
        agreement: 0..1; ``None`` where classes do not exclude each other.
        sqnr_db: of the logits; infinite if equal.
        drop: top-1 below float in points, with its 95% interval; ``None`` without labels.
        failed: which limits are missed, in words.
        proof: labelled pictures that the limit on the drop would take, if all that is missing
            is proof: the drop itself is inside, the end of its interval is not.
        median_image_sqnr_db: of the logits of the median picture; infinite if equal.
        last: no other recipe can pass where this one does not: all limits are reached, or these
            pictures are too few to prove the drop of any.
        outside: the drop is shown to be over its limit, as its whole interval is.
    """

    recipe: str
    bytes: int
    agreement: float | None
    sqnr_db: float
    drop: tuple[float, float, float] | None
    failed: tuple[str, ...]
    proof: int | None = None
    images: int = 0
    median_image_sqnr_db: float = math.inf
    last: bool = False
    outside: bool = False

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, without those that only the search asks for."""
        fields = {key: value for key, value in asdict(self).items() if key not in _OF_THE_SEARCH}
        for name in ("sqnr_db", "median_image_sqnr_db"):
            fields[name] = fields[name] if math.isfinite(fields[name]) else None
        return fields

    @property
    def rank(self) -> tuple[int, bool, float, float]:
        """The larger, the better.

        On which side of its limit a drop lies decides only where pictures show it: otherwise it is
        luck, and the error of the logits tells recipes apart. A few pictures can own the sum of
        errors, so the median picture comes first.
        """
        return -len(self.failed), not self.outside, self.median_image_sqnr_db, self.sqnr_db


_OF_THE_SEARCH = ("last", "outside")


class AccuracyGateFailed(GateFailed):
    """No recipe reaches the limits; the best one was kept.

    Attributes:
        trials: all that were tried.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        """Say of each recipe what it misses."""
        missed = "; ".join(f"{t.recipe}: {', '.join(t.failed)}" for t in trials)
        best = max(trials, key=lambda trial: trial.rank)
        todo = "calibrate on your own pictures, try --int16x8, or train"
        if best.proof is not None and len(best.failed) == 1:
            todo = f"give about {best.proof:,} labelled pictures, or allow more"
        ratio = best.median_image_sqnr_db
        exact = f"{ratio:.1f} dB at the median picture" if math.isfinite(ratio) else "no error"
        super().__init__(
            f"no recipe reaches the limits ({missed})",
            f"the best one was kept, {best.recipe} ({exact}); {todo}",
        )
        self.trials = tuple(trials)


def check_agreement(limits: Limits, *, exclusive: bool) -> None:
    """Raise ``UsageError`` for a limit on agreement where no class excludes another."""
    if limits.min_agreement is not None and not exclusive:
        raise UsageError(
            "--min-agreement compares the most likely class: a model of one plain value, of "
            "several sigmoids, or of several answers in one, has none",
            "--min-sqnr limits the error of its logits, --max-drop that of its accuracy",
        )


def judge(
    recipe: str,
    size: int,
    held_out: Fidelity | None,
    evaluation: Evaluation | None,
    limits: Limits,
) -> Trial:
    """Hold a model against the limits.

    Args:
        recipe: its name.
        size: of the model in bytes.
        held_out: its fidelity on held-out pictures, used where there is no evaluation.
        evaluation: on the user's pictures, with the float model as reference.
        limits: the user's.

    Raises:
        UsageError: a limit that these pictures cannot decide.
    """
    fidelity = evaluation.fidelity if evaluation and evaluation.fidelity else held_out
    if fidelity is None:
        raise UsageError("nothing to judge the model by", "give --eval-data DIR")
    found = evaluation.drop if evaluation else None
    failed, proof, hopeless, outside = [], None, False, False
    if limits.max_drop is not None:
        if found is None:
            raise UsageError("--max-drop needs labelled pictures", "give --eval-data DIR")
        why, proof = _missed_drop(found, limits.max_drop)
        failed += why
        hopeless = proof is not None and found.images < _fewest(limits.max_drop)
        outside = _points(found)[1] > limits.max_drop
    check_agreement(limits, exclusive=fidelity.agreement is not None)
    least, same = limits.min_agreement, fidelity.same
    if least is not None and same is not None and 100 * same.value < least:
        seen = f"of {fidelity.images:,} pictures ({same.low:.1%} to {same.high:.1%})"
        failed.append(f"agreement {same.value:.1%} {seen} under {least:g}%")
    if limits.min_sqnr is not None and fidelity.sqnr_db < limits.min_sqnr:
        failed.append(f"SQNR {fidelity.sqnr_db:.1f} under {limits.min_sqnr:g} dB")
    return Trial(
        recipe,
        size,
        fidelity.agreement,
        fidelity.sqnr_db,
        _points(found) if found else None,
        tuple(failed),
        proof,
        fidelity.images,
        fidelity.median_image_sqnr_db,
        outside=outside,
        last=not failed or (hopeless and len(failed) == 1),
    )


def _missed_drop(found: Drop, limit: float) -> tuple[list[str], int | None]:
    """Why the limit on the drop is missed, if it is; and the pictures that would prove it."""
    value, _, high = _points(found)
    if high <= limit:
        return [], None
    if value > limit:
        return [f"top-1 drop {value:.2f} over {limit:g} points"], None
    seen = f"up to {high:.2f} is possible with {found.images:,} pictures"
    exactly = found.images_to_prove(limit / 100)
    if exactly is None:
        return [f"top-1 drop {value:.2f} not under {limit:g} points, {seen}"], None
    proof = _two_digits(exactly)
    if found.images < _fewest(limit):
        equal = 100 * Drop(found.images, 0, 0).interval[1]
        return [
            f"{found.images:,} pictures prove no drop within {limit:g} points, whatever the "
            f"recipe: one without any difference would leave {equal:.2f} possible; it takes "
            f"{_fewest(limit):,} or more"
        ], proof
    return [
        f"top-1 drop {value:.2f} not proven within {limit:g} points: {seen}, about {proof:,} "
        "would prove it"
    ], proof


def _fewest(limit: float) -> int:
    """Pictures that any recipe takes to be proven within so many points, if it equals float."""
    return fewest_images(limit / 100) if limit > 0 else 0


def _two_digits(count: int) -> int:
    """Rounded up: more digits would claim to know the next pictures."""
    step = int(10.0 ** max(0, len(str(count)) - 2))
    return math.ceil(count / step) * step


def _points(found: Drop) -> tuple[float, float, float]:
    low, high = found.interval
    return 100 * found.value, 100 * low, 100 * high
