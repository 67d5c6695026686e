"""What another program prints, of which only so much is kept."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO

from edgeeff.errors import TargetUnavailable
from edgeeff.foreign import MOST_PRINTED

AT_ONCE = 1 << 16
"""Bytes that are read or written at a time."""


def communicate(
    process: subprocess.Popen[bytes],
    content: bytes = b"",
    *,
    timeout: float,
    most: int = MOST_PRINTED,
) -> tuple[bytes, bytes]:
    """As ``Popen.communicate``, for a program that may print without end.

    Args:
        process: of pipes; its standard input is closed after ``content``.
        content: for its standard input, if that is a pipe.
        timeout: seconds it may take.
        most: bytes of its output, and of its errors.

    Returns:
        What it printed to standard output and to standard error.

    Raises:
        subprocess.TimeoutExpired: as ``Popen.communicate``; the program goes on.
        TargetUnavailable: it printed more; it was killed.
    """
    if sys.platform == "win32":  # no waiting on pipes there
        return process.communicate(content or None, timeout)
    deadline = time.monotonic() + timeout
    kept = {stream: bytearray() for stream in (process.stdout, process.stderr) if stream}
    with selectors.DefaultSelector() as waiting:
        for stream in kept:
            waiting.register(stream, selectors.EVENT_READ, _reading(waiting, stream, kept[stream]))
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            given = _giving(waiting, process.stdin, content)
            waiting.register(process.stdin, selectors.EVENT_WRITE, given)
        while waiting.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for ready, _ in waiting.select(left):
                ready.data()
            if any(len(printed) > most for printed in kept.values()):
                process.kill()
                raise TargetUnavailable(
                    f"{_name(process)} printed more than {most:,} bytes",
                    "is it the program that it should be?",
                )
    process.wait(max(deadline - time.monotonic(), 0.01))
    output, errors = (
        bytes(kept[stream]) if stream else b"" for stream in (process.stdout, process.stderr)
    )
    return output, errors


def _name(process: subprocess.Popen[bytes]) -> str:
    words = process.args
    return str(words[0] if isinstance(words, (list, tuple)) else words)


def _reading(
    waiting: selectors.BaseSelector, stream: IO[bytes], printed: bytearray
) -> Callable[[], None]:
    def read() -> None:
        piece = os.read(stream.fileno(), AT_ONCE)
        printed.extend(piece)
        if not piece:
            waiting.unregister(stream)

    return read


def _giving(
    waiting: selectors.BaseSelector, stream: IO[bytes], content: bytes
) -> Callable[[], None]:
    left = memoryview(content)

    def give() -> None:
        nonlocal left
        try:
            left = left[os.write(stream.fileno(), left[:AT_ONCE]) :] if left else left
        except BrokenPipeError:  # it does not want more
            left = left[:0]
        if not left:
            waiting.unregister(stream)
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    return give
