"""Whether work fits into memory, asked before it begins."""

from __future__ import annotations

import psutil

from edgeeff.errors import UsageError


def check(needed: int, what: str, hint: str = "") -> None:
    """Refuse work that needs more memory than the machine has free.

    Args:
        needed: bytes.
        what: needs them.
        hint: how to need less.

    Raises:
        UsageError: says how much is needed and how much there is.
    """
    free = int(psutil.virtual_memory().available)
    if needed > free:
        sizes = f"{needed / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free"
        raise UsageError(f"not enough memory: {what} take {sizes}", hint)
