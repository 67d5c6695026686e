"""Tables and lists keep words whole at any width."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff import doctor
from edgeeff.cli import COMMANDS, main
from edgeeff.cli.layout import folded, pair_lines, table_lines, width_of, wrapped
from tests.commands import said

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
PROSE = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)
WIDTHS = st.integers(20, 200)


@given(PROSE, st.integers(30, 200))
def test_a_line_is_too_long_only_for_a_word(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert " ".join(lines) == text
    assert all(len(line) <= width for line in lines)


def test_a_word_that_is_longer_than_the_line_stays_whole() -> None:
    assert wrapped("at https://example.org/a/long/path ends", 12) == [
        "at https://example.org/a/long/path",
        "ends",
    ]


@given(st.lists(st.tuples(WORDS, WORDS, PROSE), min_size=1, max_size=5), WIDTHS)
def test_every_word_of_a_table_is_whole(rows: list[tuple[str, str, str]], width: int) -> None:
    text = "\n".join(table_lines(("name", ">figure", "for"), rows, width))
    shown = set(text.split())
    assert {word for row in rows for cell in row for word in cell.split()} <= shown


@given(st.lists(st.tuples(WORDS, WORDS, PROSE), min_size=1, max_size=5), st.integers(95, 200))
def test_a_table_is_no_wider_than_the_terminal(rows, width: int) -> None:
    assert all(len(line) <= width for line in table_lines(("name", ">figure", "for"), rows, width))


@given(st.lists(st.tuples(WORDS, PROSE), min_size=1, max_size=5))
def test_lines_have_no_spaces_at_their_ends(rows: list[tuple[str, str]]) -> None:
    for lines in (table_lines(("a", "b"), rows), pair_lines(rows), pair_lines(rows, 60)):
        assert [line for line in lines if line != line.rstrip()] == []


def test_columns_of_figures_are_aligned_to_the_right() -> None:
    assert table_lines(("name", ">MB"), [("a", "1.5"), ("b", "12.5")]) == [
        "name    MB",
        "──────────",
        "a      1.5",
        "b     12.5",
    ]


def test_prose_is_folded_in_its_column() -> None:
    assert table_lines(
        ("name", "what it is for"), [("int8", "the default of all networks")], 24
    ) == [
        "name  what it is for",
        "────────────────────────",
        "int8  the default of all",
        "      networks",
    ]


def test_a_table_that_cannot_be_folded_becomes_lists() -> None:
    assert table_lines(("name", ">MB", "file"), [("int8", "5.25", "x" * 30)], 30) == [
        "int8",
        "  MB    5.25",
        "  file  " + "x" * 30,
    ]


def test_lists_name_a_numbered_row_by_its_second_cell_too() -> None:
    assert table_lines((">#", "operator", "output"), [(7, "ADD", "y" * 30)], 30) == [
        "7  ADD",
        "  output  " + "y" * 30,
    ]


def test_wide_characters_take_two_places() -> None:
    assert table_lines(("name", "n"), [("猫", "1"), ("cat", "2")]) == [
        "name  n",
        "───────",
        "猫    1",
        "cat   2",
    ]


def test_lines_of_a_text_are_folded_one_by_one() -> None:
    assert folded("  indented\nlong enough to fold", 12) == "  indented\nlong enough\nto fold"


def test_a_pipe_has_no_width_unless_columns_says_one(monkeypatch) -> None:
    assert width_of(io.StringIO()) is None
    monkeypatch.setenv("COLUMNS", "100")
    assert width_of(io.StringIO()) == 100


def test_a_terminal_says_its_width() -> None:
    ours, theirs = pty.openpty()
    rows, columns, pixels = 24, 93, 0
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, pixels, pixels))
    with os.fdopen(theirs, "w") as stream:
        assert width_of(stream) == columns
    os.close(ours)


@pytest.fixture(scope="module")
def examined() -> list[doctor.Finding]:
    """What the doctor finds here: looking takes most of a second, whatever the width."""
    return doctor.examine()


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("command", ["variants", "recipes", "doctor"])
def test_a_newcomers_first_commands_fit(
    capsys, monkeypatch, examined, command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(doctor, "examine", lambda progress: examined)
    with pytest.raises(SystemExit):
        main([command])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > columns] == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(capsys, monkeypatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_the_list_of_commands_cuts_nothing(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "..." not in out[out.index("Commands:") :]


@given(PROSE, WIDTHS)
def test_a_list_that_may_split_words_is_no_wider_and_loses_nothing(text: str, width: int) -> None:
    lines = pair_lines([("name", text)], width, split=True)
    assert all(len(line) <= max(width, 4 + 2 + 16) for line in lines)
    assert "".join("".join(lines).split()) == "name" + text.replace(" ", "")


def test_the_help_lists_every_exit_status(capsys) -> None:
    _, help_, _ = said(capsys, "--help")
    words = re.sub(r"[.,]", " ", help_.partition("Exit status:")[2].partition("Example")[0]).split()
    assert {"0", "1", "2", "3", "4", "130"} <= set(words)
