"""What native code prints to the process's standard error, caught or filtered."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

CHATTER = (b"INFO:", b"I0000")
"""How lines begin that tell a user nothing, such as which delegate was made."""

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def captured_stderr() -> Iterator[Callable[[], bytes]]:
    """Keep from standard error what is printed while the block runs, and tell it afterwards.

    Native code writes to file descriptor 2, which no Python stream sees.

    Yields:
        What was printed; to be called when the block has ended.
    """
    printed: list[bytes] = []
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as file:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            original = os.dup(2)
        except OSError:  # the process has no standard error: nothing can be printed
            yield lambda: b""
            return
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: b"".join(printed)
        finally:
            os.dup2(original, 2)
            os.close(original)
            file.seek(0)
            printed.append(file.read())


@contextlib.contextmanager
def quiet_runtime() -> Iterator[None]:
    """Drop the runtime's INFO lines while the block runs; pass every other line on afterwards."""
    with contextlib.ExitStack() as ending:
        printed = ending.enter_context(captured_stderr())
        try:
            yield
        finally:
            ending.close()
            for line in printed().splitlines(keepends=True):
                if not line.startswith(CHATTER):
                    os.write(2, line)
