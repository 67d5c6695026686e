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


def stopped(folder: Path, epochs: int) -> None:
    """A run of five epochs as it is after some of them."""
    add_run(folder.parent, folder.name)
    run = read_run(folder)
    left = replace(run, epochs=run.epochs[:epochs], finished=False)
    (folder / runs.DOCUMENT).write_text(left.document(), "utf-8")


SAVED = "stopped: 2 of 5 epochs are saved in {0} (the best, 2, names 70.00% of val right): "
NONE = "stopped in the first epoch, nothing of it is saved: "


@pytest.mark.parametrize(
    ("epochs", "note"), [(2, SAVED + "{1} goes on"), (0, NONE + "{1} begins it anew")]
)
@pytest.mark.parametrize("after", [(), ("--qat",), ("--qat", "--qat-steps", "20")])
def test_an_interrupted_run_says_what_is_saved_and_the_whole_line_that_goes_on(
    after: tuple[str, ...],
    epochs: int,
    note: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(settings: object, output: Path, **options: object) -> None:
        stopped(output, epochs)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeeff.training.train.train", interrupted)
    words = ("train", "--dataset", "digits", "--output", tmp_path / "run")
    status, _, errors = said(capsys, *words, *after)
    assert status == 130
    again = " ".join(("edgeeff train --resume", str(tmp_path / "run"), *after))
    assert f"note: {note.format(tmp_path / 'run', again)} error" in " ".join(errors.split())


@pytest.mark.parametrize("former", [False, True], ids=["no run", "another run"])
def test_a_run_that_had_not_begun_says_so_and_nothing_of_the_one_that_is_there(
    former: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(settings: object, output: Path, **options: object) -> None:
        raise KeyboardInterrupt

    if former:
        stopped(tmp_path / "run", 2)
    monkeypatch.setattr("edgeeff.training.train.train", interrupted)
    words = ("train", "--dataset", "digits", "--output", tmp_path / "run", "--force")
    status, _, errors = said(capsys, *words)
    assert status == 130
    assert "note: stopped before the training began: nothing of it is saved\n" in errors


def test_a_run_that_goes_on_says_what_was_saved_before_if_it_is_stopped_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    stopped(tmp_path / "run", 2)
    monkeypatch.setattr("edgeeff.training.train.resume_training", interrupted)
    status, _, errors = said(capsys, "train", "--resume", tmp_path / "run")
    assert status == 130
    assert f"note: {SAVED.format(tmp_path / 'run')}" in " ".join(errors.split()) + " "


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
