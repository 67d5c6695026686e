"""The ``adb`` program: which phones are there, and running and copying on one of them."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edgeeff.devices.stop import Stop
from edgeeff.errors import TargetUnavailable

SHORT = 60.0
"""Seconds a small command on a phone may take."""

PUSH_BYTES_PER_SECOND = 100_000
"""Slower than any working cable or network: a copy that takes longer hangs."""

STATES = {
    "unauthorized": (
        "has not allowed this computer to use it",
        "unlock it and accept 'Allow USB debugging?'; "
        "no question on its screen: revoke USB debugging authorisations there and reconnect",
    ),
    "offline": (
        "does not answer",
        "reconnect the cable or run 'adb reconnect offline'; after a restart wait for it to boot",
    ),
    "authorizing": ("is still being authorised", "wait a moment and try again"),
    "connecting": ("is still being connected", "wait a moment and try again"),
    "no permissions": (
        "may not be opened by this user",
        "install the udev rules for Android (Debian: android-udev-rules) and reconnect it",
    ),
    "recovery": ("is in recovery mode", "restart it into Android: adb reboot"),
    "sideload": ("is in sideload mode", "restart it into Android: adb reboot"),
    "bootloader": ("is in its bootloader", "restart it into Android: fastboot reboot"),
}
"""State of ``adb devices`` to what is wrong and what to do; ``device`` is the good one."""

LOST = re.compile(
    r"^(?:adb: |error: )+(?P<why>device '.*' not found|device offline|device unauthorized"
    r"|device still (?:authorizing|connecting)|no devices/emulators found|closed"
    r"|protocol fault.*|failed to get feature set.*|cannot connect to daemon.*)",
    re.MULTILINE,
)
"""What the ``adb`` client itself prints, as opposed to a program on the phone."""


@dataclass(frozen=True)
class Phone:
    """One line of ``adb devices``: serial (or host:port), state, model (may be empty)."""

    serial: str
    state: str
    model: str = ""

    def require_ready(self) -> None:
        """Raise ``TargetUnavailable`` unless commands can be run on it."""
        if self.state == "device":
            return
        problem, fix = STATES.get(
            self.state, (f"is in state {self.state!r}", "adb devices -l shows it")
        )
        raise TargetUnavailable(f"phone {self.serial} {problem}", fix)


@dataclass(frozen=True)
class Answer:
    """What a command on a phone came to: exit status, standard output and error."""

    status: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """The last line that says something, for a message."""
        lines = [line.strip() for line in (self.errors or self.output).splitlines()]
        return next((line for line in reversed(lines) if line), f"exit status {self.status}")


def program() -> str:
    """The path of ``adb``. Raises ``TargetUnavailable`` that says how to get it."""
    found = shutil.which("adb")
    if found is None:
        raise TargetUnavailable(
            "adb is not on PATH", "install Android's platform-tools (Debian and Ubuntu: adb)"
        )
    return found


def phones() -> tuple[Phone, ...]:
    """The phones ``adb`` sees, ready or not. Raises ``TargetUnavailable``."""
    restart = "adb kill-server, then adb devices"
    try:
        answer = _run([program(), "devices", "-l"], SHORT, Stop())
    except subprocess.TimeoutExpired as error:
        raise TargetUnavailable(f"adb does not answer within {SHORT:.0f} s", restart) from error
    if answer.status:
        raise TargetUnavailable(f"adb does not work: {answer.reason}", restart)
    return parse_devices(answer.output)


def parse_devices(text: str) -> tuple[Phone, ...]:
    """Read the output of ``adb devices -l``."""
    found = []
    for line in text.partition("List of devices attached")[2].splitlines():
        serial, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if not serial or not rest:
            continue
        state = "no permissions" if rest.startswith("no permissions") else rest.split()[0]
        model = re.search(r"\bmodel:(\S+)", rest)
        found.append(Phone(serial, state, model.group(1) if model else ""))
    return tuple(found)


def choose(found: Sequence[Phone], serial: str = "") -> tuple[Phone, ...]:
    """The phones meant by ``android``, ``android:SERIAL`` or ``android:all``.

    Args:
        found: what ``phones`` gave.
        serial: ``""`` (the only one), ``"all"`` or a serial number.

    Returns:
        At least one phone; with ``all`` also those that are not ready, by serial number.

    Raises:
        TargetUnavailable: none is connected, that one is not, several and none was named.
    """
    if not found:
        raise TargetUnavailable(
            "no phone is connected",
            "turn on USB debugging (Settings, Developer options) and connect one; "
            "adb devices must list it",
        )
    names = ", ".join(phone.serial for phone in found)
    if serial == "all":
        return tuple(sorted(found, key=lambda phone: phone.serial))
    if serial:
        chosen = [phone for phone in found if phone.serial == serial]
        if not chosen:
            raise TargetUnavailable(f"phone {serial} is not connected", f"connected: {names}")
        return tuple(chosen)
    ready = [phone for phone in found if phone.state == "device"]
    if len(found) > 1 and len(ready) != 1:
        raise TargetUnavailable(
            f"{len(found)} phones are connected and none was named: {names}",
            f"--device android:{found[0].serial}, or --device android:all for each of them",
        )
    return tuple(ready or found)


@dataclass(frozen=True)
class Adb:
    """One phone through ``adb -s SERIAL``; every failure is a ``TargetUnavailable``.

    Attributes:
        stop: ends from another thread what is being waited for; that raises
            ``KeyboardInterrupt`` here.
    """

    serial: str
    stop: Stop = field(default_factory=Stop, compare=False, repr=False)

    @property
    def cleaning(self) -> Adb:
        """The same phone for cleaning up, which goes on when the work is to end."""
        return Adb(self.serial)

    def attempt(self, words: Sequence[str], timeout: float = SHORT) -> Answer:
        """Run a program on the phone and say how it ended.

        Args:
            words: the program and its arguments, passed on as they are.
            timeout: seconds it may take.

        Raises:
            TargetUnavailable: the phone went away, or did not end in time.
        """
        return self.script(shlex.join(words), timeout)

    def script(self, text: str, timeout: float = SHORT) -> Answer:
        """Like ``attempt``, for a line of the phone's shell."""
        return self._client(["shell", "-n", text], timeout)

    def shell(self, words: Sequence[str], timeout: float = SHORT) -> str:
        """The standard output of a program that must succeed; else ``TargetUnavailable``."""
        answer = self.attempt(words, timeout)
        if answer.status:
            raise TargetUnavailable(
                f"{words[0]} failed on phone {self.serial}: {answer.reason}",
                f"try: adb -s {self.serial} shell {shlex.join(words)}",
            )
        return answer.output

    def sha256(self, path: PurePosixPath) -> str:
        """The SHA-256 of a file on the phone, ``""`` if there is none."""
        answer = self.attempt(["sha256sum", str(path)], timeout=300)
        if answer.status == 127:
            raise TargetUnavailable(
                f"phone {self.serial} has no sha256sum", "Android 7 or newer is needed"
            )
        return "" if answer.status else answer.output.split()[0]

    def push(self, content: bytes, path: PurePosixPath, *, executable: bool = False) -> bool:
        """Put a file on the phone, whole or not at all, unless the same bytes are there.

        Returns:
            Whether anything had to be copied.
        """
        wanted = hashlib.sha256(content).hexdigest()
        if self.sha256(path) == wanted:
            return False
        self.shell(["mkdir", "-p", str(path.parent)])
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            self._copy(content, temporary)
            if self.sha256(temporary) != wanted:
                raise TargetUnavailable(
                    f"{path.name} arrived damaged on phone {self.serial}", "check the cable"
                )
            self.shell(["chmod", "755" if executable else "644", str(temporary)])
            self.shell(["mv", "-f", str(temporary), str(path)])
        except BaseException:
            self.remove(temporary)
            raise
        return True

    def pull(self, path: PurePosixPath, to: Path) -> bytes:
        """Copy a file from the phone to ``to`` and return what is in it."""
        answer = self._client(["pull", str(path), str(to)], timeout=300)
        if answer.status:
            raise TargetUnavailable(
                f"cannot copy {path} from phone {self.serial}: {answer.reason}", "check the cable"
            )
        return to.read_bytes()

    def remove(self, path: PurePosixPath) -> None:
        """Delete a file or directory of ours, even if the work is to end.

        A phone that went away keeps it.
        """
        try:
            self.cleaning.attempt(["rm", "-rf", str(path)])
        except TargetUnavailable:
            return

    def _copy(self, content: bytes, to: PurePosixPath) -> None:
        with tempfile.NamedTemporaryFile(prefix="edgeeff-") as local:
            local.write(content)
            local.flush()
            timeout = SHORT + len(content) / PUSH_BYTES_PER_SECOND
            answer = self._client(["push", local.name, str(to)], timeout)
        if answer.status == 0:
            return
        if "No space left" in answer.errors + answer.output:
            raise TargetUnavailable(
                f"the storage of phone {self.serial} is full: no room for "
                f"{len(content) / 1e6:.1f} MB in {to.parent}",
                f"free some space; adb -s {self.serial} shell df -h {to.parent} shows how much",
            )
        raise TargetUnavailable(
            f"cannot copy to {to.parent} on phone {self.serial}: {answer.reason}",
            "is that directory writable for adb's shell?",
        )

    def _client(self, words: Sequence[str], timeout: float) -> Answer:
        try:
            answer = _run([program(), "-s", self.serial, *words], timeout, self.stop)
        except subprocess.TimeoutExpired as error:
            raise TargetUnavailable(
                f"phone {self.serial} did not finish 'adb {words[0]}' in {timeout:.0f} s",
                "is it asleep or overloaded? adb reconnect, then try again",
            ) from error
        lost = LOST.search(answer.errors) if answer.status else None
        if lost:
            raise TargetUnavailable(
                f"the connection to phone {self.serial} broke: {lost.group('why')}",
                "reconnect it; adb devices must list it as 'device'",
            )
        return answer


def _run(command: list[str], timeout: float, stop: Stop) -> Answer:
    done = stop.run(command, timeout)
    return Answer(done.returncode, done.stdout, done.stderr)
