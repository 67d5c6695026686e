"""What ``edgeeff train`` says of a training that was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeeff.training import runs
from tests.commands import said


@pytest.mark.parametrize("after", [(), ("--qat",), ("--qat", "--qat-steps", "20")])
def test_the_line_that_goes_on_has_what_was_to_come_after(
    after: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(settings: object, output: Path, **options: object) -> None:
        (output / runs.STATE).write_bytes(b"of the first epoch")
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeeff.training.train.train", interrupted)
    words = ("train", "--dataset", "digits", "--output", tmp_path)
    status, _, errors = said(capsys, *words, *after)
    assert status == 130
    again = " ".join(("edgeeff train --resume", str(tmp_path), *after))
    assert f"note: {again} goes on" in " ".join(errors.split())
