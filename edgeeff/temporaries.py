"""Temporary files and folders that are gone afterwards, or after the next run if that is killed.

Each holds a lock as long as its process lives, whatever ends it. What has a name of ours and no
lock was left by a run that was killed, and may be removed; files in it that were about to get
their names together get them first.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

OURS = re.compile(r"\.edgeeff-[0-9a-f]{8}")
"""What temporary files and folders are called."""

DECIDED = "named-"
"""What the folder of files that get their names together is called, with its inode behind."""

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
    folder.mkdir(parents=True, exist_ok=True)
    clean(folder)
    path = folder / f".edgeeff-{secrets.token_hex(4)}"
    _begun.add(path)
    try:
        make(path)
        with _locked(path):
            yield path
    finally:
        remove(path)
        _begun.discard(path)
        # What was refused leaves no empty folder behind either.
        with contextlib.suppress(OSError):
            for each in missing:
                each.rmdir()


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
            if OURS.fullmatch(name) and path not in _begun and _abandoned(path):
                _finish(path)
                shutil.rmtree(path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    path.unlink()


def _finish(left: Path) -> None:
    """Give the files of a killed run that were decided to get their names theirs."""
    with contextlib.suppress(OSError):
        for whole in left.glob(f"{DECIDED}*"):
            if whole.name == f"{DECIDED}{whole.stat().st_ino}":
                for path in whole.iterdir():
                    path.replace(left.parent / path.name)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a path as long as the block lasts, where the system has such locks."""
    if sys.platform == "win32":
        yield
        return
    opened = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have none
            fcntl.flock(opened, fcntl.LOCK_SH)
        yield
    finally:
        os.close(opened)


def _abandoned(path: Path) -> bool:
    """Whether no process holds the lock. Where there are no locks, nobody can know."""
    if sys.platform == "win32" or path.is_symlink():
        return False
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(opened)
    return True
