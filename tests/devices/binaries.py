"""Programs for other processors, as far as anything here looks at them."""

import struct


def elf(machine: int) -> bytes:
    """The header of a 64-bit ELF file for a machine, by its number in the ELF standard."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(44)
