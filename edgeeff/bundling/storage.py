"""A bundle on disk: a folder or a zip of the same files, read as if it came from an enemy."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from edgeeff import files
from edgeeff.errors import InputError, OutputError
from edgeeff.tflite.metadata_writer import archive

CHECKSUMS = "SHA256SUMS"
"""The list of all other files, as ``sha256sum --check`` reads it."""

DOCUMENT = "bundle.json"

MOST_FILES = 10_000
MOST_BYTES = 2**30
"""Of all files together; a bundle of B7 in three precisions has 0.4 GB."""

MOST_LISTED = 2**24
"""Bytes of ``SHA256SUMS``."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_RESERVED = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')
"""What a name cannot have on Windows, or would hide something in a terminal."""

DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError),
    *(RuntimeError, ValueError),
)
"""What Python's zipfile raises for archives of unknown origin."""


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name, each as ``SHA256SUMS`` says it is, and no others.

    Nothing is written, no link is followed, and no more than ``MOST_BYTES`` are read.

    Raises:
        InputError: names that leave the bundle or come twice, links, an archive that is damaged
            or unpacks to too much, and files that are missing, additional or changed.
    """
    if path.is_dir():
        found = _read(path, _in_folder(path))
    elif path.is_file():
        found = _in_archive(path)
    else:
        raise InputError(f"no bundle {path}", "check the path")
    _check_sums(path, found)
    return found


def is_bundle(path: Path) -> bool:
    """Whether a zip says that it is a bundle; what is in it is not looked at.

    Raises:
        InputError: not a whole zip archive.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            return {DOCUMENT, CHECKSUMS} <= set(opened.namelist())
    except DAMAGED as error:
        raise InputError(f"{path} is not a whole zip archive: {error}") from error


