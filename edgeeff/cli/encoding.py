"""Text for terminals: what a stream cannot encode, or would steer a terminal, is escaped."""

from __future__ import annotations

import codecs
import io
import os
import shlex
from pathlib import Path
from typing import TextIO

PLAIN = {"→": "->", "…": "...", "°": " degrees ", "µ": "u", "±": "+-", "─": "-"}
"""What says the same in ASCII."""

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

_HANDLER = "edgeeff.plain"


def encode_anything(stream: TextIO | None) -> None:
    """Let a stream write what its encoding lacks in ASCII, in place of raising an error.

    Characters without an equal in ``PLAIN``, and the bytes of a file name that are no text, become
    their escapes as in Python's strings.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_HANDLER)


def printable(text: str) -> str:
    """A text that may hold names of unknown origin, its control characters as in Python's strings.

    Line breaks and tabs stay: whoever prints one line calls ``one_line``.
    """
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """As ``printable``, with line breaks and tabs escaped too: a name cannot forge a line."""
    return text.translate(_ESCAPES | _LINE_ESCAPES)


def encodable(text: str, stream: TextIO) -> str:
    """The text as the stream will show it, so that its length is known before."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, _HANDLER).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(char) or _escaped(char) for char in lacking), error.end


def _escaped_control(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _escaped(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()


_LINE_ESCAPES = {ord(char): _escaped_control(char) for char in LINES}
_ESCAPES = {code: _escaped_control(chr(code)) for code in STEERING if chr(code) not in LINES}

codecs.register_error(_HANDLER, _plain)


def word(path: Path) -> str:
    """A path as a word of a command to copy, also where it begins with a hyphen."""
    text = str(path)
    return quoted(f"./{text}" if text.startswith("-") else text)


def quoted(text: str) -> str:
    """A word for a shell: ``$'…'`` of bash and zsh, where characters in it would be escaped.

    In other quotes the shell would take the escapes that ``printable`` writes for the name.
    """
    odd = {char for char in text if one_line(char) != char or _is_byte(char)}
    if not odd:
        return shlex.quote(text)
    named = {ord(char): "".join(f"\\x{byte:02x}" for byte in os.fsencode(char)) for char in odd}
    return "$'" + text.translate({**named, ord("\\"): r"\\", ord("'"): r"\'"}) + "'"


def _is_byte(char: str) -> bool:
    """Whether it stands for a byte of a file name that is no text."""
    return 0xDC80 <= ord(char) <= 0xDCFF
