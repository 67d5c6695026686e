"""Ctrl-C and SIGTERM: one ``KeyboardInterrupt``, wherever they come."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

SOON = 0.01
"""Seconds until a signal that Python has dropped comes again."""

_came: list[int] = []
"""The signals that asked this process to end."""


def take_signals() -> None:
    """Have signals that ask this process to end raise ``KeyboardInterrupt`` in its main thread."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored
        signal.signal(signal.SIGINT, _interrupt)
    if not isinstance(sys.unraisablehook, _Unraisable):
        sys.unraisablehook = _Unraisable(sys.unraisablehook)


def is_behind(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: native code that it meets makes it another one."""
    if _came:
        return True
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def keep_exit_status() -> None:
    """Have Python end with our status after an interrupt, also under ``-m``.

    It remembers an interrupt that met code made of a string, such as a dataclass being defined, and
    would die of SIGINT in the end. Only running another such string makes it forget.
    """
    exec("")  # noqa: S102 - the shortest one


def _interrupt(signum: int, frame: FrameType | None) -> Any:
    _came.append(signum)
    raise KeyboardInterrupt


@dataclass(frozen=True)
class _Unraisable:
    """What Python tells of exceptions in destructors, which it drops.

    Attributes:
        told: what was told of them before.
    """

    told: Callable[[sys.UnraisableHookArgs], Any]

    def __call__(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Let an interrupt come again; of what it has left half-made, nothing is told."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            again = threading.Timer(SOON, _raise_in_main_thread)
            again.daemon = True
            with contextlib.suppress(RuntimeError):  # Python is ending already
                again.start()
        elif not _came:
            self.told(unraisable)


def _raise_in_main_thread() -> None:
    signum = _came[-1] if _came else signal.SIGINT
    if sys.platform == "win32":
        _thread.interrupt_main(signum)
    else:
        os.kill(os.getpid(), signum)  # ends a system call, too
