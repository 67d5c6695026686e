"""How amounts are written beside an axis and in a table."""

from __future__ import annotations

_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def counted(value: float) -> str:
    """A count in three digits, such as ``5.33M``."""
    for size, letter in _STEPS:
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share as a mark of an axis, such as ``75%``."""
    return f"{100 * share:.3g}%"


def megabytes(size: float) -> str:
    """Bytes in millions of them, such as ``5.27 MB``."""
    return f"{size / 1e6:.3g} MB"


def milliseconds(time: float) -> str:
    """Such as ``6.48 ms``."""
    return f"{time:.3g} ms"
