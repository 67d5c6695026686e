"""PNG files made chunk by chunk, whatever their header claims."""

from __future__ import annotations

import struct
import zlib

FORMATS = {"RGB": (8, 2, 3), "RGBA": (8, 6, 4), "I;16": (16, 0, 2)}
"""Bits a channel, the colour type and bytes a pixel, by what Pillow calls the mode."""


def of_one_colour(width: int, height: int, mode: str = "RGB", rows: int | None = None) -> bytes:
    """A black PNG made without its pixels: a few kilobytes for gigabytes.

    Args:
        width: pixels, as the header claims.
        height: likewise.
        mode: one of ``FORMATS``.
        rows: how many there really are; all by default.
    """
    depth, kind, channels = FORMATS[mode]
    packer = zlib.compressobj(9)
    row = bytes(1 + width * channels)
    count = height if rows is None else rows
    data = b"".join(packer.compress(row) for _ in range(count)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    checked = name + body
    return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))
