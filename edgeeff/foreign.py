"""What comes from outside: how many bytes of it are taken, and what becomes of its faults."""

from __future__ import annotations

import contextlib
import re
import reprlib
import struct
import sys
import types
import typing
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError

MOST_FILE = 1 << 32
"""Bytes of any file that is read whole; the largest network has 0.3 billion."""

MOST_TEXT = 64 << 20
"""Bytes of labels and lists; a list of a million pictures has about so many."""

MOST_RECIPE = 1 << 16
"""Bytes of a recipe or of settings; those that ship have two thousand at most."""

MOST_DOTS = 200
"""In a line of TOML: each part of a key is a table of its own, and looks at all before it."""

MOST_PRINTED = 16 << 20
"""Bytes that another program may print; the Edge TPU compiler prints some thousand."""

MOST_PICTURE = 1 << 30
"""Bytes of a picture while it is made RGB; those of phones have up to 108 million pixels."""

MOST_UNPACKED = 1 << 30
"""Bytes of a network's weights; B7 has 270 million, 800 with its optimizer's state."""

MALFORMED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What parsers raise on files that are damaged, or made to do damage."""

_CALLS = (
    (re.compile(r"\w+\.__init__\(\) missing \d+ required [\w-]+ arguments?:"), "it lacks"),
    (re.compile(r"\w+\.__init__\(\) got an unexpected keyword argument"), "it has an unknown"),
    (re.compile(r"\. Did you mean '\w+'\?$"), ""),
)
"""What Python says of a dataclass that fields of a document do not fit, and what that means.

From 3.13 on it also guesses which field was meant.
"""

_WRITTEN: Mapping[object, str] = {
    bool: "true or false, without quotes",
    int: "a whole number, without quotes",
    float: "a number, without quotes",
    str: "text in quotes",
    Path: "a path in quotes",
}

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


@contextlib.contextmanager
def parsing(what: str, hint: str = "") -> Iterator[None]:
    """Turn whatever a parser of foreign data raises into one error.

    Only what reads bytes of unknown origin belongs into the block: elsewhere these exceptions are
    bugs, and are to be seen.

    Args:
        what: the start of the message, such as ``labels.txt is not a list``.
        hint: what to do.

    Raises:
        InputError: in place of any of ``MALFORMED``.
    """
    try:
        yield
    except MALFORMED as error:
        raise InputError(f"{what}: {reason(error)}", hint) from error


def toml_table(text: str, what: str, hint: str = "") -> dict[str, Any]:
    """The table that a text of TOML describes.

    Args:
        text: of a file.
        what: as of ``parsing``.
        hint: likewise.

    Raises:
        InputError: as of ``parsing``, and for keys of more parts than any file of ours has.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    with parsing(what, hint):
        if any(line.count(".") > MOST_DOTS for line in text.splitlines()):
            raise ValueError(f"a line with more than {MOST_DOTS} dots")
        return tomllib.loads(text)


def reason(error: BaseException) -> str:
    """Why a file could not be read, in one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split())
    for pattern, meaning in _CALLS:
        said = pattern.sub(meaning, said)
    return said[:200] or type(error).__name__


def shown(value: object) -> str:
    """A foreign value as Python writes it, cut to what fits into a message."""
    try:
        return _short.repr(value)
    except (RecursionError, ValueError):  # a number of more digits than Python writes
        return f"a {type(value).__name__}"


def check_types(
    kind: type, fields: Mapping[str, object], where: str, hint: str | None = "was it edited?"
) -> None:
    """Check that values read from JSON have the types that a dataclass declares for its fields.

    Args:
        kind: the dataclass.
        fields: the values by the names of its fields; names that it has not are not looked at.
        where: the values stand, for the message.
        hint: what to do; of files that edgeeff wrote itself, the usual one; of those that people
            write ``None``: what the field takes.

    Raises:
        InputError: names the field. Numbers have to be finite.
    """
    declared = typing.get_type_hints(kind)
    for name, value in fields.items():
        if name in declared and not _fits(value, declared[name]):
            hint = taken(declared[name]) if hint is None else hint
            raise InputError(f"{where}: {name} is {shown(value)}", hint)


def _fits(value: object, declared: Any) -> bool:
    origin, inner = typing.get_origin(declared), typing.get_args(declared)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin in (list, tuple):
        return isinstance(value, (list, tuple)) and all(_fits(item, inner[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
    if declared is float:
        return type(value) in (int, float) and -1e300 < typing.cast(float, value) < 1e300
    if declared is int:
        return type(value) is int and -(2**63) <= value < 2**63
    return declared is Any or isinstance(value, declared)


def taken(declared: Any) -> str:
    """What a person writes into a file of TOML for a field of a declared type, in plain words."""
    for known, words in _WRITTEN.items():
        if known is declared or known in typing.get_args(declared):
            return f"it takes {words}"
    return ""


def most_unpacked(packed: int) -> int:
    """How many bytes may come of so many packed ones: trained weights hardly shrink."""
    return min(MOST_UNPACKED, (64 << 20) + 32 * packed)
