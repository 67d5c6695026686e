"""Ctrl-C ends every command with status 130."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AS_INSTALLED = "from edgeeff.__main__ import main; main()"
"""What the script does that pip makes."""


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


IN_A_DESTRUCTOR = """class Made:
        def __del__(self):
            os.kill(os.getpid(), signal.{})
    import os, signal, time
    Made()
    time.sleep(60)"""
"""Python drops what a destructor raises; the command went on."""


@pytest.mark.parametrize(
    "statement",
    [
        "raise KeyboardInterrupt",
        "exec('raise KeyboardInterrupt')",
        made_another_error("SIGINT"),
        made_another_error("SIGTERM"),
        IN_A_DESTRUCTOR.format("SIGINT"),
        IN_A_DESTRUCTOR.format("SIGTERM"),
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


@pytest.mark.parametrize("started", [["-m", "edgeeff"], ["-c", AS_INSTALLED]])
def test_an_end_while_it_is_being_imported_is_quiet(started, tmp_path):
    (tmp_path / "click.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    ended = subprocess.run(
        [sys.executable, *started],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (130, b"")
