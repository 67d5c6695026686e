"""Lines of tables and lists for a terminal of a given width, or for a pipe, which has none.

Words are kept whole: names, paths and numbers stay searchable and can be copied. A table that is
too wide folds its columns of prose at spaces; where that is not enough, each row becomes a list.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

GAP = "  "
LEAST_PROSE = 16
"""Columns of prose are not folded below this width."""


def width_of(stream: TextIO) -> int | None:
    """How many characters a line has: of COLUMNS or the terminal; ``None`` in a pipe or a file."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else None


def table_lines(
    columns: Iterable[str], rows: Iterable[Iterable[object]], width: int | None = None
) -> list[str]:
    """The lines of a table.

    Args:
        columns: headings; one that starts with ``>`` has a column of figures: aligned to the
            right and never folded.
        rows: cells, shown by ``str``.
        width: of the terminal in characters; ``None``: any.
    """
    headings = list(columns)
    names = [heading.removeprefix(">") for heading in headings]
    right = [heading.startswith(">") for heading in headings]
    cells = [[str(cell) for cell in row] for row in rows]
    widths = _widths(names, cells, right, width)
    if widths is None:
        return _stacked(names, cells, right[0], width)
    lines = _row(names, widths, right)
    lines.append("─" * (sum(widths) + len(GAP) * (len(widths) - 1)))
    for row in cells:
        lines += _row(row, widths, right)
    return lines


def pair_lines(
    rows: Iterable[tuple[str, str]], width: int | None = None, *, split: bool = False
) -> list[str]:
    """The lines of a list of names, each with a value that is folded beside it.

    Args:
        rows: names and values.
        width: of the terminal in characters; ``None``: any.
        split: also split words of values that are longer than a line.
    """
    listed = list(rows)
    beside = max((_cells(name) for name, _ in listed), default=0) + len(GAP)
    left = None if width is None else max(width - beside, LEAST_PROSE)
    lines = []
    for name, value in listed:
        first, *others = wrapped(_split(value, left) if split and left else value, left)
        lines.append((name + " " * (beside - _cells(name)) + first).rstrip())
        lines += [" " * beside + other for other in others]
    return lines


def wrapped(text: str, width: int | None) -> list[str]:
    """The lines of a text, broken at spaces only: a longer word runs over the end of its line."""
    if width is None or _cells(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split():
        fits = lines and _cells(lines[-1]) + 1 + _cells(word) <= width
        if fits or (lines and _cells(word) > width):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _split(text: str, width: int) -> str:
    """A text with spaces in words that are longer than a line, of two characters at least."""
    words = []
    for word in text.split():
        rest = word
        while _cells(rest) > width:
            end = next(n for n in range(width, 0, -1) if _cells(rest[:n]) <= width)
            words.append(rest[:end])
            rest = rest[end:]
        words.append(rest)
    return " ".join(words)


def folded(text: str, width: int | None) -> str:
    """A text whose lines are too long broken at spaces; other lines stay as they are."""
    return "\n".join(line for long in text.split("\n") for line in wrapped(long, width))


def _widths(
    names: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], width: int | None
) -> list[int] | None:
    """The width of each column; ``None`` if they do not fit side by side."""
    found, least = [], []
    for place, name in enumerate(names):
        column = [row[place] for row in rows]
        whole = max(map(_cells, (name, *column)))
        word = max(map(_longest_word, (name, *column)))
        if right[place]:
            low = max(map(_cells, (*column, *name.split()[:1])), default=0)
            low = max(low, _longest_word(name))
        else:
            low = min(whole, max(word, LEAST_PROSE))
        found.append(whole)
        least.append(low)
    if width is None:
        return found
    space = width - len(GAP) * (len(names) - 1)
    if sum(least) > space:
        return None
    while sum(found) > space:
        place = max(range(len(found)), key=lambda one: (found[one] > least[one], found[one]))
        found[place] -= 1
    return found


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """The lines of one row, the cells folded to the widths of their columns."""
    folded = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, folded))):
        parts = [
            _aligned(cell[number] if number < len(cell) else "", width, side)
            for cell, width, side in zip(folded, widths, right, strict=True)
        ]
        lines.append(GAP.join(parts).rstrip())
    return lines


def _stacked(
    names: Sequence[str], rows: Sequence[Sequence[str]], numbered: bool, width: int | None
) -> list[str]:
    """Each row as a list under its first cell, or its first two if the first is a number."""
    lines: list[str] = []
    left = None if width is None else width - len(GAP)
    head = 2 if numbered else 1
    for row in rows:
        told = [pair for pair in zip(names[head:], row[head:], strict=True) if pair[1]]
        lines += [GAP.join(row[:head]), *(GAP + line for line in pair_lines(told, left))]
    return lines


def _aligned(cell: str, width: int, right: bool) -> str:
    space = " " * (width - _cells(cell))
    return space + cell if right else cell + space


def _longest_word(text: str) -> int:
    return max(map(_cells, text.split()), default=0)


def _cells(text: str) -> int:
    """The places of a terminal that a text takes: two for each character of some scripts."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
