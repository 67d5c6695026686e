"""Which names a regular expression of a recipe fits, in bounded time.

Python's expressions may backtrack for longer than anybody waits, and nothing stops them inside
a process. Those that repeat something are tried in one of their own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence

from edgeeff.errors import InputError

SECONDS = 10.0
"""How long all names of a network may take; a thousandth of it is usual."""

REPEATS = frozenset("*+?{")
"""The characters without which an expression cannot backtrack for long."""

_SEARCH = (
    "import json, re, sys\n"
    "pattern, names = json.load(sys.stdin)\n"
    "print(json.dumps([bool(re.search(pattern, name)) for name in names]))\n"
)


def fault(pattern: str) -> str:
    """Why this is no regular expression; empty if it is one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return ""


def fitting(pattern: str, names: Sequence[str]) -> list[str]:
    """The names in which a regular expression is found.

    Raises:
        InputError: it takes too long.
    """
    if not REPEATS & set(pattern):
        return [name for name in names if re.search(pattern, name)]
    command = [sys.executable, "-I", "-W", "ignore", "-c", _SEARCH]
    asked = json.dumps([pattern, list(names)])
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"the regular expression {pattern[:80]!r} takes over {SECONDS:g} s",
            "a repetition inside of a repetition, such as (a+)+, may never end",
        ) from error
    found = json.loads(done.stdout)
    return [name for name, fits in zip(names, found, strict=True) if fits]
