"""The parent's end of a worker: requests with a time limit, and crashes read as messages."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, cast

from edgeeff import errors
from edgeeff.errors import EdgeeffError, TargetUnavailable
from edgeeff.version import __version__
from edgeeff.worker.serve import PROTOCOL

START_SECONDS = 60.0
"""How long a worker may take to greet; Python on a slow board takes ten."""

CLOSE_SECONDS = 5.0
"""How long a worker may take to let go of an accelerator."""

NOISE_LINES = 200
"""Lines of a login banner that may come before the greeting."""

LINE_BYTES = 1 << 28
"""No line of the protocol is longer: 30 minutes of samples of a 0.1 ms model are less."""

PRINTED_BYTES = 4000
"""What is shown of a worker's standard error: its end."""

Progress = Callable[[int], None]


class WorkerFailed(TargetUnavailable):
    """A worker crashed, hung, or failed; ``printed`` is the end of its standard error."""

    printed = ""


def local_command() -> list[str]:
    """The command line of a worker on this machine, with this Python."""
    return [sys.executable, "-m", "edgeeff.worker"]


class Channel:
    """A worker process and the lines to and from it.

    Use as a context manager: leaving it ends the process whatever state it is in.

    Args:
        command: starts a worker, here or (``ssh …``) elsewhere.
        name: how errors call it, such as ``"the gpu target on local"``.
        timeout: seconds of silence after which it counts as hung.
        environment: of the process; ``None``: this process' own.
        crash_hint: what to do when it dies of a signal.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        crash_hint: str = "",
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.crash_hint = crash_hint
        self.greeting: dict[str, Any] = {}
        if sys.platform == "win32":
            raise TargetUnavailable(
                f"{name}: Windows has no process groups and no waiting on pipes, which it needs",
                "run edgeeff in WSL, or on Linux or macOS",
            )
        self._buffer = bytearray()
        self._resources = contextlib.ExitStack()
        captured = tempfile.TemporaryFile()  # noqa: SIM115 - the exit stack closes it
        self._errors: IO[bytes] = self._resources.enter_context(captured)
        self._process = self._start(command, environment)
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self._selector = self._resources.enter_context(selectors.DefaultSelector())
        self._resources.callback(self._output.close)
        self._selector.register(self._output, selectors.EVENT_READ)
        try:
            self.greeting = self._greet()
        except BaseException:
            self.close()
            raise

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=None if environment is None else dict(environment),
                # A Ctrl-C goes to us; we end the worker ourselves, and clean up on the device.
                start_new_session=True,
            )
        except OSError as error:
            self._resources.close()
            raise TargetUnavailable(
                f"{self.name}: cannot start {command[0]}: {error.strerror}", "is it installed?"
            ) from error

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error or Ctrl-C nobody waits for the worker to finish what it is doing.
        self.close(patience=CLOSE_SECONDS if kind is None else 0.2)

    def ask(
        self,
        do: str,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,
        **fields: Any,
    ) -> Any:
        """Send one request and return what its reply says is ``ok``.

        Args:
            do: one of ``worker.serve.REQUESTS``.
            progress: called with the run count of every progress line.
            timeout: seconds of silence; ``None``: the channel's.
            fields: the rest of the request, JSON values.

        Raises:
            EdgeeffError: the worker's own error, by its type.
            TargetUnavailable: it crashed, hung, ended or answered something else.
        """
        self._send({"do": do, **fields})
        while True:
            reply = self._message(timeout or self.timeout, do)
            if "progress" in reply:
                if progress is not None:
                    progress(reply["progress"])
            elif "error" in reply:
                raise self._error(reply["error"])
            elif "ok" in reply:
                return reply["ok"]
            else:
                raise self._garbage(json.dumps(reply))

    def printed(self) -> str:
        """The end of what the worker and its native libraries printed to standard error."""
        if self._errors.closed:
            return ""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - PRINTED_BYTES))
        return self._errors.read().decode("utf-8", "replace")

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """End the worker: asked first, killed with its children after ``patience`` seconds."""
        with contextlib.suppress(OSError):
            self._input.write(b'{"do": "close"}\n')
            self._input.close()
        try:
            self._process.wait(timeout=patience if self.greeting else 0.2)
        except subprocess.TimeoutExpired:
            self.kill()
        self._resources.close()

    def kill(self) -> None:
        """End the worker and its children at once; may be called from another thread."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, request: Mapping[str, Any]) -> None:
        try:
            self._input.write((json.dumps(request) + "\n").encode())
            self._input.flush()
        except OSError as error:
            raise self._ended(str(request.get("do"))) from error

    def _greet(self) -> dict[str, Any]:
        for _ in range(NOISE_LINES):
            line = self._line(START_SECONDS, "start")
            try:
                found = json.loads(line)
            except ValueError:
                continue  # a login banner
            if not isinstance(found, dict) or "protocol" not in found:
                continue
            if found["protocol"] != PROTOCOL:
                raise TargetUnavailable(
                    f"{self.name} runs edgeeff {found.get('edgeeff')}, "
                    f"which speaks another protocol than {__version__} here",
                    "install the same version of edgeeff at both ends",
                )
            return found
        raise TargetUnavailable(f"{self.name} talks, but not edgeeff's protocol", "see -v")

    def _message(self, timeout: float, do: str) -> dict[str, Any]:
        line = self._line(timeout, do)
        try:
            found = json.loads(line)
        except ValueError as error:
            raise self._garbage(line.decode("utf-8", "replace")) from error
        if not isinstance(found, dict):
            raise self._garbage(line.decode("utf-8", "replace"))
        return found

    def _line(self, timeout: float, do: str) -> bytes:
        deadline = time.monotonic() + timeout
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise self._hung(timeout, do)
            piece = os.read(self._output.fileno(), 1 << 16)
            if not piece:
                raise self._ended(do)
            self._buffer += piece
            if len(self._buffer) > LINE_BYTES:
                raise self._garbage("a line without an end")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _failed(self, message: str, hint: str) -> WorkerFailed:
        error = WorkerFailed(message, hint)
        error.printed = self.printed()
        return error

    def _error(self, reply: Mapping[str, str]) -> EdgeeffError:
        kind = getattr(errors, str(reply.get("type")), TargetUnavailable)
        message, hint = str(reply.get("message", "no message")), str(reply.get("hint", ""))
        if kind is TargetUnavailable:
            return self._failed(f"{self.name}: {message}", hint)
        found: EdgeeffError = kind(message, hint)
        return found

    def _garbage(self, text: str) -> WorkerFailed:
        self.kill()
        return self._failed(
            f"{self.name} answered something that is not edgeeff's protocol: {text[:80]!r}",
            "a library writes to the protocol's stream; run with -v to see what it printed",
        )

    def _hung(self, timeout: float, do: str) -> WorkerFailed:
        self.kill()
        return self._failed(
            f"{self.name} hung: no sign of life for {timeout:g} s ({do})",
            "a larger --timeout if the model is that slow; otherwise the driver hangs",
        )

    def _ended(self, do: str) -> WorkerFailed:
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.returncode
        why, crashed = _ending(status)
        last = next((line for line in reversed(self.printed().splitlines()) if line.strip()), "")
        message = f"{self.name} {why} ({do})" + (f": {last.strip()}" if last else "")
        hint = self.crash_hint if crashed else ""
        return self._failed(message, hint or "run with -v to see what it printed")


def _ending(status: int) -> tuple[str, bool]:
    """How a process ended, in words, and whether it crashed; shells and ssh add 128."""
    number = -status if status < 0 else status - 128
    if status == 255:
        return "was disconnected", False
    names = {entry.value: entry.name for entry in signal.Signals}
    if number in names and number > 0:
        return f"crashed with {names[number]}", True
    return f"ended with status {status}", False
