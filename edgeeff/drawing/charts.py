"""Charts of points and lines over two axes, in the style of all plots here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgeeff.drawing.axes import Axis, Scale, scale
from edgeeff.drawing.placing import LETTER, Box, Names
from edgeeff.drawing.svg import FAINT, GRID, INK, PAPER, Plot, label, opened, shortened, text

LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 40.0, 46.0
"""Pixels around the plot; every row of the legend comes on top."""

ROW = 18.0
RADIUS = 4.5
LONGEST_NAME, LONGEST_LEGEND, LONGEST_TITLE = 24, 44, 58


@dataclass(frozen=True)
class Point:
    """A value over another.

    Attributes:
        name: written beside it where there is room.
        told: what a browser says of it.
        x_interval: drawn as a bar through the point.
        y_interval: likewise.
    """

    x: float
    y: float
    name: str = ""
    told: str = ""
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
        name: in the legend; empty: not in it.
        hollow: how published figures are told from measured ones.
        joined: a line goes through them, in their order.
        dots: whether the points themselves are drawn.
        shape: ``circle``, ``square`` or ``diamond``.
    """

    name: str
    colour: str
    points: Sequence[Point]
    hollow: bool = False
    joined: bool = False
    dots: bool = True
    shape: str = "circle"


@dataclass(frozen=True)
class Chart:
    """What is drawn over two axes, and how large."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    width: float = 440.0
    height: float = 340.0


def chart(drawn: Chart) -> Plot:
    """Draw a chart. Points that its axes cannot show are left out."""
    parts = [*opened(drawn.title, drawn.width, drawn.height), *panel(drawn), "</svg>"]
    return Plot("\n".join(parts) + "\n", drawn.title)


def beside(title: str, charts: Sequence[Chart]) -> Plot:
    """Draw charts side by side in one picture."""
    width, height = sum(one.width for one in charts), max(one.height for one in charts)
    parts, left = opened(title, width, height), 0.0
    for one in charts:
        parts += [f'<g transform="translate({left:.0f} 0)">', *panel(one), "</g>"]
        left += one.width
    return Plot("\n".join([*parts, "</svg>"]) + "\n", title)


def panel(drawn: Chart) -> Iterator[str]:
    """A chart as parts of a picture, from its upper left corner."""
    shown = [_shown(series, drawn) for series in drawn.series]
    rows = list(_legend_rows(shown, drawn.width - LEFT - RIGHT))
    top = TOP + ROW * len(rows)
    right, bottom = drawn.width - RIGHT, max(top + 60, drawn.height - BOTTOM)
    x = scale(
        drawn.x, (v for s in shown for p in s.points for v in _span(p.x, p.x_interval)), LEFT, right
    )
    y = scale(
        drawn.y, (v for s in shown for p in s.points for v in _span(p.y, p.y_interval)), bottom, top
    )
    yield label(14, 24, shortened(drawn.title, LONGEST_TITLE), size=14, weight="600")
    yield from _legend(rows)
    yield from _axes(x, y)
    names = Names(Box(LEFT, top, right, bottom))
    for series in shown:
        for point in series.points:
            names.keep_clear(x.at(point.x), y.at(point.y), RADIUS)
    for series in shown:
        yield from _drawn(series, x, y)
    for series in reversed(shown):
        yield from _named(series, x, y, names)


def _shown(series: Series, drawn: Chart) -> Series:
    points = [p for p in series.points if drawn.x.shows(p.x) and drawn.y.shows(p.y)]
    return replace(series, points=points)


def _span(value: float, interval: tuple[float, float] | None) -> tuple[float, ...]:
    return (value, *interval) if interval else (value,)


def _axes(x: Scale, y: Scale) -> Iterator[str]:
    for value in y.marks():
        place = y.at(value)
        yield f'<path d="M{x.start:.1f} {place:.1f}H{x.end:.1f}" stroke="{GRID}"/>'
        yield label(x.start - 7, place + 4, y.axis.form(value), anchor="end", fill=FAINT)
    for value in x.marks():
        place = x.at(value)
        yield f'<path d="M{place:.1f} {y.start:.1f}v4" stroke="{FAINT}"/>'
        yield label(place, y.start + 17, x.axis.form(value), anchor="middle", fill=FAINT)
    yield f'<path d="M{x.start:.1f} {y.start:.1f}H{x.end:.1f}" stroke="{FAINT}"/>'
    yield label((x.start + x.end) / 2, y.start + 36, x.axis.title, size=12, anchor="middle")
    middle = (y.start + y.end) / 2
    yield (
        f'<text transform="translate(15 {middle:.1f}) rotate(-90)" font-size="12" '
        f'text-anchor="middle" fill="{INK}">{text(y.axis.title)}</text>'
    )


def _drawn(series: Series, x: Scale, y: Scale) -> Iterator[str]:
    if series.joined and len(series.points) > 1:
        places = " ".join(f"{x.at(p.x):.1f},{y.at(p.y):.1f}" for p in series.points)
        thin = (
            ' stroke-width="1.2" stroke-dasharray="3 3"' if series.hollow else ' stroke-width="2"'
        )
        yield (
            f'<polyline points="{places}" fill="none" stroke="{series.colour}"{thin} '
            'stroke-linejoin="round"/>'
        )
    if not series.dots:
        return
    for point in series.points:
        across, down = x.at(point.x), y.at(point.y)
        yield f"<g><title>{text(point.told or point.name)}</title>" if point.told else "<g>"
        if point.y_interval:
            low, high = (y.at(end) for end in point.y_interval)
            yield f'<path d="M{across:.1f} {low:.1f}V{high:.1f}" stroke="{series.colour}"/>'
        if point.x_interval:
            low, high = (x.at(end) for end in point.x_interval)
            yield f'<path d="M{low:.1f} {down:.1f}H{high:.1f}" stroke="{series.colour}"/>'
        yield f"{_mark(series, across, down)}</g>"


def _mark(series: Series, x: float, y: float) -> str:
    r = RADIUS if not series.joined or series.hollow else 2.5
    shapes = {
        "circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"',
        "square": f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}"',
        "diamond": f'<path d="M{x:.1f} {y - r - 1:.1f}l{r + 1} {r + 1}l-{r + 1} {r + 1}'
        f'l-{r + 1}-{r + 1}z"',
    }
    inside = PAPER if series.hollow else series.colour
    return f'{shapes[series.shape]} fill="{inside}" stroke="{series.colour}" stroke-width="1.4"/>'


def _named(series: Series, x: Scale, y: Scale, names: Names) -> Iterator[str]:
    colour = FAINT if series.hollow else INK
    for point in series.points:
        words = shortened(point.name, LONGEST_NAME)
        place = words and names.place(x.at(point.x), y.at(point.y), words)
        if place:
            yield label(place.x, place.y, words, size=10, anchor=place.anchor, fill=colour)


def _legend_rows(series: Iterable[Series], width: float) -> Iterator[list[tuple[float, Series]]]:
    """The names of the series in rows that fit, each with its place."""
    row: list[tuple[float, Series]] = []
    left = 0.0
    for one in series:
        if not one.name:
            continue
        wide = 26 + LETTER * 1.1 * len(shortened(one.name, LONGEST_LEGEND))
        if row and left + wide > width:
            yield row
            row, left = [], 0.0
        row.append((left, one))
        left += wide
    if row:
        yield row


def _legend(rows: Iterable[list[tuple[float, Series]]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        for left, series in row:
            x = 16 + left
            if series.joined and not series.hollow:
                line = f'stroke="{series.colour}" stroke-width="2.5"'
                yield f'<path d="M{x:.1f} {y - 4:.1f}h14" {line}/>'
            else:
                yield _mark(series, x + 7, y - 4)
            yield label(x + 19, y, shortened(series.name, LONGEST_LEGEND))
