"""The figures of recipes are those that the documentation publishes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.quantization.recipes.measured import integer_only, measurements
from edgeeff.quantization.recipes.recipe import find_recipe, named_recipes, parse

ROOT = Path(__file__).parents[3]


def test_the_figures_are_those_of_the_documented_table(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import recipe_figures

    expected = recipe_figures.figures(recipe_figures.PAGE.read_text("utf-8"))
    told = "run `python benchmarks/recipe_figures.py` after a change of docs/quantization.md"
    assert recipe_figures.FIGURES.read_text("utf-8") == expected, told
    sys.modules.pop("recipe_figures")


def test_every_figure_belongs_to_a_shipped_recipe() -> None:
    assert set(measurements().recipes) <= set(named_recipes())


def test_a_shipped_recipe_has_figures() -> None:
    found = measurements().of(find_recipe("int8"))
    assert found is not None
    assert found.sqnr_db > measurements().recipes["int8-plain"].sqnr_db
    assert 0.9 < found.agreement <= 1


def test_a_changed_recipe_of_the_same_name_has_none() -> None:
    shipped = find_recipe("int8")
    changed = replace(shipped, text=shipped.text.replace("gptq", "nearest"))
    assert measurements().of(changed) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("int8", True), ("int16x8", True), ("int8-mixed", False), ("dynamic", False)],
)
def test_says_which_recipes_give_integer_only_networks(name: str, expected: bool) -> None:
    assert integer_only(find_recipe(name)) is expected


def test_layers_kept_in_16_bits_are_still_integer() -> None:
    text = 'scheme = "int8"\n[[exceptions]]\nprecision = "int16"\noperators = ["ADD"]\n'
    assert integer_only(parse("mine", text))
