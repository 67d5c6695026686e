"""Read a FlatBuffer of unknown origin into dictionaries, believing nothing it says.

FlatBuffers are tables of offsets; the generated classes follow them wherever they lead. Here
every offset and every length is checked against the file, tables are counted, and parts that
overlap are refused, so that a damaged or hostile file ends in one ``InputError`` in bounded time
and memory. What a file looks like is data: ``tflite.schema`` and ``metadata.schema``.

Format: https://flatbuffers.dev/internals
"""

from __future__ import annotations

import functools
import importlib.resources
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError

Table = dict[str, Any]
"""A table's fields by name. Absent ones hold their default: a number, or ``None`` for strings,
vectors and tables. Vectors of numbers are read-only numpy views of the file; a union is the table
it holds, its kind in the ``_type`` field before it."""

MOST_TABLES = 300_000
"""Tables and strings in one file; EfficientNet-B7 has about 10,000."""

MOST_NUMBERS = 5_000_000
"""Numbers in vectors that are not bytes (shapes, scales, indices) in one file: readers turn them
into objects many times their size. B7 has about 200,000."""

SCALARS: Mapping[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    "i8": np.dtype("i1"),
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "i32": np.dtype("<i4"),
    "u32": np.dtype("<u4"),
    "i64": np.dtype("<i8"),
    "u64": np.dtype("<u8"),
    "f32": np.dtype("<f4"),
}
"""Types of numbers by their name in a schema."""

FORMATS = {
    name: struct.Struct("<" + code)
    for name, code in zip(SCALARS, ("?", "b", "B", "H", "i", "I", "q", "Q", "f"), strict=True)
}
_OFFSET = FORMATS["u32"]
_VTABLE = struct.Struct("<HH")
_SHARED_SLACK = 65_536


@dataclass(frozen=True)
class Field:
    """One slot of a table: its type is a scalar, ``string``, or the name of a table or union."""

    name: str
    type: str
    vector: bool
    default: int | float | bool | None

    @property
    def scalar(self) -> bool:
        """Whether its value is a number in the table itself."""
        return not self.vector and self.type in SCALARS


@dataclass(frozen=True)
class Schema:
    """What the tables of one kind of file look like.

    Attributes:
        tables: fields of every table in slot order; ``None`` is a slot no longer used.
        unions: table name by kind, of every union.
        enums: member name by number, of every enumeration.
    """

    tables: dict[str, tuple[Field | None, ...]]
    unions: dict[str, dict[int, str]]
    enums: dict[str, dict[int, str]]


@functools.cache
def read_schema(name: str) -> Schema:
    """The schema that ships as ``NAME.schema`` beside this module."""
    source = importlib.resources.files(__package__).joinpath(f"{name}.schema")
    schema = Schema({}, {}, {})
    lines = [line for line in source.read_text("utf-8").splitlines() if not line.startswith("#")]
    for statement in "\n".join(lines).replace("\n    ", " ").splitlines():
        if not statement:
            continue
        kind, title, *members = statement.split()
        if kind == "table":
            schema.tables[title] = tuple(_field(member) for member in members)
        else:
            numbered = dict(member.split("=") for member in members)
            named = {int(number): member for number, member in numbered.items()}
            (schema.unions if kind == "union" else schema.enums)[title] = named
    return schema


def decode(content: bytes, schema: Schema, root: str, identifier: bytes, name: str) -> Table:
    """Read a whole FlatBuffer.

    Args:
        content: the file; bytes after the FlatBuffer's last part do not matter.
        schema: what its tables look like.
        root: the outermost table.
        identifier: the four bytes that tell this kind of file.
        name: how to call the file in errors.

    Raises:
        InputError: another kind of file, or a damaged one.
    """
    if len(content) < 8 or content[4:8] != identifier:
        raise InputError(f"{name} does not start like one: its identifier is {content[4:8]!r}")
    return _Decoder(content, schema, name).table(root, 0)


