"""Linux boards over ssh: edgeeff's own worker runs there, as it does here."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgeeff.accelerators.machine import MOVING, STEADY
from edgeeff.accelerators.plan import Plan, TargetStatus
from edgeeff.devices.ssh_pictures import archive, name_of, whole
from edgeeff.devices.worker_bench import WorkerBench, crash_hint
from edgeeff.errors import TargetUnavailable, UsageError
from edgeeff.files import read_bytes
from edgeeff.programs import communicate
from edgeeff.version import __version__
from edgeeff.worker.channel import Channel

CONNECT_SECONDS = 15
COMMAND_SECONDS = 120.0
PROBE_SECONDS = 120.0

COPY_BYTES_PER_SECOND = 50_000
"""Slower than any working network: a copy that takes longer hangs."""

OPTIONS = (
    *("-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"),
    # Notice within a minute that a board lost its power.
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)

DIRECTORY = "${XDG_CACHE_HOME:-$HOME/.cache}/edgeeff"
"""On the board, in the words of its shell: models stay there, work directories do not."""

CHECK = (
    "import sys; print('python', *sys.version_info[:2]); "
    "import edgeeff.worker.serve, edgeeff; print('edgeeff', edgeeff.__version__)"
)

REFUSALS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "{name} shows another host key than the one that is known",
        "a new system on the board? ssh-keygen -R '{known}', then ssh {login} and compare the key",
    ),
    (
        "Host key verification failed",
        "the host key of {name} is not known here",
        "connect once by hand and compare the fingerprint: ssh {login}",
    ),
    (
        "Permission denied",
        "{name} does not let this user in with a key",
        "copy a key to it: ssh-copy-id {login} (edgeeff never asks for passwords)",
    ),
    (
        "Connection refused",
        "nothing listens for ssh on {name}",
        "turn on its ssh server: sudo systemctl enable --now ssh; another port: ssh://user@host:PORT",
    ),
    (
        "Could not resolve hostname",
        "there is no host called {host}",
        "check the name; boards in the local network are often called NAME.local",
    ),
    (
        "Connection timed out",
        "{name} does not answer",
        "is it on, and in the same network? ping {host}",
    ),
    ("No route to host", "{name} cannot be reached", "is it on, and in the same network?"),
    (
        "Connection closed",
        "{name} closed the connection",
        "its log says why: journalctl -u ssh",
    ),
)
"""What ssh prints when it cannot connect, what that means and what to do."""


@dataclass(frozen=True)
class Address:
    """``ssh://[user@]host[:port][/path/of/python]``, taken apart."""

    host: str
    user: str = ""
    port: int | None = None
    python: str = "python3"

    @property
    def name(self) -> str:
        """Without the Python: what identifies the board in results."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"ssh://{user}{host}" + (f":{self.port}" if self.port else "")

    @property
    def login(self) -> list[str]:
        """The arguments of ssh that name the board."""
        port = ["-p", str(self.port)] if self.port else []
        return [*port, f"{self.user}@{self.host}" if self.user else self.host]


def parse_address(text: str) -> Address:
    """Take an address apart. Raises ``UsageError`` that shows one."""
    example = "such as ssh://pi@raspberrypi.local or ssh://pi@10.0.0.7:2222/home/pi/venv/bin/python"
    try:
        parts = urlsplit(text)
        host, port, user = parts.hostname or "", parts.port, parts.username or ""
    except ValueError as error:
        raise UsageError(f"{text!r} is no address: {error}", example) from error
    extra = parts.password or parts.query or parts.fragment
    # ssh would take a leading "-" for an option.
    if parts.scheme != "ssh" or not host or extra or host[0] == "-" or user.startswith("-"):
        raise UsageError(f"{text!r} is no address of a board", example)
    python = parts.path if parts.path not in ("", "/") else "python3"
    return Address(host, user, port, python)


@dataclass(frozen=True)
class _Ended:
    status: int
    output: str
    errors: str


class Board:
    """A machine reached through ssh."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.name = address.name
        self._pictures = ""

    def probe(self, target: str) -> TargetStatus:
        """Ask a worker there; one that crashes or hangs makes the target unavailable."""
        try:
            with self._worker(target, PROBE_SECONDS) as channel:
                return TargetStatus.from_json(channel.ask("probe", target=target))
        except TargetUnavailable as error:
            return TargetStatus(target, "unavailable", reason=error.message, fix=error.hint)

    def machine(self) -> dict[str, Any]:
        """The board now, as its worker reads it; all ``None`` if it went away meanwhile."""
        try:
            with self._worker("cpu", PROBE_SECONDS) as channel:
                found: dict[str, Any] = channel.ask("machine")
        except TargetUnavailable:
            return dict.fromkeys(STEADY | MOVING)
        return found

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """Boards are always ready; what slowed them is in the environment record."""
        return ()

    @contextlib.contextmanager
    def bench(self, model: Path, target: str, plan: Plan) -> Iterator[WorkerBench]:
        """A worker on the board, with the model copied there unless it is there already."""
        path = self._copy(read_bytes(model))
        with self._worker(target, plan.timeout) as channel:
            yield WorkerBench(channel, path, target, plan, model, self._carry)

    def forget(self, content: bytes) -> None:
        """Take the copy of a model away. Raises ``TargetUnavailable``."""
        self._script(f"rm -f {shlex.quote(self._place(content))}")

    def interrupt(self) -> None:
        """Never needed: it is used alone, in the main thread."""

    def close(self) -> None:
        """Take the pictures away; models stay for the next time, workers clean up themselves."""
        if self._pictures:
            with contextlib.suppress(TargetUnavailable):
                self._script(f"rm -rf {shlex.quote(self._pictures)}")
            self._pictures = ""

    @cached_property
    def home(self) -> str:
        """The directory for edgeeff on the board, made, with the software there checked.

        Raises:
            TargetUnavailable: cannot connect, no Python, no edgeeff, or not this version.
        """
        home = self._script(f'mkdir -p "{DIRECTORY}/models" && cd "{DIRECTORY}" && pwd')
        if home.status:
            raise TargetUnavailable(
                f"cannot make a directory on {self.name}: {_last(home.errors)}",
                "is its disk full or read-only?",
            )
        self._check_software()
        return home.output.strip().splitlines()[-1]

    def _check_software(self) -> None:
        python = self.address.python
        answer = self._script(shlex.join([python, "-c", CHECK]))
        version = re.search(r"^python (\d+) (\d+)$", answer.output, re.MULTILINE)
        found = re.search(r"^edgeeff (\S+)$", answer.output, re.MULTILINE)
        install = (
            "copy edgeeff's wheel there (in a checkout pip wheel --no-deps . makes it); on the "
            "board: python3 -m venv ~/edgeeff && ~/edgeeff/bin/pip install "
            f"edgeeff-{__version__}-py3-none-any.whl; then --device "
            f"{self.name}/HOME/edgeeff/bin/python "
            "with its home directory as HOME"
        )
        if version is None:
            raise TargetUnavailable(
                f"{python} does not run on {self.name}: {_last(answer.errors)}",
                f"install Python 3.10 or newer, or give its path: {self.name}/path/of/python3",
            )
        if (int(version[1]), int(version[2])) < (3, 10):
            raise TargetUnavailable(
                f"{self.name} has Python {version[1]}.{version[2]}; edgeeff needs 3.10",
                f"install a newer one and give its path: {self.name}/path/of/python3",
            )
        if found is None:
            raise TargetUnavailable(
                f"edgeeff cannot be used on {self.name}: {_last(answer.errors)}", install
            )
        if found[1] != __version__:
            raise TargetUnavailable(
                f"{self.name} has edgeeff {found[1]}, here it is {__version__}", install
            )

    def _place(self, content: bytes) -> str:
        return f"{self.home}/models/{hashlib.sha256(content).hexdigest()}.tflite"

    def _copy(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._place(content)
        quoted = shlex.quote(path)
        there = self._script(f"sha256sum {quoted} 2>/dev/null").output
        if there.startswith(digest):
            return path
        part = shlex.quote(f"{path}.{secrets.token_hex(4)}")
        # The sum is compared there, before the file gets its name.
        script = (
            f"trap 'rm -f {part}' EXIT HUP INT TERM; cat > {part} && "
            f"sha256sum {part} | grep -q ^{digest} && mv -f {part} {quoted}"
        )
        answer = self._send(script, content)
        if answer.status:
            raise self._not_arrived("the model", answer)
        return path

    def _carry(self, paths: Sequence[Path]) -> list[str]:
        """Copy pictures that are not there yet; their paths there, in order."""
        self._pictures = self._pictures or f"{self.home}/pictures-{secrets.token_hex(6)}"
        folder, names = self._pictures, [name_of(path) for path in paths]
        enter = f"mkdir -p {shlex.quote(folder)} && cd {shlex.quote(folder)}"
        sums = "{ sha256sum * 2>/dev/null || true; }"
        there = whole(self._script(f"{enter} && {sums}").output)
        pictures = dict(zip(names, paths, strict=True))
        missing = {name: path for name, path in pictures.items() if name not in there}
        if missing:
            answer = self._send(f"{enter} && tar -xf - && {sums}", archive(missing))
            if answer.status or not whole(answer.output) >= missing.keys():
                raise self._not_arrived("the pictures", answer)
        return [f"{folder}/{name}" for name in names]

    def _send(self, script: str, content: bytes) -> _Ended:
        timeout = COMMAND_SECONDS + len(content) / COPY_BYTES_PER_SECOND
        return self._script(script, content, timeout)

    def _not_arrived(self, what: str, answer: _Ended) -> TargetUnavailable:
        if "No space left" in answer.errors:
            return TargetUnavailable(
                f"the disk of {self.name} is full: no room for {what}",
                f"free some space; earlier models are in {self.home}/models",
            )
        return TargetUnavailable(
            f"{what} did not arrive whole on {self.name}: {_last(answer.errors)}",
            "check the connection and try again",
        )

    @contextlib.contextmanager
    def _worker(self, target: str, timeout: float) -> Iterator[Channel]:
        """A worker there; afterwards it does not run, even if it hung or we are interrupted."""
        pid = f"{self.home}/worker-{secrets.token_hex(6)}.pid"
        quoted = shlex.quote(pid)
        python = shlex.quote(self.address.python)
        # exec keeps the number of the process that must be ended.
        script = f"echo $$ > {quoted} && exec {python} -m edgeeff.worker"
        try:
            with Channel(
                self._command(script),
                name=f"the {target} target on {self.name}",
                timeout=timeout,
                crash_hint=crash_hint(target),
            ) as channel:
                yield channel
        finally:
            # The number may belong to another program by now: only a worker is ended.
            ours = "grep -q edgeeff.worker /proc/$p/cmdline 2>/dev/null"
            with contextlib.suppress(TargetUnavailable):
                self._script(f"p=$(cat {quoted}); {ours} && kill -9 $p; rm -f {quoted}")

    def _command(self, script: str) -> list[str]:
        # The login shell may be any; what it is given is one quoted word.
        return ["ssh", *OPTIONS, *self.address.login, "--", f"exec sh -c {shlex.quote(script)}"]

    def _script(
        self, script: str, content: bytes = b"", timeout: float = COMMAND_SECONDS
    ) -> _Ended:
        """Run a line of shell there, with ``content`` on its standard input."""
        try:
            status, *printed = _printed(self._command(script), content, timeout)
        except FileNotFoundError as error:
            raise TargetUnavailable(
                "ssh is not on PATH", "install it (Debian and Ubuntu: openssh-client)"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise TargetUnavailable(
                f"{self.name} did not finish in {timeout:.0f} s", "is it overloaded?"
            ) from error
        output, errors = (text.decode("utf-8", "replace") for text in printed)
        if status == 255:
            raise self._refused(errors)
        return _Ended(status, output, errors)

    def _refused(self, errors: str) -> TargetUnavailable:
        address = self.address
        known = f"[{address.host}]:{address.port}" if address.port else address.host
        words = {
            "name": self.name,
            "host": address.host,
            "login": shlex.join(address.login),
            "known": known,
        }
        for printed, message, hint in REFUSALS:
            if printed in errors:
                return TargetUnavailable(message.format(**words), hint.format(**words))
        return TargetUnavailable(
            f"cannot connect to {self.name}: {_last(errors)}", f"try: ssh {words['login']}"
        )


def _printed(command: list[str], content: bytes, timeout: float) -> tuple[int, bytes, bytes]:
    """How a program ended, and what it printed; it does not outlive this call."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            output, errors = communicate(process, content, timeout=timeout)
        except BaseException:
            process.kill()
            raise
        return process.returncode, output, errors


def connect(address: str) -> list[Board]:
    """The board of an address; the connection is tried at once.

    Raises:
        UsageError: not such an address.
        TargetUnavailable: cannot connect, or edgeeff is not there.
    """
    board = Board(parse_address(address))
    _ = board.home
    return [board]


def _last(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
