"""What is said, and what a quiet caller still hears."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgeeff import cli
from edgeeff.cli.terminal import Terminal

NOTE = r'f?"note: '


@pytest.mark.parametrize(
    ("quiet", "told"), [(False, "note: a\nwarning: b\n"), (True, "warning: b\n")]
)
def test_of_notes_and_warnings_a_quiet_caller_hears_the_warnings(
    quiet: bool, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(quiet=quiet)
    terminal.note("a")
    terminal.warn("warning: b")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", told)


def test_no_command_prints_a_note_of_its_own() -> None:
    """By ``warn`` it would reach a quiet caller."""
    folder = Path(cli.__file__).parent
    assert [path.name for path in folder.glob("*.py") if re.search(NOTE, path.read_text())] == [
        "terminal.py"
    ]
