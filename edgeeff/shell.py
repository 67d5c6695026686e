"""Words of commands that a user copies into a shell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from edgeeff.control_characters import one_line


def argument(path: Path) -> str:
    """A path as an argument that no command takes for an option."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def word(path: Path) -> str:
    """A path as a word of a command to copy, also where it begins with a hyphen."""
    return quoted(argument(path))


def quoted(text: str) -> str:
    """A word for a shell: ``$'…'`` of bash and zsh, where characters in it would be escaped.

    In other quotes the shell would take the escapes that terminals are sent for the name.
    """
    odd = {char for char in text if one_line(char) != char or _is_byte(char)}
    if not odd:
        return shlex.quote(text)
    named = {ord(char): "".join(f"\\x{byte:02x}" for byte in os.fsencode(char)) for char in odd}
    return "$'" + text.translate({**named, ord("\\"): r"\\", ord("'"): r"\'"}) + "'"


def _is_byte(char: str) -> bool:
    """Whether it stands for a byte of a file name that is no text."""
    return 0xDC80 <= ord(char) <= 0xDCFF
