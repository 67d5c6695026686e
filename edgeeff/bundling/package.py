"""An app's APK or AAR: whether the native libraries are there that LiteRT needs, and load.

Android 15 has devices whose memory pages are 16 KB. There a library is loaded only if its LOAD
segments are aligned to that, and, where it is stored without compression, if it lies so in the APK
(developer.android.com/guide/practices/page-sizes).
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.bundling.native_library import ABIS, load_alignment
from edgeeff.bundling.storage import DAMAGED
from edgeeff.errors import InputError

PAGE = 16 * 1024

MOST_BYTES = 2**29
"""Of an APK, and of its libraries unpacked. The Play Store takes 200 MB."""

LITERT = re.compile(r"lib(LiteRt|litert_jni|tensorflowlite_jni)\.so")
"""What runs `.tflite` files: LiteRT 2's, or that of its older ``Interpreter``."""

USUAL = "arm64-v8a"
"""The ABI of the phones of today."""

_LIBRARY = re.compile(r"(?:lib|jni)/(?P<abi>[^/]+)/(?P<name>[^/]+\.so)")


@dataclass(frozen=True)
class Library:
    """A native library of an app.

    Attributes:
        abi: Android's name of its processor interface.
        name: of the file, such as ``libLiteRt.so``.
        alignment: the least of its LOAD segments, bytes.
        stored: it lies uncompressed in the archive, from where it is mapped.
        offset: of its content in the archive.
    """

    abi: str
    name: str
    alignment: int
    stored: bool
    offset: int

    def faults(self, *, mapped: bool) -> Iterator[str]:
        """Why a device with 16 KB pages does not load it; only 64-bit processors have those."""
        where = f"{self.abi}/{self.name}"
        if ABIS.get(self.abi, (64, 0))[0] != 64:
            return
        if self.alignment % PAGE:
            yield (
                f"{where} is aligned to {self.alignment:,} bytes: devices with 16 KB pages do not "
                "load it; a newer version of the library is"
            )
        if mapped and self.stored and self.offset % PAGE:
            yield (
                f"{where} lies uncompressed at byte {self.offset:,}, no multiple of 16 KB: "
                "zipalign -P 16 (Android Gradle Plugin 8.5.1 or newer does it)"
            )


@dataclass(frozen=True)
class Package:
    """What was found in an APK or AAR.

    Attributes:
        path: of the file.
        libraries: all of it, by ABI and name.
        faults: what is wrong, a sentence each.
    """

    path: Path
    libraries: tuple[Library, ...]
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        libraries = [asdict(library) for library in self.libraries]
        return {"file": self.path.name, "libraries": libraries, "faults": list(self.faults)}


def check_package(path: Path, abi: str = USUAL) -> Package:
    """Read the native libraries of an APK or AAR of any origin.

    Args:
        path: of the file.
        abi: what the phone runs, as Android names it.

    Raises:
        InputError: not an archive, a damaged one, or one that unpacks to too much.
    """
    content = files.read_bytes(path, MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            libraries = tuple(_libraries(path, archive, content))
    except DAMAGED as error:
        raise InputError(f"{path} is not a whole APK or AAR: {error}") from error
    return Package(path, libraries, tuple(_faults(path, libraries, abi)))


def _faults(path: Path, libraries: tuple[Library, ...], abi: str) -> Iterator[str]:
    abis = dict.fromkeys(library.abi for library in libraries)
    if abi not in abis:
        yield f"{path.name} has no native libraries for {abi}: the app does not run there"
    for each in abis:
        names = [library.name for library in libraries if library.abi == each]
        if not any(LITERT.fullmatch(name) for name in names):
            yield f"{each} has no LiteRT ({', '.join(names)}): the app cannot run a model there"
    for library in libraries:
        yield from library.faults(mapped=path.suffix.lower() == ".apk")


def _libraries(path: Path, archive: zipfile.ZipFile, content: bytes) -> Iterator[Library]:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries if _LIBRARY.fullmatch(entry.filename))
    if unpacked > MOST_BYTES:
        raise InputError(f"{path}: its libraries unpack to {unpacked:,} bytes", "is it an app?")
    found = []
    for entry in entries:
        match = _LIBRARY.fullmatch(entry.filename)
        if match is None:
            continue
        with archive.open(entry) as member:
            library = member.read(entry.file_size)
        abi, name = match["abi"], match["name"]
        found.append(
            Library(
                abi,
                name,
                load_alignment(library, abi, f"{path}: {entry.filename}"),
                entry.compress_type == zipfile.ZIP_STORED,
                _offset(content, entry, path),
            )
        )
    yield from sorted(found, key=lambda library: (library.abi, library.name))


def _offset(content: bytes, entry: zipfile.ZipInfo, path: Path) -> int:
    """Where an entry's content begins, behind its own header."""
    header = content[entry.header_offset : entry.header_offset + 30]
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise InputError(f"{path}: {entry.filename} has no header where the archive says")
    name, extra = struct.unpack_from("<HH", header, 26)
    return int(entry.header_offset + 30 + name + extra)
