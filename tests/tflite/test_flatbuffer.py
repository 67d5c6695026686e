import re
import struct
import time
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as theirs

from edgeeff.errors import InputError
from edgeeff.tflite import flatbuffer
from edgeeff.tflite.flatbuffer import Field, Schema, decode, read_schema

OURS = read_schema("tflite")
ROOT = b"TEST"

SAMPLES: dict[str, Any] = {
    "bool": True,
    "i8": -7,
    "u8": 200,
    "u16": 60_000,
    "i32": -70_000,
    "u32": 3_000_000_000,
    "i64": -(2**40),
    "u64": 2**63,
    "f32": 0.5,
}
TOO_LARGE = {"i8": 2**7, "u8": 2**8, "i32": 2**31, "u32": 2**32, "i64": 2**63, "u64": 2**64}


def scalar_fields(table: str) -> list[Field]:
    fields = [field for field in OURS.tables[table] if field is not None]
    return [field for field in fields if field.type in SAMPLES or field.type == "string"]


def packed(table: str, values: dict[str, Any]) -> bytes:
    """A buffer whose root is that table, written by LiteRT's own classes."""
    instance = getattr(theirs, f"{table}T")()
    attributes = dict(zip([f.name for f in OURS.tables[table] if f], vars(instance), strict=True))
    for name, value in values.items():
        setattr(instance, attributes[name], value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(instance.Pack(builder), ROOT)
    return bytes(builder.Output())


def sample(field: Field) -> Any:
    if field.type == "string":
        return "name"
    value = not field.default if field.type == "bool" else SAMPLES[field.type]
    return [value, value] if field.vector else value


def test_every_table_of_the_installed_schema_is_known() -> None:
    tables = {name[:-1] for name in vars(theirs) if re.fullmatch(r"\w+T", name)}
    tables = {name for name in tables if hasattr(theirs, f"{name}Start")}
    assert tables <= set(OURS.tables)


@pytest.mark.parametrize("table", sorted(OURS.tables))
def test_what_litert_writes_is_read_back(table: str) -> None:
    fields = [f for f in scalar_fields(table) if not f.name.endswith("_type") or f.vector]
    values = {field.name: sample(field) for field in fields}
    read = decode(packed(table, values), OURS, table, ROOT, "the buffer")
    for name, value in values.items():
        assert np.array_equal(read[name], value), name


@pytest.mark.parametrize("table", sorted(OURS.tables))
def test_defaults_and_widths_are_those_of_litert(table: str) -> None:
    instance = getattr(theirs, f"{table}T")()
    defaults = list(vars(instance).values())
    for field, default in zip([f for f in OURS.tables[table] if f], defaults, strict=True):
        if field.type in SAMPLES and not field.vector:
            assert field.default == default, field.name
        if field.type in TOO_LARGE and not field.vector:
            with pytest.raises((TypeError, struct.error)):
                packed(table, {field.name: TOO_LARGE[field.type]})


@pytest.mark.parametrize("kind", ["unions", "enums"])
def test_unions_and_enumerations_are_those_of_litert(kind: str) -> None:
    known = getattr(OURS, kind)
    assert known
    for name, members in known.items():
        for member, number in vars(getattr(theirs, name)).items():
            if not member.startswith("_"):
                assert members[number] == member


def buffer_table(data: bytes) -> bytes:
    return packed("Buffer", {"data": np.frombuffer(data, np.uint8)})


@pytest.mark.parametrize("length", range(0, 44))
def test_a_shortened_buffer_is_refused_wherever_it_ends(length: int) -> None:
    whole = buffer_table(b"\1" * 16)
    assert len(whole) >= 44
    with pytest.raises(InputError):
        decode(whole[:length], OURS, "Buffer", ROOT, "the buffer")


def test_another_identifier_is_refused() -> None:
    with pytest.raises(InputError, match="identifier"):
        decode(buffer_table(b""), OURS, "Buffer", b"TFL3", "the buffer")


@pytest.mark.parametrize("offset", [0, 2**32 - 1, 2**31])
def test_a_root_outside_the_file_is_refused(offset: int) -> None:
    content = struct.pack("<I", offset) + buffer_table(b"")[4:]
    with pytest.raises(InputError, match="damaged"):
        decode(content, OURS, "Buffer", ROOT, "the buffer")


STRINGS = Schema({"Root": (Field("strings", "string", True, None),)}, {}, {})


def shared_strings(count: int, text: bytes) -> bytes:
    """A root table with a vector of ``count`` strings that are all the same one."""
    vtable = struct.pack("<HHH", 6, 8, 4)
    head = struct.pack("<I4s", 16, ROOT) + vtable + b"\0\0"
    table = struct.pack("<iI", 8, 4)
    first = len(head) + len(table) + 4
    shared_at = first + 4 * count
    offsets = b"".join(struct.pack("<I", shared_at - (first + 4 * i)) for i in range(count))
    return head + table + struct.pack("<I", count) + offsets + struct.pack("<I", len(text)) + text


def test_parts_that_overlap_are_refused() -> None:
    """Four bytes each, but every string claims the same 100,000: the sum has no bound."""
    with pytest.raises(InputError, match="overlap"):
        decode(shared_strings(1_000, b"x" * 100_000), STRINGS, "Root", ROOT, "the buffer")


def test_a_few_shared_strings_are_read() -> None:
    read = decode(shared_strings(3, b"abc"), STRINGS, "Root", ROOT, "the buffer")
    assert read == {"strings": ["abc", "abc", "abc"]}


def test_more_tables_than_any_model_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MOST_TABLES", 10)
    with pytest.raises(InputError, match="tables"):
        decode(shared_strings(11, b""), STRINGS, "Root", ROOT, "the buffer")


def test_more_numbers_than_any_model_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MOST_NUMBERS", 10)
    shape = packed("Tensor", {"shape": np.arange(11, dtype=np.int32)})
    with pytest.raises(InputError, match="numbers"):
        decode(shape, OURS, "Tensor", ROOT, "the buffer")


@pytest.mark.slow
def test_the_largest_accepted_file_takes_bounded_time() -> None:
    """As many tables as are allowed, each with a vtable as long as one can be."""
    count = flatbuffer.MOST_TABLES - 2
    started = time.perf_counter()
    read = decode(shared_tables(count), TABLES, "Root", ROOT, "the buffer")
    assert len(read["tables"]) == count
    assert time.perf_counter() - started < 30


TABLES = Schema(
    {
        "Root": (Field("tables", "Inner", True, None),),
        "Inner": tuple(Field(f"field{number}", "i32", False, 0) for number in range(14)),
    },
    {},
    {},
)


def shared_tables(count: int) -> bytes:
    """A root table with a vector of ``count`` tables that are all the same one."""
    head = struct.pack("<I4sHHH2x", 16, ROOT, 6, 8, 4) + struct.pack("<iI", 8, 4)
    first = len(head) + 4
    vtable = struct.pack("<HH", 65_534, 4) + bytes(65_530)
    at = first + 4 * count + len(vtable)
    offsets = b"".join(struct.pack("<I", at - (first + 4 * i)) for i in range(count))
    return head + struct.pack("<I", count) + offsets + vtable + struct.pack("<i", len(vtable))
