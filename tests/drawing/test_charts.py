"""Charts: whole, readable, harmless, in light and dark."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgeeff.drawing import svg
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Plot, Point, Series, beside, chart
from edgeeff.drawing.placing import Box, Names

SVG = "{http://www.w3.org/2000/svg}"
ACROSS, UP = Axis("bytes", log=True), Axis("share", bounds=(0, 1))


def of(*points: Point, **options) -> Chart:
    return Chart("title", ACROSS, UP, [Series("series", svg.BLUE, points, **options)])


def parsed(plot: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(plot.svg)  # noqa: S314 - our own output


def texts(plot: Plot) -> list[str]:
    return [element.text or "" for element in parsed(plot).iter(f"{SVG}text")]


def test_a_point_has_its_name_and_what_is_told_of_it() -> None:
    plot = chart(of(Point(5e6, 0.75, "lite0", "lite0: 75% of 1,000")))
    assert "lite0" in texts(plot)
    assert "lite0: 75% of 1,000" in [title.text for title in parsed(plot).iter(f"{SVG}title")]


def test_intervals_are_bars_through_the_point() -> None:
    without, with_both = (
        plot.svg.count(f'stroke="{svg.BLUE}"/>')
        for plot in (
            chart(of(Point(5e6, 0.75))),
            chart(of(Point(5e6, 0.75, x_interval=(4e6, 6e6), y_interval=(0.7, 0.8)))),
        )
    )
    assert with_both == without + 2


def test_published_points_are_hollow_and_measured_ones_are_not() -> None:
    hollow, filled = (chart(of(Point(5e6, 0.7), hollow=h)).svg for h in (True, False))
    assert f'r="4.5" fill="{svg.PAPER}" stroke="{svg.BLUE}"' in hollow
    assert f'r="4.5" fill="{svg.BLUE}" stroke="{svg.BLUE}"' in filled


@given(
    some.lists(
        some.builds(
            Point,
            some.floats(),
            some.floats(),
            some.text(max_size=40),
            y_interval=some.none() | some.tuples(some.floats(), some.floats()),
        ),
        max_size=12,
    ),
    some.booleans(),
)
def test_whatever_the_figures_the_picture_is_whole(points, joined) -> None:
    plot = chart(of(*points, joined=joined))
    parsed(plot)
    assert not {"nan", "inf"} & set(re.findall(r'[="\s,](nan|inf)[",\s]', plot.svg))


def test_words_cannot_break_out() -> None:
    hostile = '</text></svg><script>alert("1")</script>&\x1b\x00'
    drawn = Chart(
        hostile, Axis(hostile), UP, [Series(hostile, svg.BLUE, [Point(1, 0.5, hostile, hostile)])]
    )
    assert not list(parsed(chart(drawn)).iter(f"{SVG}script"))


def test_a_chart_without_points_says_what_its_axes_are() -> None:
    assert {"bytes", "share"} <= set(texts(chart(of())))


def test_charts_side_by_side_are_one_picture() -> None:
    one = of(Point(5e6, 0.7))
    plot = beside("both", [one, one])
    assert float(parsed(plot).attrib["width"]) == 2 * one.width
    assert texts(plot).count("bytes") == 2


@pytest.mark.parametrize("light", sorted(svg.DARK))
def test_every_colour_has_a_partner_on_a_dark_page(light) -> None:
    assert f'[fill="{light}"]{{fill:{svg.DARK[light]}}}' in svg.style()


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return math.fsum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of contrast."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("words", [svg.INK, svg.FAINT])
def test_words_can_be_read_on_either_page(words) -> None:
    assert contrast(words, svg.PAPER) >= 4.5
    assert contrast(svg.DARK[words], svg.DARK[svg.PAPER]) >= 4.5


@pytest.mark.parametrize("colour", [c for c in svg.SERIES if c != svg.ORANGE])
def test_lines_can_be_seen_on_either_page(colour) -> None:
    assert contrast(colour, svg.PAPER) >= 3
    assert contrast(svg.DARK[colour], svg.DARK[svg.PAPER]) >= 3


def test_names_cover_neither_points_nor_each_other() -> None:
    names = Names(Box(0, 0, 400, 300))
    for _ in range(30):
        names.keep_clear(200, 150, 4.5)
        names.place(200, 150, "a name")
    placed = names.taken[1:]
    boxes = [box for box in placed if box.right - box.left > 9.1]
    assert boxes
    assert not any(a.meets(b) for n, a in enumerate(boxes) for b in boxes[n + 1 :])
