"""Whether BatchNorm keeps the statistics that the weights brought, where nothing is said."""

from __future__ import annotations

from edgeeff.training.schedule import Plan

FEW_PICTURES = 16
"""Pictures of a step below which BatchNorm's statistics of it mislead."""

FEW_STEPS = 400
"""Steps in which all layers learn, below which they cost more than they teach if BatchNorm follows.

Lite0 on digits at 64 pixels has 53% and 60% of val (two seeds) after the classifier alone. After 70
more steps it has 29% and 36% if BatchNorm follows, 86% and 77% if it is frozen; after 245 steps 64%
and 93% (one seed). A momentum of 0.5 in place of 0.9 did not help: 28% after 70. Flowers have 94%
after 546 steps in which BatchNorm follows, and stay so. Between, nothing was measured.
"""


def frozen(choice: str, plan: Plan, *, trained: bool) -> bool:
    """Whether BatchNorm stays as the weights have it.

    Args:
        choice: the setting ``batchnorm``.
        plan: of the run.
        trained: whether the weights have statistics to keep.
    """
    if choice == "auto":
        return trained and (_small_steps(plan) or _few_steps(plan))
    return choice == "frozen"


def note(choice: str, plan: Plan, *, trained: bool) -> str | None:
    """What the user must be told where ``auto`` meets small steps or few of them."""
    if choice != "auto":
        return None
    if _small_steps(plan):
        return (
            "steps of so few pictures leave BatchNorm as the weights have it"
            if trained
            else "untrained weights have no statistics of BatchNorm, so it follows steps of "
            'few pictures: batchnorm = "frozen" in --config may learn more'
        )
    if trained and _few_steps(plan):
        return (
            f"all layers learn in {plan.common_steps} steps: in so few, BatchNorm stays as the "
            'weights have it (batchnorm = "train" in --config has its statistics follow)'
        )
    return None


def _small_steps(plan: Plan) -> bool:
    return plan.batch < FEW_PICTURES


def _few_steps(plan: Plan) -> bool:
    return 0 < plan.common_steps < FEW_STEPS
