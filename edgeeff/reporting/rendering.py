"""The page: values into a template that escapes every foreign word."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeeff.drawing.svg import DARK, PAPER
from edgeeff.version import __version__

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).with_name("templates")

LONGEST_TEXT = 400
"""Characters of a foreign text that are shown."""

MOST_LINES = 120
"""Of a recipe."""


def render(values: dict[str, Any]) -> str:
    """The HTML page of what the report found.

    Args:
        values: what ``templates/report.html`` names.
    """
    from markupsafe import Markup

    script, style = _file("report.js"), _file("report.css")
    # Ours, not foreign: the plots escape their words themselves (drawing.svg.text).
    parts = {"script": Markup(script), "style": Markup(style)}  # noqa: S704
    values = {
        **values,
        **parts,
        "plot": lambda plot: Markup(plot.svg),  # noqa: S704
        "policy": _policy(script),
        "version": __version__,
        "paper": (PAPER, DARK[PAPER]),
    }
    return _template().render(values)


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template("report.html")


def _policy(script: str) -> str:
    """What a browser lets the page do: nothing from elsewhere, and no script but ours."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")


def _bytes(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 1e6:,.2f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def _percent(share: float | None, digits: int = 1) -> str:
    return "" if share is None else f"{100 * share:.{digits}f}%"


def _points(share: float) -> str:
    return f"{100 * share:.2f}"


def _short(text: object, longest: int = LONGEST_TEXT) -> str:
    shown = "".join(char if char.isprintable() else "�" for char in str(text))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _lines(text: str) -> str:
    """A text of several lines, the end of a very long one left out."""
    return "\n".join(_short(line) for line in text.splitlines()[:MOST_LINES])


FILTERS = {
    "bytes": _bytes,
    "count": "{:,}".format,
    "lines": _lines,
    "percent": _percent,
    "points": _points,
    "short": _short,
}
"""How the template writes values."""
