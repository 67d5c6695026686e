"""What can go wrong, one type per kind of trouble.

The command line prints ``error: <message>`` and ``hint: <hint>`` and ends with
``exit_status``. Everything that is not an ``EdgeeffError`` is a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_NAME = 80
"""Characters of an unknown name that are repeated; likenesses of long ones take long to find."""

LONGEST_MESSAGE = 1500
"""Characters of a message: a file from elsewhere may hold names of any length."""


def _bounded(message: str) -> str:
    """The message, the middle of a very long one left out."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2
    left_out = len(message) - 2 * half
    return f"{message[:half]} [{left_out} characters left out] {message[-half:]}"


class EdgeeffError(Exception):
    """An error a user can act on: what is wrong and where, and what to do next."""

    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _bounded(message)
        super().__init__(self.message)
        self.hint = hint


class UsageError(EdgeeffError):
    """A name, option or combination of options that edgeeff does not know."""


class InputError(EdgeeffError):
    """A file, picture, label or weight that cannot be used as it is."""


class OutputError(EdgeeffError):
    """A result that cannot be written: exists already, no permission, no room."""


class GateFailed(EdgeeffError):  # noqa: N818 - the outcome of a check, not a malfunction
    """Accuracy, latency or mapped share is outside the limit the user set."""

    exit_status = 3


class TargetUnavailable(EdgeeffError):  # noqa: N818
    """An accelerator, device or external tool is not here, or broke down."""

    exit_status = 4


class ExtraMissing(EdgeeffError):  # noqa: N818
    """A part of edgeeff that was left out when it was installed."""

    exit_status = 4


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """The error for a name that is not in a table, with the nearest ones that are.

    Args:
        kind: what the name should have been, such as ``"variant"``.
        name: what was given.
        known: the names that exist.
        hint: what to say when nothing is near.
    """
    names = sorted(known)
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    return UsageError(f"unknown {kind} {name!r}", hint or f"known: {', '.join(names)}")
