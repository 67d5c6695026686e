"""Headless Chromium, driven over the pipe of its DevTools protocol: nothing to install."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECONDS = 90.0
"""For one answer, on a busy machine."""

COMMAND = (
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)


@dataclass
class Page:
    """A page that is open.

    Attributes:
        errors: what the console got as an error or a warning, and exceptions.
        requests: addresses that the page asked for.
    """

    into: int
    out: int
    session: str = ""
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, **words: Any) -> dict[str, Any]:
        """Send a command of the protocol and wait for its answer."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": words}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def wait(self, event: str) -> None:
        """Until the page tells of an event."""
        while not any(seen["method"] == event for seen in self._events):
            self._message()
        self._events.clear()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page, awaited if it is a promise."""
        done = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def open(self, path: Path) -> None:
        """Load a file and wait until it is whole."""
        self._events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        self.wait("Page.loadEventFired")

    def size(self, width: int, height: int) -> None:
        """Make the window so large, as a phone where it is narrow."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def media(self, scheme: str, kind: str = "screen") -> None:
        """Prefer ``light`` or ``dark``; ``kind`` may be ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=kind, features=features)

    def picture(self, path: Path, height: int | None = None) -> None:
        """Save what the page looks like, all of it or so many pixels from its top."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "scale": 1}
        clip["height"] = min(height or size["height"], size["height"])
        shot = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _message(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.out], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            came = os.read(self.out, 1 << 16)
            assert came, "Chromium has ended"
            self._rest += came
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, event: str, words: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(str(words["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and words["type"] in ("error", "warning"):
            self.errors.append(str(words["args"]))
        elif event == "Log.entryAdded" and words["entry"]["level"] in ("error", "warning"):
            self.errors.append(words["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(words["request"]["url"])


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A running Chromium with one empty page; skips the test where there is none."""
    needs("chromium")
    (theirs_in, into), (out, theirs_out) = os.pipe(), os.pipe()
    words = [*COMMAND, f"--user-data-dir={profile}", "about:blank"]
    # The protocol's pipe is file descriptors 3 and 4.
    script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    started = subprocess.Popen(
        ["bash", "-c", script, "bash", *words],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield _attached(Page(into, out))
    finally:
        started.kill()
        started.wait()
        os.close(into)
        os.close(out)


def _attached(page: Page) -> Page:
    """The page with everything on that tells what happens in it."""
    targets: list[dict[str, Any]] = []
    while not targets:
        found = page.ask("Target.getTargets")["targetInfos"]
        targets = [target for target in found if target["type"] == "page"]
    answer = page.ask("Target.attachToTarget", targetId=targets[0]["targetId"], flatten=True)
    page.session = answer["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network"):
        page.ask(f"{domain}.enable")
    return page


def needs(*programs: str) -> None:
    """Skip the test unless Debian's programs of these names are there."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs Debian's chromium, and npm; missing: {missing}")


def npm(package: str, folder: Path) -> Path:
    """The ``node_modules`` with a package, installed into a folder; skips the test if not."""
    needs("npm")
    install = ["npm", "install", "--silent", "--prefix", str(folder), package]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{package} cannot be installed: {done.stderr.strip()[-200:]}")
    return folder / "node_modules"
