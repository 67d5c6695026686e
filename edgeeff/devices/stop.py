"""Ending what a thread waits for, from another thread: Ctrl-C reaches only the main one."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

from edgeeff.programs import communicate


class Stop:
    """Whether a thread's work is to end, and what it waits for, which then ends at once.

    The thread that works calls ``run``, ``sleep`` and ``ending``; each raises
    ``KeyboardInterrupt`` there once another thread has called ``set``, as Ctrl-C does in the
    main thread: so one clean-up serves both.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._enders: list[Callable[[], None]] = []

    def set(self) -> None:
        """End what is waited for now, and what comes."""
        with self._lock:
            self._event.set()
            enders = list(self._enders)
        for end in enders:
            end()

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` if the work is to end."""
        if self._event.is_set():
            raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        """Pause for so long, or until the work is to end."""
        self._event.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """While in this context, ``set`` calls ``end`` too; it may be called from any thread."""
        self.check()
        with self._lock:
            self._enders.append(end)
        try:
            if self._event.is_set():
                end()
            yield
        finally:
            with self._lock:
                self._enders.remove(end)
            self.check()

    def run(self, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a program without input to its end, its output captured as text.

        The program is in a session of its own: a terminal's Ctrl-C goes to us alone, and what
        we start to clean up lives on.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds and was killed.
            TargetUnavailable: it printed without end and was killed.
        """
        self.check()
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                with self.ending(process.kill):
                    printed = communicate(process, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        output, errors = (_text(part) for part in printed)
        return subprocess.CompletedProcess(list(command), process.returncode, output, errors)


def _text(printed: bytes) -> str:
    """As a program printed it, its lines ended as here: adb's end in two characters."""
    return printed.decode("utf-8", "replace").replace("\r\n", "\n")
