"""``edgeeff report``: a folder of models and figures as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from edgeeff.cli.command import Command
from edgeeff.cli.terminal import Terminal, common_options

FILE = click.Path(path_type=Path)


@click.command(
    "report", cls=Command, short_help="One HTML page of the models and figures in a folder."
)
@click.argument("folder", type=FILE)
@click.option("--output", type=FILE, help="The HTML file; default: report.html in FOLDER.")
@click.option("--title", default="", help="Of the page; default: the folder's name.")
@click.option("--pictures", multiple=True, type=FILE, help="Where evaluated pictures lie.")
@click.option("--force", is_flag=True, help="Replace an existing page.")
@common_options
def command(
    terminal: Terminal,
    folder: Path,
    output: Path | None,
    title: str,
    pictures: tuple[Path, ...],
    force: bool,
) -> None:
    """Show what lies in FOLDER as one HTML page that needs no network.

    It reads models with their manifests, runs of edgeeff train, searches of edgeeff fit,
    bundles, and what evaluate, benchmark, compare, compile, verify and inspect --layers print
    with --json. Nothing is run or measured; a damaged file is named in the page.

    \b
    Example:
      edgeeff evaluate int8.tflite --data photos/ --json > out/evaluation.json
      edgeeff report out/ --pictures photos/
    """  # noqa: D301 - click needs the character, not its escape
    from edgeeff.reporting.report import NAME, report

    made = report(
        folder,
        output or folder / NAME,
        title=title,
        pictures=pictures,
        force=force,
        progress=terminal.progress(),
    )
    terminal.document(made.document())
    rows = [
        (one.name, "" if one.size is None else f"{one.size:,}", ", ".join(one.marks))
        for one in made.gathered.subjects
    ]
    if any(marks for _, _, marks in rows):
        terminal.table(("model", ">bytes", "best for"), rows)
    elif rows:
        terminal.table(("model", ">bytes"), [row[:2] for row in rows])
    for refused in made.refused:
        terminal.warn(f"refused: {refused.path}: {refused.reason}")
    for lacking in made.lacking:
        terminal.say(f"\n{lacking.what}")
        for parts in lacking.parts:
            terminal.command(*parts)
    terminal.say(f"\nreport: {made.path}, {len(made.html.encode()):,} bytes")
