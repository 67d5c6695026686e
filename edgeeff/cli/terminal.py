"""What every command shares: its common options, and where its words go.

With ``--json`` standard output carries one JSON document and nothing else; tables and
progress go to standard error. Without it, tables go to standard output.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from edgeeff.cli.encoding import encodable
from edgeeff.progress import Advance, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars


def echo(text: str, *, err: bool = False) -> None:
    """Print a line to standard output or error, in the encoding that the stream has.

    click's own choice for a stream in ASCII would be UTF-8.
    """
    click.echo(text, file=sys.stderr if err else sys.stdout)


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
        """Print a line for people (rich markup is not interpreted)."""
        if not self.quiet:
            echo(text, err=self.json)

    def warn(self, text: str) -> None:
        """Print a line that must not be missed, on standard error."""
        echo(text, err=True)

    def table(
        self, columns: Iterable[str], rows: Iterable[Iterable[object]], title: str | None = None
    ) -> None:
        """Print a table; a column whose heading starts with ``>`` is right-aligned."""
        if self.quiet:
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        stream = sys.stderr if self.json else sys.stdout
        shown = functools.partial(encodable, stream=stream)
        title = None if title is None else shown(title)
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
        for column in columns:
            name = column.removeprefix(">")
            table.add_column(name, justify="right" if name != column else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(str(cell))) for cell in row))
        _console(stderr=self.json).print(table)

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

    console: Console = field(default_factory=lambda: _console(stderr=True))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bars: Bars | None = None

    @contextlib.contextmanager
    def shown(self, name: str, steps: int | None) -> Iterator[Advance]:
        """One bar on the console, removed when the stage ends."""
        with self._lock:
            bars = self._bars = self._bars or self._started()
            task = bars.add_task(name, total=steps)
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

        bars = progress.Progress(
            progress.TextColumn("{task.description}"),
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
    @click.option("-q", "--quiet", is_flag=True, help="Only errors, warnings and the result.")
    @click.option("-v", "--verbose", is_flag=True, help="More detail; tracebacks of bugs.")
    @functools.wraps(command)
    def wrapped(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> Any:
        return command(Terminal(as_json, quiet, verbose), **options)

    return wrapped


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    # A pipe has no width: tables would be folded to 80 columns and become unreadable in logs.
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False)
