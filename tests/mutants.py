"""Damaged copies of files and values, as tests of whole parsers and ``make fuzz`` draw them."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.tflite import objects

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


def ends_of(source: bytes, draw: random.Random) -> bytes:
    """As ``bytes_of``, most often within the first or last bytes, where a file says what it is."""
    length = draw.choice((64, 512, 4096, len(source)))
    if draw.randrange(2):
        return bytes_of(source[:length], draw) + source[length:]
    return source[:-length] + bytes_of(source[-length:], draw)


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


ODD_FLOATS = (float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-40, -0.0, 0.0, 1e-3, 1.0)
"""What float32 weights may hold, in place of what they ought to."""


UNFIT = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(RuntimeError, TypeError, ValueError, struct.error),
)
"""What packing raises where no flatbuffer holds such a value in such a field."""


def graph_of(source: bytes, draw: random.Random) -> bytes:
    """A ``.tflite`` of which one to three fields are others: it is a flatbuffer all the same."""
    while True:
        model = objects.unpack(source)
        try:
            for _ in range(draw.randint(1, 3)):
                if draw.randrange(4):
                    _change_field(draw.choice(_fields(model.subgraphs, model.operatorCodes)), draw)
                else:
                    _change_weights(draw.choice(model.buffers), draw)
            return objects.pack(model)
        except UNFIT:
            continue


def _fields(*values: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, name or place) below objects of a flatbuffer."""
    found: list[tuple[Any, Any]] = []
    for value in values:
        if isinstance(value, list):
            found += [(value, place) for place in range(len(value))]
            found += _fields(*value)
        elif isinstance(value, np.ndarray):
            found += [(value, place) for place in range(value.size)]
        elif hasattr(value, "__dict__"):
            found += [(value, name) for name in vars(value)]
            found += _fields(*vars(value).values())
    return found


def _change_field(field: tuple[Any, Any], draw: random.Random) -> None:
    holder, key = field
    if not isinstance(holder, (list, np.ndarray)):
        setattr(holder, key, _other(getattr(holder, key), draw))
    elif isinstance(holder, list) and not draw.randrange(4):
        kind = draw.randrange(3)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder.insert(key, holder[key])
        else:
            other = draw.randrange(len(holder))
            holder[key], holder[other] = holder[other], holder[key]
    else:
        holder[key] = _other(holder[key], draw)


def _other(value: Any, draw: random.Random) -> Any:
    """What may stand in place of a value of a flatbuffer."""
    if isinstance(value, (bool, np.bool_)):
        return not value
    if isinstance(value, (int, np.integer)):
        near = int(value) + draw.choice((-2, -1, 1, 2))
        return draw.choice((near, near, near, 2 * int(value), *ODD_NUMBERS[:-2]))
    if isinstance(value, (float, np.floating)):
        return draw.choice(ODD_FLOATS)
    if isinstance(value, np.ndarray) and value.size:
        return draw.choice((value[:-1], np.append(value, value[:1]), value[::-1], None))
    return value if draw.randrange(3) else None


def _change_weights(buffer: Any, draw: random.Random) -> None:
    """Odd values in a buffer of float32, or bytes more or less."""
    if buffer.data is None or len(buffer.data) < np.float32().itemsize:
        return
    raw = bytes(buffer.data)
    values = np.frombuffer(raw[: len(raw) // 4 * 4], np.float32).copy()
    kind = draw.randrange(5)
    if kind == 0:
        values[draw.randrange(values.size)] = draw.choice(ODD_FLOATS)
    elif kind == 1:
        values[:] = draw.choice(ODD_FLOATS)
    elif kind == 2:
        with np.errstate(all="ignore"):
            values *= np.float32(draw.choice((1e-30, 1e-10, 100.0, 1e10, 1e30)))
    elif kind == 3:
        values[:: draw.choice((2, 3, 7))] = 0
    else:
        values = values[: draw.randrange(values.size)]
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
