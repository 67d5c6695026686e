"""Python processes that this one starts: how they find this edgeeff, and how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from edgeeff.temporaries import temporary_folder
from edgeeff.tflite.messages import CHATTER

MOST_WORDS = 1 << 16
"""Bytes from the end of what a child printed that its last words are looked for in."""


def environment() -> dict[str, str]:
    """The environment of this process, in which a child finds the same edgeeff."""
    root = Path(__file__).resolve().parents[2]
    if root.name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def signal_name(number: int) -> str:
    """Such as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(stderr: bytes) -> str:
    """The last line that a child printed of itself, behind a colon; empty if there is none."""
    lines = [line.strip() for line in stderr.splitlines() if not line.startswith(CHATTER)]
    said = [line.decode("utf-8", "replace") for line in lines if line]
    return f": {said[-1]}" if said else ""


@dataclass(frozen=True)
class Child:
    """A module that runs in a process of its own.

    Attributes:
        process: of it.
        orders: its standard input.
        answers: its standard output.
        printed: what it writes to its standard error.
    """

    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    answers: IO[bytes]
    printed: IO[bytes]

    def ended(self) -> str:
        """How it ended, with its last words; waits until it has."""
        status = self.process.wait()
        self.printed.seek(max(0, self.printed.seek(0, os.SEEK_END) - MOST_WORDS))
        how = f"crashed ({signal_name(-status)})" if status < 0 else f"ended with status {status}"
        return f"{how}{last_words(self.printed.read())}"


@contextlib.contextmanager
def started(module: str) -> Iterator[Child]:
    """Run a module as a child of this process, which ends it and removes its temporary files."""
    scratch = temporary_folder(Path(tempfile.gettempdir()))
    with scratch as folder, tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            env={**environment(), "TMPDIR": str(folder)},
            # A Ctrl-C goes to this process, which ends the child.
            start_new_session=True,
        )
        ends = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            yield Child(process, *ends, printed)
        finally:
            process.kill()
            process.wait()
            for stream in ends:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
