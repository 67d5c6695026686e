"""A person with a browser, who uses the sample page of a bundle: headless Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DRIVE = Path(__file__).with_name("drive.html")

SWIFTSHADER = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
"""A WebGPU adapter that needs no GPU."""

SECONDS = 120.0


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and takes what the page found."""

    found: queue.Queue[bytes]

    def do_POST(self) -> None:
        self.found.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def used(
    bundle: Path,
    litertjs: Path,
    folder: Path,
    photos: Sequence[Path],
    *,
    check: bool = True,
    flags: Sequence[str] = SWIFTSHADER,
) -> dict[str, Any]:
    """Drop each picture on the page for each model, and press its button.

    Args:
        bundle: a folder; it is copied.
        litertjs: a ``node_modules`` with LiteRT.js.
        folder: to work in.
        photos: picture files.
        check: press the button that runs the golden vectors.
        flags: of Chromium.

    Returns:
        By model: ``answers``, by picture the ``classes`` it shows and the ``pixels`` that the
        network saw (RGBA in base64), and ``checks``.
    """
    site = Path(shutil.copytree(bundle, folder / "site"))
    (site / "samples/web/node_modules").symlink_to(litertjs)
    shutil.copy(DRIVE, site)
    (site / "photos").mkdir()
    for photo in photos:
        shutil.copy(photo, site / "photos")
    models = [model["file"] for model in json.loads((site / "bundle.json").read_text())["models"]]
    plan = {"photos": [photo.name for photo in photos], "models": models, "check": check}
    (site / "plan.json").write_text(json.dumps(plan))
    content = _posted(site, folder / "profile", flags)
    found: dict[str, Any] = json.loads(content)
    assert "failed" not in found, found["failed"]
    return found


def _posted(site: Path, profile: Path, flags: Sequence[str]) -> bytes:
    found: queue.Queue[bytes] = queue.Queue()
    handler = type("Server", (_Server,), {"found": found})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(site))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["chromium", "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *flags]
        address = f"http://127.0.0.1:{server.server_port}/drive.html"
        command = [*words, f"--user-data-dir={profile}", address]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return found.get(timeout=SECONDS)
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()
