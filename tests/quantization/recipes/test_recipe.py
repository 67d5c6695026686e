"""Recipes: those that ship can be read, and a wrong one is told which key is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeeff.errors import InputError, UsageError
from edgeeff.quantization.recipes.recipe import (
    SCHEMES,
    Bias,
    Equalize,
    Ranges,
    Round,
    find_recipe,
    kept_precisions,
    named_recipes,
    parse,
)

SHIPPED = sorted(named_recipes())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_says_what_it_is_for(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert parse(name, recipe.text) == recipe


def test_the_shipped_recipes_cover_every_scheme() -> None:
    assert {recipe.scheme for recipe in named_recipes().values()} == set(SCHEMES)


def test_the_default_rounds_with_gptq_and_corrects_biases() -> None:
    recipe = find_recipe("int8")
    assert recipe.correction(Round).method == "gptq"
    assert recipe.correction(Bias).means == "batchnorm"
    assert recipe.correction(Equalize) is not None


def test_a_recipe_that_says_its_scheme_alone_has_defaults() -> None:
    recipe = parse("plain", 'scheme = "int8"')
    assert (recipe.scheme, recipe.ranges, recipe.corrections) == ("int8", Ranges(), ())


def test_whole_numbers_serve_as_decimals() -> None:
    assert parse("r", "[ranges]\ndeviations = 5").ranges.deviations == 5


KINDS = ("round", "equalize", "bias", "clip")
ROUND, EQUALIZE, BIAS, CLIP = (f'[[corrections]]\nkind = "{kind}"\n' for kind in KINDS)

BAD = {
    "nothing": ("", "nothing in it says how to quantize"),
    "comments alone": ("# int8\n\n# later\n", "nothing in it says how to quantize"),
    "a summary alone": ('summary = "int8"', "nothing in it says how to quantize"),
    "not TOML": ("scheme =", "not TOML"),
    "unknown key": ('shceme = "int8"', "'shceme'"),
    "unknown scheme": ('scheme = "int4"', "scheme 'int4'"),
    "scheme of a wrong type": ("scheme = 8", "scheme 8"),
    "unknown key of ranges": ("[ranges]\npercentil = 99.0", "'percentil'"),
    "unknown estimator": ('[ranges]\nestimator = "median"', "ranges.estimator = 'median'"),
    "text for a number": ('[ranges]\npercentile = "99"', "ranges.percentile = '99'"),
    "truth for a number": ("[ranges]\ndeviations = true", "ranges.deviations = True"),
    "not a number": ("[ranges]\npercentile = nan", "ranges.percentile = nan"),
    "above its limit": ("[ranges]\npercentile = 101.0", "ranges.percentile = 101.0"),
    "below its limit": ("[ranges]\nlogits_margin = 0.5", "ranges.logits_margin = 0.5"),
    "a margin no range survives": ("[ranges]\ndeviations = 0.1", "ranges.deviations = 0.1"),
    "ranges that are no table": ("ranges = 1", "ranges that is no table"),
    "corrections that are no tables": ('corrections = ["round"]', "corrections that is no"),
    "unknown correction": ('[[corrections]]\nkind = "adaround"', "kind 'adaround'"),
    "correction without kind": ("[[corrections]]\ndamping = 0.1", "kind"),
    "unknown key of a correction": (f"{ROUND}pictrues = 3", "'pictrues'"),
    "decimal for a count": (f"{ROUND}pictures = 3.5", "round.pictures = 3.5"),
    "no pictures": (f"{ROUND}pictures = 0", "round.pictures = 0"),
    "unknown rounding": (f'{ROUND}method = "up"', "round.method = 'up'"),
    "damping of nothing": (f"{ROUND}damping = 0.0", "round.damping = 0.0"),
    "more synthetic pictures than all": (f"{ROUND}synthetic = 1.5", "round.synthetic = 1.5"),
    "exponent above 1": (f"{EQUALIZE}exponent = 1.5", "equalize.exponent = 1.5"),
    "unknown means": (f'{BIAS}means = "median"', "bias.means = 'median'"),
    "bias before rounding": (BIAS + ROUND, "corrections in the order ['bias', 'round']"),
    "clipping of rounded weights": (ROUND + CLIP, "corrections in the order ['round', 'clip']"),
    "clipping of all": (f"{CLIP}least = 0.0", "clip.least = 0.0"),
    "equalization last": (ROUND + EQUALIZE, "corrections in the order ['round', 'equalize']"),
    "the same correction twice": (ROUND + ROUND, "corrections in the order ['round', 'round']"),
    "corrections of what stays in float": (f'scheme = "float16"\n{ROUND}', "scheme float16"),
    "exceptions without ranges": (
        'scheme = "float16"\n[[exceptions]]\nprecision = "float"\nlayers = "top"',
        "scheme float16",
    ),
    "unknown precision": (
        '[[exceptions]]\nprecision = "int4"\nlayers = "top"',
        "exception of precision 'int4'",
    ),
    "unknown key of an exception": (
        '[[exceptions]]\nprecision = "float"\nlayer = "top"',
        "'layer'",
    ),
    "exception for nothing": ('[[exceptions]]\nprecision = "float"', "exception for nothing"),
    "operators that are no list": (
        '[[exceptions]]\nprecision = "float"\noperators = "ADD"',
        "operators",
    ),
    "bad regular expression": (
        '[[exceptions]]\nprecision = "float"\nlayers = "block("',
        "layers 'block('",
    ),
}


@pytest.mark.parametrize(("text", "named"), BAD.values(), ids=BAD.keys())
def test_a_bad_recipe_is_told_which_key_is_wrong(text: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        parse("mine", text)
    assert "recipe mine" in caught.value.message
    assert named in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ('[ranges]\npercentile = "99.5"', "it takes a number, without quotes"),
        (f'{ROUND}pictures = "24"', "it takes a whole number, without quotes"),
        ("[ranges]\nestimator = 5", "one of minmax, percentile, mse, entropy, geometric"),
    ],
)
def test_a_value_of_another_type_is_told_what_is_taken(text: str, takes: str) -> None:
    with pytest.raises(InputError) as caught:
        parse("mine", text)
    assert caught.value.hint == takes


def test_a_near_key_is_suggested() -> None:
    with pytest.raises(InputError) as caught:
        parse("mine", "[ranges]\npercentil = 99.0")
    assert "percentile" in caught.value.hint


def exception(**fields: str) -> str:
    lines = [f"{key} = {value}" for key, value in fields.items()]
    return "\n".join(["[[exceptions]]", 'precision = "float"', *lines])


LAYERS = {"stem_conv": "CONV_2D", "block1a_add": "ADD"}


@pytest.mark.parametrize(
    "fields",
    [
        {"layers": '"block9"'},
        {"operators": '["MUL"]'},
        {"operators": '["ADD"]', "layers": '"stem"'},
    ],
)
def test_an_exception_that_fits_nothing_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="this network has none"):
        kept_precisions(parse("mine", exception(**fields)), LAYERS)


@pytest.mark.parametrize(
    ("fields", "layer"),
    [
        ({"layers": '"^stem"'}, "stem_conv"),
        ({"operators": '["MUL", "ADD"]'}, "block1a_add"),
        ({"operators": '["ADD"]', "layers": '"block"'}, "block1a_add"),
    ],
)
def test_an_exception_keeps_the_layer_that_it_fits(fields: dict[str, str], layer: str) -> None:
    assert kept_precisions(parse("mine", exception(**fields)), LAYERS) == {layer: "float"}


def test_a_recipe_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('scheme = "int16x8"', "utf-8")
    recipe = find_recipe(str(path))
    assert (recipe.name, recipe.scheme) == ("mine", "int16x8")


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(UsageError) as caught:
        find_recipe("int8-bais")
    assert "int8-bias" in caught.value.hint


def test_a_missing_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.toml"):
        find_recipe(str(tmp_path / "absent.toml"))
