"""Damaged copies of files and values, as tests of whole parsers and ``make fuzz`` draw them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

ODD_NUMBERS = (-1, 0, 1, 2, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**400)
ODD_TEXTS = ("", "\0", "\x1b[2J", "\udcff", "x" * 10_000, "nan", "../../etc", "1" * 5000, "ﷺ")


many = settings(
    max_examples=150,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How many copies a test of a whole parser draws; its fixtures may be those of the test."""

Edits = list[tuple[int, int]]
"""Places and the bytes that are written there."""


def edits(first: int, last: int) -> st.SearchStrategy[Edits]:
    """One to six bytes, at places from ``first`` to ``last``."""
    places = st.tuples(st.integers(first, last), st.integers(0, 255))
    return st.lists(places, min_size=1, max_size=6)


def edited(content: bytes, made: Edits) -> bytes:
    """The content with these bytes; a place below 0 counts from the end."""
    changed = bytearray(content)
    for place, value in made:
        changed[place] = value
    return bytes(changed)


def bytes_of(source: bytes, draw: random.Random) -> bytes:
    """The content with one to eight edits: bits, bytes, words, pieces moved, removed or doubled."""
    changed = bytearray(source)
    for _ in range(draw.randint(1, 8)):
        if not changed:
            break
        at, length = draw.randrange(len(changed)), draw.choice((1, 2, 4, 8, 32, 200))
        kind = draw.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind == 2:
            word = draw.choice(ODD_NUMBERS[:-2]) & 0xFFFFFFFF
            changed[at : at + 4] = word.to_bytes(4, draw.choice(("little", "big")))
        elif kind == 3:
            start = draw.randrange(len(changed))
            changed[at : at + length] = changed[start : start + length]
        elif kind == 4:
            del changed[at : at + length]
        elif kind == 5:
            changed[at:at] = changed[at : at + length] * draw.choice((1, 2, 50))
        else:
            del changed[at:]
    return bytes(changed)


def text_of(source: bytes, draw: random.Random) -> bytes:
    """As ``bytes_of``, or with a number or a word in place of another, or nested deeply."""
    kind = draw.randrange(4)
    if kind == 0:
        return bytes_of(source, draw)
    words = source.decode().split(" ")
    at = draw.randrange(len(words))
    if kind == 1:
        words[at] = str(draw.choice(ODD_NUMBERS))
    elif kind == 2:
        words[at] = draw.choice((*ODD_TEXTS, "nan", "inf", "-inf", "true", "[]", "{}", '"'))
    else:
        words[at] = draw.choice(("[", "{a=", '{"a":', "(")) * draw.choice((3, 300, 30_000))
    return " ".join(words).encode(errors="surrogateescape")


def json_of(source: bytes, draw: random.Random) -> bytes:
    """A JSON document of which one to three values, at any depth, are gone or others."""
    if not draw.randrange(4):
        return text_of(source, draw)
    document = json.loads(source)
    for _ in range(draw.randint(1, 3)):
        places = _places(document)
        holder, key = draw.choice(places)
        if draw.randrange(5):
            holder[key] = _odd_value(draw)
        elif isinstance(holder, dict):
            del holder[key]
    return json.dumps(document).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, key) in a JSON value."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, key) for key in keys] + [p for key in keys for p in _places(value[key])]


def _odd_value(draw: random.Random) -> Any:
    odd: tuple[Callable[[], Any], ...] = (
        lambda: draw.choice(ODD_NUMBERS),
        lambda: draw.choice((float("nan"), float("inf"), 1e308, -0.0, 1e-320)),
        lambda: draw.choice(ODD_TEXTS),
        lambda: draw.choice((None, True, False, [], {}, [[]], [None], {"a": []})),
    )
    return draw.choice(odd)()