def write_files(path: Path, contents: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write a bundle with its checksums: as a zip if the path ends so, else as a folder.

    Raises:
        OutputError: it exists and ``force`` is false, is not a bundle, or cannot be written.
    """
    contents = dict(sorted({**contents, CHECKSUMS: checksums(contents)}.items()))
    if path.suffix.lower() == ".zip":
        files.write_bytes(path, archive(contents), force=force)
        return
    files.refuse_existing(path, force=force)
    if os.path.lexists(path):
        _refuse_others(path)
    with files.scratch_folder(path.absolute().parent) as scratch:
        for name, content in contents.items():
            files.write_bytes(scratch / "new" / name, content)
        with files.signals_held():
            _put_in_place(scratch / "new", path, former=scratch / "old")


def _put_in_place(made: Path, path: Path, *, former: Path) -> None:
    """Give a folder its name; if that fails, the one that was there has it again."""
    try:
        if path.exists():
            path.rename(former)
        made.rename(path)
    except OSError as error:
        if former.exists():
            former.rename(path)
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _refuse_others(path: Path) -> None:
    """Refuse to replace a folder that holds anything but a bundle's own files."""
    hint = "--output goes elsewhere"
    if path.is_symlink() or not (path / DOCUMENT).is_file() or not (path / CHECKSUMS).is_file():
        raise OutputError(f"{path} exists already and is not a bundle", hint)
    listed = _listed(path, files.read_bytes(path / CHECKSUMS, MOST_LISTED))
    found = {name for name, _ in _in_folder(path)} - {CHECKSUMS}
    if others := sorted(found - set(listed)):
        raise OutputError(f"{path} has files that are not of the bundle: {others[0]}", hint)


def checksums(contents: Mapping[str, bytes]) -> bytes:
    """The text of ``SHA256SUMS``."""
    lines = (f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    return "".join(lines).encode()


def _check_sums(path: Path, found: Mapping[str, bytes]) -> None:
    if CHECKSUMS not in found:
        raise InputError(f"{path} has no {CHECKSUMS}", "is it a bundle of edgeeff?")
    listed = _listed(path, found[CHECKSUMS])
    present = set(found) - {CHECKSUMS}
    changed = {
        name
        for name in present & set(listed)
        if hashlib.sha256(found[name]).hexdigest() != listed[name]
    }
    faults = [
        f"{what}: {', '.join(sorted(names))}"
        for what, names in (
            ("changed", changed),
            ("missing", set(listed) - present),
            ("not listed", present - set(listed)),
        )
        if names
    ]
    if faults:
        hint = f"it is not as it was made ({CHECKSUMS} says); get it again"
        raise InputError(f"{path}: {'; '.join(faults)}", hint)


def _listed(path: Path, content: bytes) -> dict[str, str]:
    """The hash of every file that a bundle's list names."""
    if len(content) > MOST_LISTED:
        raise InputError(f"{path}: {CHECKSUMS} has {len(content):,} bytes", "is it a bundle?")
    listed: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        parts = _LINE.fullmatch(line)
        if parts is None or parts[2] in listed:
            raise InputError(f"{path}: {CHECKSUMS} has a line that is not understood: {line!r}")
        listed[parts[2]] = parts[1]
    return listed


def _in_folder(root: Path) -> Iterator[tuple[str, Path]]:
    def unreadable(error: OSError) -> None:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error

    seen: set[str] = set()
    for folder, folders, names in os.walk(root, onerror=unreadable):
        for name in sorted((*folders, *names)):
            place = Path(folder) / name
            shown = place.relative_to(root).as_posix()
            check_name(shown, str(root))
            _refuse_twins(root, shown, seen)
            mode = place.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise InputError(f"{root}: {shown} is a symbolic link", "a bundle has files only")
            if stat.S_ISREG(mode):
                yield shown, place
            elif not stat.S_ISDIR(mode):
                raise InputError(f"{root}: {shown} is neither a file nor a folder")


def _read(root: Path, places: Iterator[tuple[str, Path]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, place in places:
        total += place.stat().st_size
        _refuse_size(root, total, len(found))
        found[name] = files.read_bytes(place)
    return found


def _in_archive(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(files.read_bytes(path))) as opened:
            entries = opened.infolist()
            _check_entries(path, entries)
            return {
                entry.filename: _member(path, opened, entry)
                for entry in entries
                if not entry.is_dir()
            }
    except DAMAGED as error:
        raise InputError(f"{path} is not a whole zip archive: {error}") from error


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    _refuse_size(path, sum(entry.file_size for entry in entries), len(entries))
    seen: set[str] = set()
    for entry in entries:
        name = entry.orig_filename
        check_name(name.removesuffix("/"), str(path))
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(f"{path}: {name} is a symbolic link", "a bundle has files only")
        _refuse_twins(path, name.removesuffix("/"), seen)
    plain = {entry.filename for entry in entries if not entry.is_dir()}
    for name in sorted(plain):
        if inside := plain & {str(folder) for folder in PurePosixPath(name).parents}:
            raise InputError(f"{path}: {inside.pop()} is a file and a folder", "do not unpack it")


def _refuse_twins(path: Path, name: str, seen: set[str]) -> None:
    """Refuse names that some systems take for one."""
    if name.lower() in seen:
        raise InputError(f"{path}: two files are called {name}", "which one is meant?")
    seen.add(name.lower())


def check_name(name: str, where: str, hint: str = "do not unpack it") -> None:
    """Refuse a name that leads out of a folder, or that not every system has. ``InputError``."""
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and not _RESERVED.search(name)
    if not parts or not plain or parts[0] == "/" or ".." in parts:
        raise InputError(f"{where}: {name!r} is no name of a file in a bundle", hint)


def _member(path: Path, opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with opened.open(entry) as member:
        content = member.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise InputError(f"{path}: {entry.filename} is larger or smaller than the archive says")
    return content


def _refuse_size(path: Path, size: int, count: int) -> None:
    if size > MOST_BYTES or count > MOST_FILES:
        raise InputError(
            f"{path} unpacks to {count:,} files of {size:,} bytes",
            f"a bundle has at most {MOST_FILES:,} files and {MOST_BYTES:,} bytes",
        )