@dataclass
class _Decoder:
    content: bytes
    schema: Schema
    name: str
    tables: int = 0
    numbers: int = 0
    visited: int = 0

    def table(self, kind: str, at: int) -> Table:
        """The table that the offset stored ``at`` points to."""
        position = self._follow(at)
        (back,) = self._unpack(FORMATS["i32"], position)
        vtable = position - back
        vtable_size, table_size = self._unpack(_VTABLE, vtable)
        if vtable_size < 4 or vtable_size % 2 or table_size < 4:
            raise self._damaged(f"table {kind} at byte {position} has an impossible size")
        self._require(vtable, vtable_size)
        self._count(position, table_size)
        fields = self.schema.tables[kind]
        known = min(vtable_size // 2 - 2, len(fields))
        slots = struct.unpack_from(f"<{known}H", self.content, vtable + 4)
        values: Table = {}
        for index, described in enumerate(fields):
            if described is None:
                continue
            slot = slots[index] if index < known else 0
            if slot == 0:
                values[described.name] = described.default
                continue
            size = 4 if described.vector else _size(described.type)
            if slot < 4 or slot + size > table_size:
                raise self._damaged(f"{kind}.{described.name} at byte {position} is outside it")
            values[described.name] = self._field(described, position + slot, values)
        return values

    def _field(self, described: Field, at: int, siblings: Table) -> Any:
        if described.vector:
            return self._vector(described.type, at)
        if described.type in FORMATS:
            return FORMATS[described.type].unpack_from(self.content, at)[0]
        if described.type == "string":
            return self._string(at)
        if described.type in self.schema.unions:
            members = self.schema.unions[described.type]
            # A kind that a later schema added is left unread, as the runtime's classes do.
            member = members.get(siblings[f"{described.name}_type"])
            return self.table(member, at) if member in self.schema.tables else None
        return self.table(described.type, at)

    def _vector(self, kind: str, at: int) -> NDArray[Any] | list[Any]:
        start = self._follow(at)
        (length,) = self._unpack(_OFFSET, start)
        start += 4
        self._count(start, length * _size(kind), parts=0)
        if kind in SCALARS:
            self.numbers += length if _size(kind) > 2 else 0
            if self.numbers > MOST_NUMBERS:
                raise self._damaged(f"its vectors hold more than {MOST_NUMBERS:,} numbers")
            # Through uint8: a byte that is neither 0 nor 1 must not become a numpy bool.
            stored = SCALARS["u8" if kind == "bool" else kind]
            numbers: NDArray[Any] = np.frombuffer(self.content, stored, length, start)
            return numbers.astype(np.bool_) if kind == "bool" else numbers
        read = self._string if kind == "string" else functools.partial(self.table, kind)
        return [read(start + 4 * index) for index in range(length)]

    def _string(self, at: int) -> str:
        start = self._follow(at)
        (length,) = self._unpack(_OFFSET, start)
        self._count(start + 4, length)
        return self.content[start + 4 : start + 4 + length].decode("utf-8", "replace")

    def _follow(self, at: int) -> int:
        (offset,) = self._unpack(_OFFSET, at)
        if offset == 0:
            raise self._damaged(f"the offset at byte {at} points to itself")
        return at + int(offset)

    def _unpack(self, layout: struct.Struct, at: int) -> tuple[Any, ...]:
        self._require(at, layout.size)
        return layout.unpack_from(self.content, at)

    def _require(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self.content):
            raise self._damaged(
                f"{size} bytes at byte {at} are outside the file of {len(self.content)} bytes"
            )

    def _count(self, at: int, size: int, parts: int = 1) -> None:
        self._require(at, size)
        self.tables += parts
        self.visited += size
        if self.tables > MOST_TABLES:
            raise self._damaged(f"it has more than {MOST_TABLES:,} tables")
        # A writer may share a few equal strings or vectors, but never most of the file.
        if self.visited > 2 * len(self.content) + _SHARED_SLACK:
            raise self._damaged("its parts overlap")

    def _damaged(self, why: str) -> InputError:
        return InputError(f"{self.name} is damaged: {why}", "was it cut short or altered?")


def _size(kind: str) -> int:
    return SCALARS[kind].itemsize if kind in SCALARS else 4


def _field(member: str) -> Field | None:
    if member == "-":
        return None
    name, _, rest = member.partition(":")
    kind, _, default = rest.partition("=")
    element = kind.strip("[]")
    vector = kind != element
    if vector or element not in SCALARS:
        return Field(name, element, vector, None)
    return Field(name, element, vector, _default(element, default))


def _default(kind: str, text: str) -> int | float | bool:
    if kind == "bool":
        return text == "true"
    return float(text or 0) if kind == "f32" else int(text or 0)
