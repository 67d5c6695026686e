"""The command line, run in the test's own process."""

from __future__ import annotations

import pytest

from edgeeff.cli import main


def run(*words: object) -> int:
    """The exit status of ``edgeeff WORDS``."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """The exit status of ``edgeeff WORDS``, its output and what is on standard error."""
    status = run(*words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def assert_one_error(
    capsys: pytest.CaptureFixture[str], status: int, words: str, *command: object
) -> None:
    """``edgeeff COMMAND`` ends with this status and in one error, which has these words."""
    ended, _, errors = said(capsys, *command)
    lines = errors.splitlines()
    assert ended == status
    assert words in " ".join(lines)
    assert sum(line.startswith("error:") for line in lines) == 1
