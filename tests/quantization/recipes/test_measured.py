"""The figures of recipes are those that were measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeeff.quantization.recipes.measured import integer_only, measurements
from edgeeff.quantization.recipes.recipe import find_recipe, named_recipes, parse

LITE0 = measurements()[0]


def test_every_figure_belongs_to_a_shipped_recipe() -> None:
    for measured in measurements():
        assert set(measured.recipes) <= set(named_recipes())


def test_a_shipped_recipe_has_figures() -> None:
    found = LITE0.of(find_recipe("int8"))
    assert found is not None
    assert found.sqnr_db > LITE0.recipes["int8-plain"].sqnr_db
    assert found.agreement_ci95[0] < found.agreement < found.agreement_ci95[1]


def test_the_time_of_a_recipe_is_told_where_it_was_measured() -> None:
    mixed = LITE0.recipes["int8-mixed"]
    assert mixed.latency_ratio is not None
    assert mixed.latency_ci95 is not None
    assert mixed.latency_ci95[0] < mixed.latency_ratio < mixed.latency_ci95[1]
    assert LITE0.recipes["int8-plain"].latency_ratio is None


def test_a_changed_recipe_of_the_same_name_has_none() -> None:
    shipped = find_recipe("int8")
    changed = replace(shipped, text=shipped.text.replace("gptq", "nearest"))
    assert LITE0.of(changed) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("int8", True), ("int16x8", True), ("int8-mixed", False), ("dynamic", False)],
)
def test_says_which_recipes_give_integer_only_networks(name: str, expected: bool) -> None:
    assert integer_only(find_recipe(name)) is expected


def test_layers_kept_in_16_bits_are_still_integer() -> None:
    text = 'scheme = "int8"\n[[exceptions]]\nprecision = "int16"\noperators = ["ADD"]\n'
    assert integer_only(parse("mine", text))
