"""Ctrl-C ends every command with status 130."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def made_another_error(name: str) -> str:
    """A signal that meets native code, as TensorFlow's when it traces a step of a training."""
    return (
        "import os, signal\n"
        "    try:\n"
        f"        os.kill(os.getpid(), signal.{name})\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    raise RuntimeError('MISMATCH of original and normalized active exception types')"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "raise KeyboardInterrupt",
        "exec('raise KeyboardInterrupt')",
        made_another_error("SIGINT"),
        made_another_error("SIGTERM"),
    ],
)
def test_the_status_is_ours_whatever_was_interrupted(statement, tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "from edgeeff import cli\n"
        "def recipes(**options):\n"
        f"    {statement}\n"
        "cli.edgeeff.main = recipes\n"
        "cli.main()\n"
    )
    # A module run with -m, as `python -m edgeeff` is: only there Python overrides the status.
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert ended.stderr.startswith("error: interrupted\n")
