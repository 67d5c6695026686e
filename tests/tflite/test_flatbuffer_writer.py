"""Tables written as FlatBuffers, compared with what LiteRT's own classes write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.tflite.flatbuffer import Field, Schema, decode, read_schema
from edgeeff.tflite.flatbuffer_writer import encode
from tests.tflite import objects, tiny

SCHEMA = read_schema("tflite")
ROOT = b"TEST"

NUMBERS = {
    "bool": st.booleans(),
    "i8": st.integers(-(2**7), 2**7 - 1),
    "u8": st.integers(0, 2**8 - 1),
    "u16": st.integers(0, 2**16 - 1),
    "i32": st.integers(-(2**31), 2**31 - 1),
    "u32": st.integers(0, 2**32 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "f32": st.floats(width=32, allow_nan=False),
}


@pytest.mark.parametrize("path", tiny.ALL, ids=lambda path: path.stem)
def test_a_file_is_written_as_litert_writes_it(path: Path) -> None:
    content = path.read_bytes()
    found = encode(decode(content, SCHEMA, "Model", b"TFL3", "it"), SCHEMA, "Model", b"TFL3")
    assert found == objects.pack(objects.unpack(content))


def of_field(field: Field) -> st.SearchStrategy[Any]:
    kind = NUMBERS.get(field.type, st.text(st.characters(exclude_categories=["Cs"])))
    return st.lists(kind, max_size=5) if field.vector else kind


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Any table of numbers and texts, any of its fields left out."""
    simple = [
        kind
        for kind, fields in SCHEMA.tables.items()
        if all(f and (f.type in NUMBERS or f.type == "string") for f in fields)
    ]
    kind = draw(st.sampled_from(simple))
    fields = [field for field in SCHEMA.tables[kind] if field is not None]
    return kind, draw(
        st.fixed_dictionaries({}, optional={field.name: of_field(field) for field in fields})
    )


@given(tables())
def test_what_was_written_is_read_again(given: tuple[str, dict[str, Any]]) -> None:
    kind, values = given
    found = decode(encode(values, SCHEMA, kind, ROOT), SCHEMA, kind, ROOT, "it")
    defaults = {field.name: field.default for field in SCHEMA.tables[kind] if field is not None}
    plain = {
        name: list(value) if hasattr(value, "__len__") and not isinstance(value, str) else value
        for name, value in found.items()
    }
    assert plain == {**defaults, **values}


def test_equal_tables_share_their_layout() -> None:
    """A second table of the same fields adds a list entry and its own values, no vtable."""
    schema = Schema({"Root": (Field("parts", "Part", True, None),),
                     "Part": (Field("size", "i32", False, 0),)}, {}, {})  # fmt: skip
    sizes = [
        len(encode({"parts": [{"size": 7}] * count}, schema, "Root", ROOT)) for count in (2, 3, 4)
    ]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] == 12
