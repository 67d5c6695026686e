"""Figures as tables show them; a dash is what has no meaning for a model."""

from __future__ import annotations

ABSENT = "-"


def share(value: float | None) -> str:
    """A share of 0..1 as percent."""
    return ABSENT if value is None else f"{value:.1%}"


def nats(value: float | None) -> str:
    """A divergence."""
    return ABSENT if value is None else f"{value:.4f} nats"
