from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from edgeeff.cli import COMMANDS, edgeeff
from edgeeff.cli.command import Command
from tests.commands import assert_one_error
from tests.tflite import tiny


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_looks_at_its_options(name: str) -> None:
    assert isinstance(edgeeff.get_command(click.Context(edgeeff), name), Command)


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "absent.tflite", "--check", "gpu", "--check", "edgetpu"],
        ["evaluate", "absent.tflite", "--data", "a", "--data=b"],
        ["convert", "--variant", "b0", "--variant", "b0"],
    ],
)
def test_an_option_that_comes_twice_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    option = next(word for word in words if word.startswith("--"))
    assert_one_error(capsys, 2, f"error: {option} comes twice", *words)


@pytest.mark.parametrize("words", [["convert", "--variant"], ["quantize", "x.tflite", "--mean"]])
def test_an_option_without_its_value_names_the_help_of_its_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(capsys, 2, f"edgeeff {words[0]} --help shows its options", *words)


def test_an_option_that_may_come_twice_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("report", "absent", "--pictures", "a", "--pictures", "b", "-q", "-q")
    assert_one_error(capsys, 2, "a is not a folder", *words)


def test_a_shell_completes_a_line_that_would_be_refused() -> None:
    shell = ShellComplete(edgeeff, {}, "edgeeff", "_EDGEEFF_COMPLETE")
    offered = shell.get_completions(["inspect", "--check", "gpu", "--check", "gpu"], "--pl")
    assert [item.value for item in offered] == ["--plot"]


def test_an_option_of_other_commands_is_said_to_be_theirs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = "it goes with train, fit, convert;"
    assert_one_error(capsys, 2, words, "quantize", "float.tflite", "--resolution", "96")


def test_a_misspelt_option_is_likened_to_those_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert_one_error(capsys, 2, "--resize", "quantize", "float.tflite", "--resise", "squash")


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "--variant", "b0"],
        ["convert", "--model", "own.keras"],
        ["quantize", tiny.FLOAT32],
        ["bundle", tiny.INT8],
        ["compile", tiny.INT8, "--compiler", "/bin/true"],
        ["train", "--dataset", "digits"],
        ["fit", "--max-bytes", "1000000"],
    ],
    ids=lambda words: str(words[0]),
)
def test_a_files_name_for_the_folder_of_results_is_refused_before_the_work(
    words: list[object],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.keras").write_bytes(b"PK")
    words = [*words, "--output", "model.tflite"]
    assert_one_error(capsys, 2, "--output model.tflite names a file, not a folder", *words)
    assert not Path("model.tflite").exists()
