"""Files that are whole or absent, and JSON documents with a schema."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeeff import foreign
from edgeeff.errors import InputError, OutputError
from edgeeff.shell import word
from edgeeff.temporaries import clean, decided, outside, temporary_file, temporary_folder

SCHEMAS = Path(__file__).with_name("schemas")
"""The JSON Schema of every document that edgeeff writes."""

OF_FILES = (".tflite", ".keras", ".h5", ".json")
"""What names of results end in: who calls a folder so means a file."""

HELD = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that wait until files that belong together have their names."""


@contextlib.contextmanager
def writing(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends well.

    Raises:
        OutputError: ``path`` exists and ``force`` is false, or it cannot be written.
    """
    refuse_existing(path, force=force)
    try:
        with temporary_file(path.parent) as temporary:
            yield temporary
            _settle(temporary)
            temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files of one folder that belong together, in place of those that are there.

    Everything is on the disk before the first file gets its name. Signals wait until the last
    one has it. If one cannot get its name, the others get back what was there. What no program
    can hold off (SIGKILL, a power cut) may come between two names: then the next run that looks
    into the folder gives the rest their names.

    Raises:
        OutputError: names the file that cannot be written.
    """
    (folder,) = {path.parent for path in contents}
    for path in contents:
        if os.path.isdir(path):
            raise OutputError(f"{path} is a directory", "--output DIR goes elsewhere")
    with scratch_folder(folder) as scratch:
        new, former = scratch / "new", scratch / "former"
        _prepare(contents, new, former)
        with signals_held():
            try:
                named = decided(new)
            except OSError as error:
                raise _unwritable(folder, error) from error
            _name(named, former, list(contents))


def _prepare(contents: Mapping[Path, bytes], new: Path, former: Path) -> None:
    """Write all files into the folder ``new``, and keep those that are there in ``former``."""
    path = next(iter(contents))
    try:
        new.mkdir()
        former.mkdir()
        for path, content in contents.items():
            (new / path.name).write_bytes(content)
            _settle(new / path.name)
            if os.path.exists(path):
                _second_name(path, former / path.name)
    except OSError as error:
        raise _unwritable(path, error) from error


def _name(new: Path, former: Path, paths: Sequence[Path]) -> None:
    """Give the files in ``new`` their names; if that fails, give back those in ``former``."""
    named: list[Path] = []
    for path in paths:
        try:
            (new / path.name).replace(path)
        except OSError as error:
            for done in named:
                with contextlib.suppress(OSError):
                    kept = former / done.name
                    kept.replace(done) if kept.exists() else done.unlink()
            raise _unwritable(path, error) from error
        named.append(path)


def _second_name(path: Path, second: Path) -> None:
    """Give a file another name, or make a copy where the file system has one name per file."""
    try:
        os.link(path, second)
    except OSError:
        shutil.copy2(path, second)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let Ctrl-C, and a request to end, wait for the end of the block.

    Signals interrupt the main thread only; in another one there is nothing to hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    former = {number: signal.getsignal(number) for number in HELD}
    try:
        for number in HELD:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder inside ``folder`` that is gone afterwards: renaming stays on one disk.

    Raises:
        OutputError: nothing can be written there.
    """
    with contextlib.ExitStack() as stack:
        try:
            scratch = stack.enter_context(temporary_folder(folder))
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield scratch


def write_bytes(path: Path, content: bytes, *, force: bool = False) -> None:
    """Write ``content`` to ``path``, whole or not at all. Raises ``OutputError``."""
    with writing(path, force=force) as temporary:
        temporary.write_bytes(content)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise ``OutputError`` if ``path`` exists and may not be replaced."""
    clean(path.parent)
    if os.path.lexists(path) and not force:
        raise OutputError(
            f"{path} exists already", "--force replaces it, --output DIR goes elsewhere"
        )


def refuse_unwritable(folder: Path) -> None:
    """Raise ``OutputError`` if nothing can be written in a folder, there or yet to be made."""
    refuse_file_name(folder)
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not os.path.isdir(there):
        raise OutputError(f"cannot write {folder}: {there} is a file", _into(there.parent))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def refuse_file_name(folder: Path) -> None:
    """Raise ``OutputError`` if a folder yet to be made is called as only files are."""
    if folder.suffix.lower() in OF_FILES and not os.path.lexists(folder):
        raise OutputError(f"--output {folder} names a file, not a folder", _into(folder.parent))


def _into(folder: Path) -> str:
    return f"--output {word(folder)} is a folder, in which each file gets a name of its own"


def read_bytes(path: Path, most: int = foreign.MOST_FILE) -> bytes:
    """The content of a regular file of at most so many bytes.

    Raises:
        InputError: not readable, larger, or a device or pipe that may never end.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a directory", "name the file in it")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is not a regular file", "copy it into one")
        with path.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            content = b"" if size > most else opened.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except ValueError as error:  # a name with a null character
        raise InputError(f"cannot read {str(path)!r}: {error}", "check the path") from error
    if size > most or len(content) > most:
        raise InputError(f"{path} has more than {most:,} bytes", "is it the right file?")
    return content


def read_text(path: Path, most: int = foreign.MOST_TEXT) -> str:
    """The content of a UTF-8 file for people, of so many bytes. Raises ``InputError``."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", "save it as UTF-8") from error


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
    text = read_bytes(path)
    with foreign.parsing(f"{path} is not a JSON document", "was it cut short?"):
        content = json.loads(text)
    found = content.get("schema") if isinstance(content, dict) else None
    if found == schema:
        return dict(content)
    name = schema.partition("/")[0]
    if isinstance(found, str) and found.partition("/")[0] == name:
        raise InputError(
            f"{path} is of version {found[:40]}, this edgeeff reads {schema}", "update edgeeff"
        )
    raise InputError(
        f"{path} is not an {name} document", f"its schema field says {foreign.shown(found)}"
    )


def _unwritable(path: Path, error: OSError) -> OutputError:
    hints = {
        errno.ENOSPC: "free some space, or choose another directory with --output",
        errno.EFBIG: "the file size limit of this shell is too small (ulimit -f)",
        errno.EDQUOT: "the disk quota is used up",
    }
    hint = hints.get(error.errno or 0, "choose a directory you may write to with --output")
    through_a_file = error.errno in (errno.EEXIST, errno.ENOTDIR)
    why = "its path leads through a file" if through_a_file else error.strerror or error
    return OutputError(f"cannot write {outside(path)}: {why}", hint)


def _settle(temporary: Path) -> None:
    """Bring a file to the disk, with the permissions of any new file. Raises ``OSError``."""
    with temporary.open("r+b") as written:  # Windows flushes what may be written to only
        os.fsync(written.fileno())
    temporary.chmod(0o666 & ~_umask())


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
