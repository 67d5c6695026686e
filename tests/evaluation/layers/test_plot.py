"""The picture of the layers' errors: whole, in order, and harmless."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from edgeeff.evaluation.layers.plot import (
    ACTIVATION,
    NETWORK,
    WEIGHTS,
    WORST,
    layer_plot,
)
from edgeeff.evaluation.layers.report import LayerError

SVG = "{http://www.w3.org/2000/svg}"
LAYER = LayerError(0, "stem", "CONV_2D", 40.0, 42.0, 45.0, 0.0, 1.0, 1.0, "")


def layers(count: int) -> list[LayerError]:
    """Each with one decibel more error than the one before."""
    return [
        replace(
            LAYER,
            index=index,
            name=f"layer{index}",
            sqnr_db=40.0 - index,
            activation_sqnr_db=42.0 - index,
            weight_sqnr_db=45.0 - index,
        )
        for index in range(count)
    ]


def drawn(errors: list[LayerError], title: str = "model") -> ElementTree.Element:
    return ElementTree.fromstring(layer_plot(errors, title).svg)  # noqa: S314 - our own output


def texts(picture: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def bars(picture: ElementTree.Element, colour: str) -> list[float]:
    """Widths from top to bottom; the legend's square is not in a group."""
    found = [
        element
        for group in picture.iter(f"{SVG}g")
        for element in group.iter(f"{SVG}rect")
        if element.get("fill") == colour
    ]
    return [float(element.attrib["width"]) for element in found]


def test_rows_are_in_the_order_of_the_network() -> None:
    names = [text for text in texts(drawn(layers(9)[::-1])) if text.startswith("layer")]
    assert names == [f"layer{index}" for index in range(9)]


@pytest.mark.parametrize("colour", [WEIGHTS, ACTIVATION])
def test_more_error_is_a_longer_bar(colour: str) -> None:
    widths = bars(drawn(layers(6)), colour)
    assert len(widths) == 6
    assert widths == sorted(set(widths))


def test_the_line_moves_right_as_the_network_loses_more() -> None:
    (halo, line) = drawn(layers(6)).iter(f"{SVG}polyline")
    assert line.get("stroke") == NETWORK
    places = [float(point.split(",")[0]) for point in line.attrib["points"].split()]
    assert places == sorted(set(places))
    assert halo.get("points") == line.get("points")


def test_a_layer_without_weights_or_error_has_no_bar() -> None:
    exact = replace(LAYER, index=1, sqnr_db=math.inf, activation_sqnr_db=math.inf)
    picture = drawn([LAYER, replace(exact, weight_sqnr_db=None)])
    assert len(bars(picture, WEIGHTS)) == len(bars(picture, ACTIVATION)) == 1
    assert "activation no error" in layer_plot([exact], "model").svg


def test_a_network_without_any_error_can_be_drawn() -> None:
    exact = replace(LAYER, sqnr_db=math.inf, activation_sqnr_db=math.inf, weight_sqnr_db=None)
    assert "stem" in texts(drawn([exact]))
    assert not {"nan", "inf"} & set(re.findall(r"\w+", layer_plot([exact], "model").svg))


def test_whatever_the_ratios_all_is_inside_the_picture() -> None:
    wild = [replace(layer, sqnr_db=layer.sqnr_db * 20 - 400) for layer in layers(8)]
    picture = drawn(wild)
    width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
    circles = list(picture.iter(f"{SVG}circle"))
    assert len(circles) == len(wild) + 1  # and the legend's
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < width
        assert 0 < float(circle.attrib["cy"]) < height


def test_the_worst_layers_stand_out() -> None:
    picture = drawn(layers(12))
    bold = [e.text for e in picture.iter(f"{SVG}text") if e.get("font-weight") == "700"]
    assert bold == [f"layer{index}" for index in range(12 - WORST, 12)]


def test_causes_stand_beside_their_layer() -> None:
    assert "clips 3.00% of the values" in texts(
        drawn([replace(LAYER, cause="clips 3.00% of the values")])
    )


def test_names_cannot_break_out() -> None:
    hostile = '</text><script>alert("1")</script>&\x1b[2J\x00'
    picture = drawn([replace(LAYER, name=hostile, cause=hostile)], title=hostile)
    assert not list(picture.iter(f"{SVG}script"))
    assert any("<script>" in text for text in texts(picture))


def test_a_long_name_is_cut_and_whole_when_pointed_at() -> None:
    name = "block" * 40
    picture = drawn([replace(LAYER, name=name)])
    assert name not in texts(picture)
    told = [title.text or "" for group in picture.iter(f"{SVG}g") for title in group]
    assert any(name in text for text in told)


@pytest.mark.parametrize("form", ["svg", "page"])
def test_nothing_is_loaded_from_elsewhere(form: str) -> None:
    plot = layer_plot(layers(3), "model", "against float")
    text = plot.svg if form == "svg" else plot.page()
    assert text.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    assert not any(word in text for word in ("href", "<script", "<image", "@import", "url("))


def test_a_page_holds_the_picture() -> None:
    plot = layer_plot(layers(3), "a & b")
    assert plot.page().startswith("<!doctype html>")
    assert "<title>a &amp; b</title>" in plot.page()
    assert plot.svg in plot.page()
