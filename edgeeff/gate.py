"""The accuracy gate: whether a quantized model reaches the limits that its user set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeeff.errors import GateFailed, UsageError
from edgeeff.evaluation.evaluate import Evaluation
from edgeeff.evaluation.fidelity import Fidelity

LADDERS: dict[str, tuple[str, ...]] = {
    "b": ("int8-bias", "int8-swish"),
    "lite": ("int8-bias", "int8", "int8-split"),
    "edgetpu": ("int8-bias", "int8"),
}
"""Full-integer recipes to try by family, from cheap to costly."""


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
        agreement: 0..1.
        sqnr_db: of the logits; infinite if equal.
        drop: top-1 below float in points, with its 95% interval; ``None`` without labels.
        failed: which limits are missed, in words.
    """

    recipe: str
    bytes: int
    agreement: float
    sqnr_db: float
    drop: tuple[float, float, float] | None
    failed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        ratio = self.sqnr_db if math.isfinite(self.sqnr_db) else None
        return {**asdict(self), "sqnr_db": ratio}

    @property
    def rank(self) -> tuple[int, float]:
        """The larger, the better."""
        return -len(self.failed), self.sqnr_db


class AccuracyGateFailed(GateFailed):
    """No recipe reaches the limits; the best one was kept.

    Attributes:
        trials: all that were tried.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        """Say of each recipe what it misses."""
        missed = "; ".join(f"{t.recipe}: {', '.join(t.failed)}" for t in trials)
        super().__init__(
            f"no recipe reaches the limits ({missed})",
            "the best one was kept; calibrate on your own pictures, try --int16x8, or train",
        )
        self.trials = tuple(trials)


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
    drop = accuracy_drop(evaluation) if evaluation else None
    failed = []
    if limits.max_drop is not None:
        if drop is None:
            raise UsageError("--max-drop needs labelled pictures", "give --eval-data DIR")
        if drop[0] > limits.max_drop:
            failed.append(f"top-1 drop {drop[0]:.2f} over {limits.max_drop:g} points")
    if limits.min_agreement is not None and 100 * fidelity.agreement < limits.min_agreement:
        failed.append(f"agreement {fidelity.agreement:.1%} under {limits.min_agreement:g}%")
    if limits.min_sqnr is not None and fidelity.sqnr_db < limits.min_sqnr:
        failed.append(f"SQNR {fidelity.sqnr_db:.1f} under {limits.min_sqnr:g} dB")
    return Trial(recipe, size, fidelity.agreement, fidelity.sqnr_db, drop, tuple(failed))


def accuracy_drop(evaluation: Evaluation) -> tuple[float, float, float] | None:
    """Top-1 of the reference less that of the model in points, and its 95% interval.

    Newcombe 1998, "Interval estimation for the difference between independent proportions",
    method 10. The proportions are of the same pictures, so the interval is on the wide side.
    """
    if evaluation.accuracy is None or evaluation.reference_accuracy is None:
        return None
    before, after = evaluation.reference_accuracy.top1, evaluation.accuracy.top1
    drop = before.value - after.value
    below = math.hypot(before.value - before.low, after.high - after.value)
    above = math.hypot(before.high - before.value, after.value - after.low)
    return 100 * drop, 100 * (drop - below), 100 * (drop + above)
