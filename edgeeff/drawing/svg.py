"""Pieces of a picture in SVG: self-contained, safe whatever the words are, light and dark.

A picture is drawn in the colours of a light page. Its style sheet exchanges each for its partner
where the reader prefers dark, so that what draws knows one set of colours, and programs that know
no style sheets show the light one.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

INK, FAINT, GRID, BAND, PAPER = "#1a1a1a", "#5f5f5f", "#d8d8d8", "#f6f6f4", "#ffffff"
BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#b0568a"
"""Colours that colour-blind people tell apart (Okabe and Ito 2008); the purple is darker than
theirs, for a white page."""

SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
"""In the order in which they are given out."""

DARK = {
    INK: "#e8e8e6",
    FAINT: "#a9adb2",
    GRID: "#3a3f45",
    BAND: "#1d2126",
    PAPER: "#14171a",
    BLUE: "#5ab0ea",
    ORANGE: "#f0b429",
    GREEN: "#35c99b",
    VERMILION: "#ff8a4c",
    PURPLE: "#d98bb8",
}
"""What takes a colour's place on a dark page."""

FONT = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"


@dataclass(frozen=True)
class Plot:
    """A picture; a notebook shows it.

    Attributes:
        svg: the whole document, UTF-8 text without references to anything outside.
        title: what it shows.
    """

    svg: str
    title: str

    def page(self) -> str:
        """An HTML page that holds the picture."""
        return page(self.svg, self.title)

    def _repr_svg_(self) -> str:
        return self.svg


def opened(title: str, width: float, height: float) -> list[str]:
    """The beginning of a document of a title on paper; ``</svg>`` ends it."""
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}">',
        f"<title>{text(title)}</title>",
        f"<style>{style()}</style>",
        f'<rect {size} fill="{PAPER}"/>',
    ]


def style() -> str:
    """The rules that make a picture dark where the reader prefers that, but not on paper."""
    rules = "".join(
        f'svg [fill="{light}"]{{fill:{dark}}}svg [stroke="{light}"]{{stroke:{dark}}}'
        for light, dark in DARK.items()
    )
    return f"@media screen and (prefers-color-scheme:dark){{{rules}}}"


def page(svg: str, title: str) -> str:
    """An HTML page that holds one picture."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
        f'content="light dark"><title>{text(title)}</title></head>\n'
        f'<body style="margin:0">\n{svg}</body></html>\n'
    )


def label(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 11,
    anchor: str = "start",
    weight: str = "400",
    fill: str = INK,
) -> str:
    """Words at a place in pixels."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}" fill="{fill}">{text(words)}</text>'
    )


def shortened(words: str, longest: int) -> str:
    """Words cut to so many characters."""
    return words if len(words) <= longest else words[: longest - 1] + "…"


def text(words: str) -> str:
    """Escaped, and without the control characters that XML forbids."""
    return html.escape("".join(char if char.isprintable() else "�" for char in words))
