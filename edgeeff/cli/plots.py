"""Files that commands draw into: an SVG, or an HTML page that holds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff.errors import OutputError, UsageError

if TYPE_CHECKING:
    from edgeeff.drawing.svg import Plot


def check_plot(path: Path, *, force: bool) -> None:
    """Refuse a file that cannot be drawn or must not be replaced, before any work is done."""
    if path.suffix not in (".svg", ".html"):
        raise UsageError(f"--plot {path}: a plot is a .svg or .html file", "--plot picture.svg")
    if os.path.exists(path) and not force:
        raise OutputError(f"{path} exists already", "--force replaces it")


def write_plot(plot: Plot, path: Path, *, force: bool) -> None:
    """Write a plot as what the file's name ends in. Raises ``OutputError``."""
    from edgeeff import files

    drawn = plot.page() if path.suffix == ".html" else plot.svg
    files.write_bytes(path, drawn.encode(), force=force)
