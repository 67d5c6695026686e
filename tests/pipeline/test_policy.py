"""Which recipe a network gets is decided by what it holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeeff.architectures.variants import VARIANTS
from edgeeff.errors import UsageError
from edgeeff.evaluation.gate import Limits, Trial
from edgeeff.pipeline import policy
from edgeeff.pipeline.mixed_precision import Budget
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.recipes.recipe import named_recipes

GATED = Settings(limits=Limits(min_sqnr=20.0))
OTHERS = ("int16x8", "dynamic", "float16", "float32")
SPLITTABLE = policy.expected_of(VARIANTS["lite0"])


def names(settings: Settings, holds: frozenset[str]) -> list[str]:
    return [recipe.name for recipe in policy.to_try(settings, holds)]


def test_a_swish_network_gets_the_recipe_for_swish(tiny_float):
    holds = policy.held_by(float_graph(tiny_float.read_bytes()))
    assert holds == policy.expected_of(VARIANTS["b0"])
    assert policy.plan(Settings(), holds).name == "int8-swish"


def test_a_stem_that_can_be_split_is_on_the_ladder(lite0_float):
    holds = policy.held_by(float_graph(lite0_float.read_bytes()))
    assert holds == SPLITTABLE
    assert names(GATED, holds) == ["int8-bias", "int8", "int8-split"]


def test_a_network_that_holds_nothing_special_gets_the_default():
    assert names(Settings(), frozenset()) == ["int8"]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_the_ladder_of_every_variant_is_of_full_integer_recipes_and_holds_its_best(variant):
    choice = policy.choice(policy.expected_of(variant))
    ladder = [named_recipes()[name] for name in choice.ladder]
    assert choice.recipe in choice.ladder
    assert all(recipe.scheme == "int8" and not recipe.exceptions for recipe in ladder)


PASSED = Trial("", 1, 1.0, 30.0, None, (), last=True)
MISSED = Trial("", 1, 1.0, 10.0, None, ("SQNR 10.0 under 20 dB",))
HOPELESS = Trial("", 1, 1.0, 10.0, None, ("4 pictures prove no drop",), proof=900, last=True)


@pytest.mark.parametrize(
    ("tried", "trials", "over"),
    [
        (["int8-bias"], [PASSED], True),
        (["int8-bias"], [MISSED], False),
        (["int8-bias", "int8"], [MISSED, MISSED], False),
        (["int8-bias"], [HOPELESS], False),
        (["int8-bias", "int8"], [HOPELESS, MISSED], True),
        (["int8-bias", "int8-swish"], [HOPELESS, HOPELESS], True),
    ],
)
def test_no_gate_ends_before_a_recipe_passes_or_none_can_and_the_default_is_measured(
    tried, trials, over
):
    assert policy.is_over([named_recipes()[name] for name in tried], trials) is over


@pytest.mark.parametrize("precision", OTHERS)
@pytest.mark.parametrize("choice", policy.CHOICES, ids=lambda choice: choice.recipe)
def test_other_precisions_have_one_recipe_whatever_the_network_holds(precision, choice):
    settings = replace(GATED, precision=precision)
    assert names(settings, choice.holds) == [precision]


@pytest.mark.parametrize(
    "settings",
    [replace(GATED, recipe="int8"), replace(GATED, mixed=Budget())],
    ids=["named", "mixed"],
)
def test_a_recipe_that_is_settled_is_the_only_one_tried(settings):
    assert names(settings, SPLITTABLE) == ["int8"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Settings(precision="float16", recipe="int8"), "recipe int8 gives int8, not float16"),
        (Settings(precision="float32", mixed=Budget()), "not with float32"),
        (Settings(recipe="int8-mixed", mixed=Budget()), "not with int8-mixed"),
        (Settings(precision="float32", input_type="uint8"), "input and output are float32"),
        (Settings(precision="dynamic", output_type="int8"), "input and output are float32"),
    ],
    ids=["recipe", "search", "exceptions", "input", "output"],
)
def test_what_a_recipe_cannot_give_is_refused_before_any_work(settings, told):
    with pytest.raises(UsageError, match=told):
        policy.plan(settings, frozenset())


def test_a_recipe_in_place_of_the_usual_precision_may_give_another():
    assert names(Settings(recipe="float16"), frozenset()) == ["float16"]


def test_an_unknown_recipe_is_refused():
    with pytest.raises(UsageError, match="int9"):
        policy.plan(Settings(recipe="int9"), frozenset())
