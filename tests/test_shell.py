"""Commands that a user is told to type are those of a shell, whatever the files are called."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.control_characters import printable
from edgeeff.errors import EdgeeffError
from edgeeff.fitting.search.first_weights import FirstWeights
from edgeeff.prediction.edgetpu_compiler import find_compiler
from edgeeff.prediction.edgetpu_model import require_compiled
from edgeeff.progress import Progress
from edgeeff.reporting.report import report
from edgeeff.shell import quoted, word
from edgeeff.tflite.reader import read_model
from edgeeff.training import runs
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.train import train
from tests.tflite import tiny


@pytest.mark.parametrize("name", ["plain.zip", "ö b.zip", "-x", "it's"])
def test_a_path_is_one_word_of_a_shell_and_no_option(name: str) -> None:
    (found,) = shlex.split(word(Path(name)))
    assert Path(found) == Path(name)
    assert not found.startswith("-")


ODD_NAMES = ["r\x1b[31m", "a\nb\tc", "it's\\x1b \x07", "\x85e", "\u202ee", "\udcffa é"]
"""With characters that a terminal is never sent as they are."""


def test_an_escape_is_a_word_of_bash() -> None:
    assert word(Path("r\x1b[31m")) == r"$'r\x1b[31m'"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_shown_word_is_the_name_to_a_shell(name: str) -> None:
    shown = quoted(name)
    assert printable(shown) == shown
    said = subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True)
    assert said.stdout == os.fsencode(name)


def a_run(folder: Path) -> Path:
    folder.mkdir()
    (folder / runs.DOCUMENT).touch()
    return folder


def not_compiled(path: Path) -> None:
    path.write_bytes(tiny.INT8.read_bytes())
    require_compiled(read_model(path))


def a_folder_for_a_report(path: Path) -> None:
    path.mkdir()
    report(path, output=path)


def no_program(path: Path) -> None:
    path.touch()
    find_compiler(path)


SETTINGS = TrainingSettings(variant="lite0", data=Path("pictures"))

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a run in the way": (lambda path: train(SETTINGS, a_run(path)), ""),
    "a run for a search": (
        lambda path: FirstWeights(find_variant("b0"), str(a_run(path)), 0, Progress()),
        f"/{runs.BEST}",
    ),
    "a model that is not compiled": (not_compiled, ""),
    "a folder for a report": (a_folder_for_a_report, "/report.html"),
    "a file for a program": (no_program, ""),
}
"""What fails at a path, and what the command in its hint has behind that."""


@pytest.mark.parametrize(
    "name", ["two words", "it's", "r\x1b[31m"], ids=["space", "quote", "escape"]
)
@pytest.mark.parametrize(("fails", "behind"), FAULTS.values(), ids=FAULTS.keys())
def test_the_command_in_a_hint_is_one_to_copy(fails, behind: str, name: str, tmp_path: Path):
    with pytest.raises(EdgeeffError) as raised:
        fails(tmp_path / name)
    assert quoted(f"{tmp_path / name}{behind}") in raised.value.hint
