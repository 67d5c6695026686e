"""What the native runtime prints to the process's standard error, filtered."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator

CHATTER = (b"INFO:", b"I0000")
"""How lines begin that tell a user nothing, such as which delegate was made."""

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def quiet_runtime() -> Iterator[None]:
    """Drop the runtime's INFO lines while the block runs; pass every other line on afterwards.

    The runtime writes to file descriptor 2 from native code, which no Python stream sees.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as captured:
        try:
            original = os.dup(2)
        except OSError:  # the process has no standard error: nothing can be printed
            yield
            return
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            captured.seek(0)
            for line in captured:
                if not line.startswith(CHATTER):
                    os.write(2, line)
