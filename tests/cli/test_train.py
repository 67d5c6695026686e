"""What ``edgeeff train`` says while it trains, and of a training that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.training import runs
from edgeeff.training.runs import Run, read_run
from tests.commands import said
from tests.reporting.folders import add_run


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


def test_an_integer_network_that_was_interrupted_is_begun_anew_by_a_line_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    add_run(tmp_path, "run")
    monkeypatch.setattr("edgeeff.pipeline.conversion.convert", interrupted)
    words = ("train", "--resume", tmp_path / "run", "--qat", "--qat-steps", "20")
    status, _, errors = said(capsys, *words)
    assert status == 130
    again = " ".join(("edgeeff", *map(str, words)))
    assert f"note: {again} begins the integer network anew" in " ".join(errors.split())


def test_what_the_user_must_be_told_is_told_once_with_the_first_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made_up(
        settings: object, output: Path, on_epoch: Callable[[Run, float], None], **options: object
    ) -> Run:
        add_run(tmp_path, "run", epochs=2)
        run = replace(read_run(output), notes=("the data is small",))
        on_epoch(replace(run, epochs=run.epochs[:1]), 60.0)
        assert "note: the data is small\n" in capsys.readouterr().err
        on_epoch(run, 0.0)
        return replace(run, notes=(*run.notes, "it guesses"))

    monkeypatch.setattr("edgeeff.training.train.train", made_up)
    words = ("train", "--dataset", "digits", "--output", tmp_path / "run")
    assert said(capsys, *words)[::2] == (0, "note: it guesses\n")
