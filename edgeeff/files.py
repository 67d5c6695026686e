"""Files that are whole or absent, and JSON documents with a schema."""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError, OutputError

SCHEMAS = Path(__file__).with_name("schemas")
"""The JSON Schema of every document that edgeeff writes."""

_begun: set[Path] = set()
"""Temporary files and folders that are there, or about to be."""


@atexit.register
def _remove_begun() -> None:
    """Remove what is left because Ctrl-C came while it was being made or removed."""
    for path in tuple(_begun):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def writing(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well.

    Raises:
        OutputError: ``path`` exists and ``force`` is false, or it cannot be written.
    """
    refuse_existing(path, force=force)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    _begun.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600, exist_ok=False)
        yield temporary
        with temporary.open("r+b") as written:  # Windows flushes what may be written to only
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        _begun.discard(temporary)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder inside ``folder`` that is gone afterwards: renaming stays on one disk.

    Raises:
        OutputError: nothing can be written there.
    """
    scratch = folder / f".edgeeff-{secrets.token_hex(4)}"
    _begun.add(scratch)
    try:
        try:
            scratch.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _begun.discard(scratch)


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write ``content`` to ``path``, whole or not at all. Raises ``OutputError``."""
    with writing(path, force=force) as temporary:
        temporary.write_bytes(content)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise ``OutputError`` if ``path`` exists and may not be replaced."""
    if path.exists() and not force:
        raise OutputError(
            f"{path} exists already", "--force replaces it, --output DIR goes elsewhere"
        )


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises ``InputError`` that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file as 64 hexadecimal digits. Raises ``InputError``."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def document(schema: str, fields: Mapping[str, Any]) -> str:
    """A JSON document that says what it is: ``schema`` is such as ``edgeeff.manifest/1``."""
    return json.dumps({"schema": schema, **fields}, indent=2, allow_nan=False) + "\n"


def schema_file(schema: str) -> Path:
    """The JSON Schema of a document, by the name in its ``schema`` field."""
    name, _, version = schema.removeprefix("edgeeff.").partition("/")
    return SCHEMAS / f"{name}-{version}.json"


def read_document(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON document of the given schema and major version.

    Raises:
        InputError: not readable, not JSON, another schema or a newer major version.
    """
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path} is not a JSON document: {error}", "was it cut short?") from error
    found = content.get("schema") if isinstance(content, dict) else None
    if found == schema:
        return dict(content)
    name = schema.partition("/")[0]
    if isinstance(found, str) and found.partition("/")[0] == name:
        raise InputError(
            f"{path} is of version {found}, this edgeeff reads {schema}", "update edgeeff"
        )
    raise InputError(f"{path} is not an {name} document", f"its schema field says {found!r}")


def _unwritable(path: Path, error: OSError) -> OutputError:
    hints = {
        errno.ENOSPC: "free some space, or choose another directory with --output",
        errno.EFBIG: "the file size limit of this shell is too small (ulimit -f)",
        errno.EDQUOT: "the disk quota is used up",
    }
    hint = hints.get(error.errno or 0, "choose a directory you may write to with --output")
    return OutputError(f"cannot write {path}: {error.strerror or error}", hint)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
