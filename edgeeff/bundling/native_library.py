"""ELF files of Android apps, as far as the loader of a phone asks: processor and alignment."""

from __future__ import annotations

import struct

from edgeeff.errors import InputError

ABIS = {
    "arm64-v8a": (64, 183),
    "armeabi-v7a": (32, 40),
    "x86_64": (64, 62),
    "x86": (32, 3),
    "riscv64": (64, 243),
}
"""Android's name of an ABI to the bits of an address and ``e_machine`` of its ELF files."""

_LOAD = 1
"""``p_type`` of a segment that is mapped into memory."""


def load_alignment(library: bytes, abi: str, where: str) -> int:
    """The least ``p_align`` of the LOAD segments, bytes.

    Args:
        library: the file.
        abi: a key of ``ABIS`` that it is to be for; another name takes any processor.
        where: the file's name, for errors.

    Raises:
        InputError: no ELF file of that ABI, or a damaged one.
    """
    if library[:4] != b"\x7fELF" or len(library) < 64:
        raise InputError(f"{where} is no native library")
    wide, machine = library[4] == 2, struct.unpack_from("<H", library, 18)[0]
    bits, expected = ABIS.get(abi, (64 if wide else 32, machine))
    if library[5] != 1 or (wide, machine) != (bits == 64, expected):
        raise InputError(f"{where} is built for another processor (machine {machine})")
    start = (
        struct.unpack_from("<Q", library, 32)[0]
        if wide
        else (struct.unpack_from("<I", library, 28)[0])
    )
    size, count = struct.unpack_from("<HH", library, 54 if wide else 42)
    if size < (56 if wide else 32) or start + size * count > len(library):
        raise InputError(f"{where} has program headers that are not in the file")
    places = range(start, start + size * count, size)
    loaded = [place for place in places if struct.unpack_from("<I", library, place)[0] == _LOAD]
    if not loaded:
        raise InputError(f"{where} has nothing that is loaded")
    form, offset = ("<Q", 48) if wide else ("<I", 28)
    return int(min(struct.unpack_from(form, library, place + offset)[0] for place in loaded))
