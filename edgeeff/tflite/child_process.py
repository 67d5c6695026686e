"""Python processes that this one starts: how they find this edgeeff, and how they ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from edgeeff.tflite.messages import CHATTER


def environment() -> dict[str, str]:
    """The environment of this process, in which a child finds the same edgeeff."""
    root = Path(__file__).resolve().parents[2]
    if root.name in ("site-packages", "dist-packages"):
        return dict(os.environ)
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def signal_name(number: int) -> str:
    """Such as ``SIGSEGV``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(stderr: bytes) -> str:
    """The last line that a child printed of itself, behind a colon; empty if there is none."""
    lines = [line.strip() for line in stderr.splitlines() if not line.startswith(CHATTER)]
    said = [line.decode("utf-8", "replace") for line in lines if line]
    return f": {said[-1]}" if said else ""
