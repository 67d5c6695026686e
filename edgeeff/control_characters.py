"""Control characters in names of unknown origin, escaped so that they cannot steer a terminal."""

from __future__ import annotations

LINES = "\n\t"
"""The only control characters that are written as they are, in text of several lines."""

STEERING = (
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
)
"""Control characters, which begin escape sequences, and those that turn the direction of text."""


def printable(text: str) -> str:
    """A text that may hold names of unknown origin, its control characters as in Python's strings.

    Line breaks and tabs stay: whoever prints one line calls ``one_line``.
    """
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """As ``printable``, with line breaks and tabs escaped too: a name cannot forge a line."""
    return text.translate(_ESCAPES | _LINE_ESCAPES)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


_LINE_ESCAPES = {ord(char): _escaped(char) for char in LINES}
_ESCAPES = {code: _escaped(chr(code)) for code in STEERING if chr(code) not in LINES}
