"""Write tables, as ``flatbuffer.decode`` gives them, as a FlatBuffer.

The parts are laid out as the classes do that Google's compiler generates (children before their
table, fields in the order of the schema, equal vtables once), so that what was read and written
again by either is the same file.

Format: https://flatbuffers.dev/internals
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.tflite.flatbuffer import FORMATS, SCALARS, Field, Schema, Table

BYTES_ALIGNMENT = 16
"""Of vectors of bytes: ``force_align`` of Buffer.data in the schema of .tflite."""

_OFFSET = FORMATS["u32"]
_BACK = FORMATS["i32"]


def encode(table: Table, schema: Schema, root: str, identifier: bytes) -> bytes:
    """Write a whole FlatBuffer: the same tables give the same bytes.

    Args:
        table: the outermost one. Fields that are left out, or hold their default, are not stored.
        schema: what its tables look like.
        root: the kind of the outermost table.
        identifier: the four bytes that tell this kind of file.
    """
    return _Encoder(schema).finish(table, root, identifier)


@dataclass
class _Encoder:
    """Parts from the last to the first: a part's place is its distance from the file's end."""

    schema: Schema
    parts: list[bytes | memoryview] = field(default_factory=list)
    size: int = 0
    alignment: int = 1
    vtables: dict[tuple[int, ...], int] = field(default_factory=dict)

    def finish(self, table: Table, root: str, identifier: bytes) -> bytes:
        place = self.table(root, table)
        self._align(self.alignment, 8)
        self._put(identifier)
        self._put_offset(place)
        self.parts.reverse()
        return b"".join(self.parts)

    def table(self, kind: str, values: Table) -> int:
        """The place of a table of this kind."""
        fields = self.schema.tables[kind]
        children = self._children(fields, values)
        end = self.size
        slots = [0] * len(fields)
        for slot, described in enumerate(fields):
            if described is None:
                continue
            if described.name in children:
                self._align(4)
                self._put_offset(children[described.name])
            elif described.scalar:
                value = values.get(described.name, described.default)
                if value == described.default:
                    continue
                layout = FORMATS[described.type]
                self._align(layout.size)
                self._put(layout.pack(value))
            else:
                continue
            slots[slot] = self.size
        self._align(4)
        return self._close(slots, end)

    def _children(self, fields: tuple[Field | None, ...], values: Table) -> dict[str, int]:
        """The places of a table's strings, vectors and tables."""
        places = {}
        for described in fields:
            if described is None or described.scalar:
                continue
            value = values.get(described.name)
            if value is not None:
                places[described.name] = self._child(described, value, values)
        return places

    def _child(self, described: Field, value: Any, siblings: Table) -> int:
        if described.vector:
            return self._vector(described.type, value)
        if described.type == "string":
            return self._string(value)
        members = self.schema.unions.get(described.type)
        if members is None:
            return self.table(described.type, value)
        return self.table(members[siblings[f"{described.name}_type"]], value)

    def _vector(self, kind: str, values: Any) -> int:
        if kind in SCALARS:
            return self._numbers(np.ascontiguousarray(values, SCALARS[kind]))
        write = self._string if kind == "string" else None
        places = [write(item) if write else self.table(kind, item) for item in values]
        self._align(4, 4 * len(places))
        for place in reversed(places):
            self._put_offset(place)
        self._put(_OFFSET.pack(len(places)))
        return self.size

    def _numbers(self, values: NDArray[Any]) -> int:
        self._align(4, values.nbytes)
        self._align(BYTES_ALIGNMENT if values.dtype == np.uint8 else values.itemsize, values.nbytes)
        self._put(values.data.cast("B") if values.size else b"")
        self._put(_OFFSET.pack(values.size))
        return self.size

    def _string(self, text: str) -> int:
        content = text.encode()
        self._align(4, len(content) + 1)
        self._put(content + b"\0")
        self._put(_OFFSET.pack(len(content)))
        return self.size

    def _close(self, slots: list[int], end: int) -> int:
        """End a table whose fields lie at ``slots`` (0: not stored), with a vtable before it."""
        place = self.size + 4
        while slots and not slots[-1]:
            slots.pop()
        layout = (place - end, *(place - slot if slot else 0 for slot in slots))
        known = self.vtables.get(layout)
        if known is not None:
            self._put(_BACK.pack(known - place))
            return place
        size = 2 * len(layout) + 2
        self._put(_BACK.pack(size))
        self._put(struct.pack(f"<{len(layout) + 1}H", size, *layout))
        self.vtables[layout] = self.size
        return place

    def _align(self, size: int, following: int = 0) -> None:
        """Fill up so that, after ``following`` more bytes, the place is a multiple of ``size``."""
        self.alignment = max(self.alignment, size)
        if fill := -(self.size + following) % size:
            self._put(bytes(fill))

    def _put(self, part: bytes | memoryview) -> None:
        self.parts.append(part)
        self.size += len(part)

    def _put_offset(self, place: int) -> None:
        self._put(_OFFSET.pack(self.size + 4 - place))
