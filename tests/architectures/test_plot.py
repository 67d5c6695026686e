"""EfficientNet's picture, and the table of other networks that stands behind it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import astuple
from pathlib import Path

import pytest

from edgeeff.architectures.plot import published_series, variants_plot
from edgeeff.architectures.published import PUBLISHED
from edgeeff.architectures.variants import VARIANTS, counts


@pytest.fixture(scope="module")
def told() -> list[str]:
    plot = ElementTree.fromstring(variants_plot().svg)  # noqa: S314 - our own output
    return [title.text or "" for title in plot.iter("{http://www.w3.org/2000/svg}title")]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_in_both_panels(name: str, told: list[str]) -> None:
    assert sum(words.startswith(f"{name}: ") for words in told) == 2


@pytest.mark.parametrize("network", PUBLISHED, ids=lambda network: network.name)
def test_every_other_network_is_in_both_panels_with_its_source(network, told) -> None:
    mine = [words for words in told if words.startswith(f"{network.name}: ")]
    assert len(mine) == 2
    assert all(network.source in words for words in mine)


@pytest.mark.parametrize(
    "family",
    ["ResNet", "DenseNet", "Inception", "Xception", "VGG", "MobileNet", "NASNet"],
)
def test_the_table_has_each_family_that_one_compares_with(family: str) -> None:
    assert family in {network.family for network in PUBLISHED}


@pytest.mark.parametrize("network", PUBLISHED, ids=lambda network: network.name)
def test_published_figures_are_of_a_possible_size(network) -> None:
    assert all(astuple(network))
    assert 1e6 < network.parameters < 1e9
    assert 1e8 < network.macs < 1e11
    assert 60 < network.top1 < 90


def test_all_of_it_is_marked_as_published() -> None:
    assert all(series.hollow for series in published_series("macs"))
    assert "(published)" in variants_plot().svg


def test_costs_are_those_of_the_table_of_variants() -> None:
    points = {p.name: p for series in published_series("parameters") for p in series.points}
    assert {name: point.x for name, point in points.items()} == {
        name: counts(variant).parameters for name, variant in VARIANTS.items()
    }


def test_the_picture_in_the_documentation_is_this_one() -> None:
    drawn = Path(__file__).parents[2] / "docs" / "variants.svg"
    assert drawn.read_text("utf-8") == variants_plot().svg, (
        "edgeeff variants --plot docs/variants.svg --force"
    )
