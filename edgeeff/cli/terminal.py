"""What every command shares: its common options, and where its words go.

With ``--json`` standard output carries one JSON document and nothing else; tables and
progress go to standard error. Without it, tables go to standard output.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

from edgeeff.cli.encoding import encodable
from edgeeff.cli.layout import folded, pair_lines, table_lines, width_of
from edgeeff.control_characters import one_line, printable
from edgeeff.errors import OutputError
from edgeeff.progress import Advance, Progress
from edgeeff.shell import quoted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars


BESIDE_NAME = 32
"""Columns that the bar of a stage, its steps and its estimate need at least."""


class ReaderLeft(Exception):  # noqa: N818 - nothing is wrong: somebody has read enough
    """The program that reads our output has ended, such as ``head``."""


def echo(text: str, *, err: bool = False) -> None:
    """Print text to standard output or error, in the encoding that the stream has.

    Here, and only here, characters that would steer the terminal are escaped: names of pictures,
    labels, models and operators come from anywhere.

    Raises:
        ReaderLeft: nobody reads it.
        OutputError: it cannot be written, as on a full disk.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        click.echo(printable(text), file=stream)  # click's own choice in ASCII would be UTF-8
    except BrokenPipeError as error:
        discard(stream)
        raise ReaderLeft from error
    except OSError as error:
        discard(stream)
        name = "standard error" if err else "standard output"
        raise OutputError(
            f"cannot write to {name}: {error.strerror}", "what was made is there all the same"
        ) from error


def discard(stream: TextIO) -> None:
    """Let what is still in a stream that failed, and what follows, go nowhere.

    Otherwise Python would try again at its end, fail and change the exit status.
    """
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def indented(text: str) -> str:
    """A message whose further lines, if it has any, do not look like messages of their own."""
    return text.replace("\n", "\n    ")


@dataclass(frozen=True)
class Terminal:
    """How a command talks: as JSON or in tables, quietly or at length."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def document(self, text: str) -> None:
        """Print the command's one JSON document, if ``--json`` asked for it."""
        if self.json:
            echo(text.removesuffix("\n"))

    def say(self, text: str) -> None:
        """Print a line for people."""
        if not self.quiet:
            echo(folded(text, self._width), err=self.json)

    def warn(self, text: str) -> None:
        """Print what must not be missed, on standard error, quiet or not."""
        echo(folded(indented(text), width_of(sys.stderr)), err=True)

    def note(self, text: str) -> None:
        """Print what a user may want to know of what was done, on standard error."""
        if not self.quiet:
            self.warn(f"note: {text}")

    def table(
        self, columns: Iterable[str], rows: Iterable[Iterable[object]], title: str | None = None
    ) -> None:
        """Print a table; a column whose heading starts with ``>`` holds figures."""
        cells = [[self._shown(str(cell)) for cell in row] for row in rows]
        self._block(table_lines(columns, cells, self._width), title)

    def pairs(
        self, rows: Iterable[tuple[str, str]], title: str | None = None, *, split: bool = False
    ) -> None:
        """Print a list of names and values, below a title; ``split`` folds words, too."""
        told = [(self._shown(name), self._shown(value)) for name, value in rows]
        self._block(pair_lines(told, self._width, split=split), title)

    def command(self, *parts: str) -> None:
        """Print a command to copy, broken between its parts where the terminal is narrow."""
        parts = tuple(map(_copyable, parts))
        whole = "  " + " ".join(parts)
        width = self._width
        fits = width is None or len(whole) <= width
        if not self.quiet:
            echo(whole if fits else "  " + " \\\n      ".join(parts), err=self.json)

    def _block(self, lines: Sequence[str], title: str | None) -> None:
        """Print lines that belong together, apart from others."""
        if not self.quiet:
            head = [folded(self._shown(title), self._width), ""] if title else []
            echo("\n" + "\n".join([*head, *lines]), err=self.json)

    def _shown(self, text: str) -> str:
        """As the stream will show it, so that its length is known before."""
        return encodable(one_line(text), self._stream)

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self.json else sys.stdout

    @property
    def _width(self) -> int | None:
        return width_of(self._stream)

    def progress(self) -> Progress:
        """Progress on standard error: bars on a terminal, silent otherwise or with ``-q``."""
        if self.quiet or not sys.stderr.isatty():
            return Progress()
        return DrawnProgress()


@dataclass
class DrawnProgress(Progress):
    """Draws each stage as a bar with an estimate of what is left.

    Stages of several threads share one display: a console has room for one.
    """

    console: Console = field(default_factory=lambda: _console())
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bars: Bars | None = None

    @contextlib.contextmanager
    def shown(self, name: str, steps: int | None) -> Iterator[Advance]:
        """One bar on the console, removed when the stage ends."""
        with self._lock:
            bars = self._bars = self._bars or self._started()
            task = bars.add_task(one_line(name), total=steps)
        try:
            yield lambda count: bars.advance(task, count)
        finally:
            with self._lock:
                bars.remove_task(task)
                if not bars.tasks:
                    bars.stop()
                    self._bars = None

    def _started(self) -> Bars:
        from rich import progress
        from rich.table import Column

        name = Column(no_wrap=True, overflow="ellipsis", max_width=self.console.width - BESIDE_NAME)
        bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False, table_column=name),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        bars.start()
        return bars


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``, ``-q`` and ``-v``; the command gets them as its first argument."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option(
        "-q", "--quiet", is_flag=True, help="Only errors and warnings, and what --json prints."
    )
    @click.option("-v", "--verbose", is_flag=True, help="More detail; tracebacks of bugs.")
    @functools.wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> Any:
        return command(Terminal(as_json, quiet, verbose), **options)

    return wrapped


def _copyable(part: str) -> str:
    """Words of a command, so that no escape of ``echo`` makes another name of one."""
    return part if one_line(part) == part else " ".join(map(quoted, shlex.split(part)))


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)
