"""What comes from anywhere does not steer the terminal, and streams that fail are told of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeeff import cli
from edgeeff.cli.terminal import Terminal
from edgeeff.control_characters import STEERING
from edgeeff.errors import InputError
from tests.commands import said
from tests.tflite import tiny

STEERS = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.\r"
"""Clears the screen, names the window, colours, turns the direction of text, goes back."""

NAME = f"a{STEERS}b"

TEMPORARY = ".edgeeff-012345672d803af5"
"""A name that a run could have made up."""


def steering(text: str) -> list[str]:
    return [char for char in text if ord(char) in STEERING and char != "\n"]


def edgeeff(*words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edgeeff", *words]
    return subprocess.run(command, check=False, **{"capture_output": True, **options})


def said_by(terminal: Terminal) -> None:
    terminal.say(NAME)
    terminal.warn(NAME)
    terminal.table([NAME, ">count"], [[NAME, NAME]], title=NAME)
    terminal.pairs([(NAME, NAME)], title=NAME)
    terminal.command(NAME, NAME)


@pytest.mark.parametrize("json", [False, True])
def test_nothing_that_a_command_says_steers_the_terminal(json, capsys):
    said_by(Terminal(json=json))
    said = capsys.readouterr()
    assert not steering(said.out + said.err)
    assert "\\x1b[2J" in said.out + said.err


def fails_with(error: Exception, words: list[str], monkeypatch) -> int:
    def command(**options):
        raise error

    monkeypatch.setattr(cli.edgeeff, "main", command)
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    return int(left.value.code)


@pytest.mark.parametrize("error", [InputError(NAME, NAME), ValueError(NAME)])
@pytest.mark.parametrize("words", [[], ["-v"], ["--json"]])
def test_no_error_steers_the_terminal(error, words, monkeypatch, capsys):
    fails_with(error, words, monkeypatch)
    said = capsys.readouterr()
    assert not steering(said.out + said.err)
    assert "error: " in said.err


def test_a_message_cannot_forge_another_one(monkeypatch, capsys):
    fails_with(InputError("a\nerror: forged"), [], monkeypatch)
    assert capsys.readouterr().err.splitlines() == ["error: a", "    error: forged"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (OSError(36, "File name too long", "x"), 2, "x: File name too long"),
        (PermissionError(13, "Permission denied", "x"), 2, "x: Permission denied"),
        (OSError(28, "No space left on device"), 2, "cannot write: No space left on device"),
        (OSError(28, "No space left on device", f"out/{TEMPORARY}/new/x"), 2, "out: No space left"),
        (OSError(122, "Disk quota exceeded"), 2, "cannot write: Disk quota exceeded"),
        (MemoryError(), 1, "not enough memory"),
        (OSError(5, "Input/output error"), 1, "unexpected OSError"),
    ],
    ids=["long name", "permission", "full", "full while temporary", "quota", "memory", "other"],
)
def test_what_the_system_does_to_any_program_is_no_bug(error, status, words, monkeypatch, capsys):
    monkeypatch.setattr(cli, "discard", lambda stream: None)
    assert fails_with(error, [], monkeypatch) == status
    said = capsys.readouterr().err
    assert said.startswith(f"error: {words}")
    assert ("bug" in said) == ("unexpected" in words)


def test_without_a_command_the_help_is_shown_and_no_error(capsys):
    status, out, err = said(capsys)
    assert (status, err) == (0, "")
    assert "edgeeff convert --variant lite0 --int8" in out


def test_an_interrupt_that_a_native_import_made_another_error_is_one(monkeypatch, capsys):
    error = ImportError("initialization failed")
    error.__cause__ = KeyboardInterrupt()
    assert fails_with(error, [], monkeypatch) == 130
    assert capsys.readouterr().err.startswith("error: interrupted\n")


def test_names_in_a_model_do_not_steer(tmp_path: Path):
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "m.tflite").write_bytes(tiny.INT8.read_bytes())
    done = edgeeff("inspect", str(folder / "m.tflite"), "--tensors")
    assert done.returncode == 0
    assert not steering((done.stdout + done.stderr).decode())


def test_a_name_that_is_no_text_is_told_with_v(tmp_path: Path):
    done = edgeeff("inspect", os.fsdecode(b"\xff\xfe.tflite"), "-v", cwd=tmp_path)
    assert done.returncode == 2
    assert b"\\udcff\\udcfe.tflite: No such file" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("words", [["variants"], ["variants", "--json"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_told(words):
    with open("/dev/full", "w") as full:
        done = edgeeff(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_a_full_disk_behind_standard_error_keeps_the_status():
    with open("/dev/full", "w") as full:
        done = edgeeff("inspect", "absent.tflite", capture_output=False, stderr=full)
    assert done.returncode == 2


def test_a_reader_that_has_left_ends_us_as_it_ends_other_programs():
    read, write = os.pipe()
    os.close(read)
    done = edgeeff("variants", capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("words", "closed", "status"),
    [
        ("variants", "<&-", 0),
        ("variants", "2>&-", 0),
        ("variants", ">&-", 2),
        ("variants", "<&- >&- 2>&-", 2),
        ("variants -q", ">&-", 0),
        ("--version", ">&-", 2),
    ],
)
def test_a_closed_stream_is_an_error_where_output_is_lost(words, closed, status):
    line = f'"{sys.executable}" -m edgeeff {words} {closed}'
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
    assert done.returncode == status
    assert done.stderr.startswith(b"error: cannot write") == (status == 2 and closed == ">&-")
