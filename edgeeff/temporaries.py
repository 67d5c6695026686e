"""Temporary files and folders that are gone afterwards, or after the next run if that is killed.

Each holds a lock as long as its process lives, whatever ends it. What has a name that only edgeeff
gives and no lock was left by a run that was killed, and may be removed; files in it that were about
to get their names together get them first.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

NAME = re.compile(r"\.edgeeff-([0-9a-f]{8})([0-9a-f]{8})")
"""What temporary files and folders are called: a number and its checksum, which proves it ours."""

DECIDED = "named-"
"""What the folder of files that get their names together is called, with its inode behind."""

TRIES = 3
"""Names for one temporary: another process may take one for abandoned before it is locked."""

_begun: set[Path] = set()
"""Those of this process that are there, or about to be."""


@atexit.register
def _remove_begun() -> None:
    """Remove what is left because Ctrl-C came while it was being made or removed."""
    for path in tuple(_begun):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """Yield a new empty file in ``folder``, which is made if need be. Raises ``OSError``."""

    def remove(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    with _temporary(folder, lambda path: path.touch(mode=0o600, exist_ok=False), remove) as made:
        yield made


@contextlib.contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder in ``folder``, which is made if need be. Raises ``OSError``."""

    def remove(path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)

    with _temporary(folder, lambda path: path.mkdir(mode=0o700), remove) as made:
        yield made


@contextlib.contextmanager
def _temporary(
    folder: Path, make: Callable[[Path], object], remove: Callable[[Path], object]
) -> Iterator[Path]:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    names = [folder / _new_name() for _ in range(TRIES)]
    _begun.update(names)
    try:
        with contextlib.ExitStack() as lock:
            yield next(path for path in names if _made(path, make, lock, last=path is names[-1]))
    finally:
        for path in names:
            remove(path)
        _begun.difference_update(names)
        # What was refused leaves no empty folder behind either.
        with contextlib.suppress(OSError):
            for each in missing:
                each.rmdir()


def _made(
    path: Path, make: Callable[[Path], object], lock: contextlib.ExitStack, *, last: bool
) -> bool:
    """Make a path and lock it; not if another process took it for abandoned in between.

    Raises:
        OSError: it cannot be made, or such a thing happened again at the ``last`` try.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clean(path.parent)
        make(path)
        lock.enter_context(_locked(path))
    except FileNotFoundError:
        if last:
            raise
        return False
    return True


def decided(new: Path) -> Path:
    """Decide that all files in a folder of a temporary one get their names beside that one.

    From the rename on, which is the decision, a kill does not undo it: ``clean`` ends the work.

    Returns:
        The folder's new name. The inode in it tells it from one that came out of an archive.
    """
    named = new.with_name(f"{DECIDED}{new.stat().st_ino}")
    new.replace(named)
    return named


def clean(folder: Path) -> None:
    """Remove what killed runs left in a folder, after naming the files of what they decided."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            path = folder / name
            if not _is_ours(name) or path in _begun:
                continue
            with _abandoned(path) as left:
                if left:
                    _finish(path)
                    shutil.rmtree(path, ignore_errors=True)
                    with contextlib.suppress(OSError):
                        path.unlink()


def outside(path: Path) -> Path:
    """The folder that a temporary one is in, for messages; any other path as it is."""
    for place in (path, *path.parents):
        if _is_ours(place.name):
            path = place.parent
    return path


def _new_name() -> str:
    number = secrets.token_hex(4)
    return f".edgeeff-{number}{_checksum(number)}"


def _is_ours(name: str) -> bool:
    """Whether edgeeff made up a name; a user's own file is not called so by chance."""
    found = NAME.fullmatch(name)
    return found is not None and found[2] == _checksum(found[1])


def _checksum(number: str) -> str:
    return f"{zlib.crc32(number.encode()):08x}"


def _finish(left: Path) -> None:
    """Give the files of a killed run that were decided to get their names theirs."""
    with contextlib.suppress(OSError):
        for whole in left.glob(f"{DECIDED}*"):
            if whole.name == f"{DECIDED}{whole.stat().st_ino}":
                for path in whole.iterdir():
                    path.replace(left.parent / path.name)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a path as long as the block lasts, where the system has such locks.

    Raises:
        FileNotFoundError: it was removed before it was locked.
    """
    if sys.platform == "win32":
        yield
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have none
            fcntl.flock(opened, fcntl.LOCK_SH)
        path.stat()
        yield
    finally:
        os.close(opened)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Whether it is this user's and no process holds the lock, which none gets in the block.

    Where there are no locks, nobody can know.
    """
    if sys.platform == "win32" or path.is_symlink():
        yield False
        return
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _taken(opened)
    finally:
        os.close(opened)


def _taken(opened: int) -> bool:
    """Take the lock for this process alone, if that is at once to be had."""
    try:
        # In a folder of all users another one could have put it there.
        mine = os.fstat(opened).st_uid == os.geteuid()
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return mine
