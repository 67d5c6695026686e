"""Values of a recipe that can have no effect are refused; those that change nothing may be said."""

from __future__ import annotations

import dataclasses

import pytest

from edgeeff.errors import InputError
from edgeeff.quantization.recipes.idle import NEEDS
from edgeeff.quantization.recipes.recipe import (
    CHOICES,
    SCHEMES,
    STATIC,
    Bias,
    Ranges,
    Recipe,
    Round,
    parse,
)
from edgeeff.quantization.recipes.spelling import spelled


def corrected(kind: str, *lines: str) -> str:
    return "\n".join(["[[corrections]]", f'kind = "{kind}"', *lines, ""])


RANGES = "[ranges]\n"
NEAREST, OUTPUTS = 'method = "nearest"', 'target = "outputs"'
MEASURED = corrected("bias", 'means = "measured"')

IDLE = {
    "percentile of another estimator": (
        f'{RANGES}estimator = "mse"\npercentile = 99.0',
        "ranges.percentile = 99.0 does nothing with ranges.estimator = mse",
        "ranges.estimator = percentile",
    ),
    "odd pictures of no ranges": (
        f'scheme = "dynamic"\n{RANGES}odd = 2.0',
        "ranges.odd = 2.0 does nothing with scheme = dynamic",
        "scheme = int8 or int16x8",
    ),
    "the unit of one group": (
        corrected("group", "most = 1", "unit = 4"),
        "group.unit = 4 does nothing with group.most = 1",
        "group.most = 2 or more",
    ),
    "pictures that nobody replays": (
        corrected("round", NEAREST, "pictures = 5"),
        "round.pictures = 5 does nothing with round.method = nearest and "
        "round.target = weights and bias.means = batchnorm",
        "round.method = gptq or round.target = outputs or bias.means = measured",
    ),
    "synthetic pictures that nobody replays": (
        corrected("round", NEAREST, "synthetic = 0.0"),
        "round.synthetic = 0.0 does nothing",
        "round.method = gptq or round.target = outputs",
    ),
    "synthetic pictures of measured means": (
        corrected("round", "synthetic = 0.0") + MEASURED,
        "round.synthetic = 0.0 does nothing with bias.means = measured",
        "bias.means = batchnorm or pictures",
    ),
    "damping of nearest rounding": (
        corrected("round", NEAREST, "damping = 0.2"),
        "round.damping = 0.2 does nothing with round.method = nearest",
        "round.method = gptq",
    ),
    "the ridge of weights": (
        corrected("round", "ridge = 0.5"),
        "round.ridge = 0.5 does nothing with round.target = weights",
        "round.target = outputs",
    ),
}


@pytest.mark.parametrize(("text", "said", "wanted"), IDLE.values(), ids=IDLE.keys())
def test_a_value_without_effect_is_refused_with_what_it_goes_with(text, said, wanted) -> None:
    with pytest.raises(InputError) as caught:
        parse("mine", text)
    assert f"recipe mine: {said}" in caught.value.message
    assert caught.value.hint.endswith(f"it goes with {wanted}")


OTHERS = {"estimator": "mse", "batchnorm": "without-data"}
"""Values of keys whose values are words, that are not the default."""


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme not in STATIC])
@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Ranges)])
def test_no_range_goes_with_a_scheme_without_ranges(scheme: str, key: str) -> None:
    value = f'"{OTHERS[key]}"' if key in OTHERS else getattr(Ranges(), key) + 1
    value = 99 if key == "percentile" else value
    with pytest.raises(InputError, match=rf"ranges\.{key} = .* with scheme = {scheme}"):
        parse("mine", f'scheme = "{scheme}"\n{RANGES}{key} = {value}')


USED = {
    "percentile of its estimator": f'{RANGES}estimator = "percentile"\npercentile = 99.0',
    "pictures that outputs are kept on": corrected("round", NEAREST, OUTPUTS, "pictures = 5"),
    "pictures that means are measured on": corrected("round", NEAREST, "pictures = 5") + MEASURED,
    "the ridge of outputs": corrected("round", OUTPUTS, "ridge = 0.5"),
    "the unit of groups": corrected("group", "unit = 4"),
    "the default anywhere": 'scheme = "float16"\n[ranges]\nodd = 0.0\npercentile = 99.99',
}


@pytest.mark.parametrize("text", USED.values(), ids=USED.keys())
def test_a_value_that_has_an_effect_is_taken(text: str) -> None:
    assert parse("mine", text).text == text


def test_what_has_lost_its_effect_is_spelled_out_as_usual() -> None:
    """As where the part that used it was left out."""
    parts = (Round("nearest", pictures=5), Bias())
    made = spelled(Recipe("left", corrections=parts, ranges=Ranges(percentile=99.0)))
    assert made.corrections == (Round("nearest"), Bias())
    assert made.ranges == Ranges()
    assert parse("left", made.text) == made


def test_every_value_that_is_asked_for_is_one_that_can_be_said() -> None:
    choices = {key: values for (_, key), values in CHOICES.items()} | {"scheme": SCHEMES}
    words = [(key, values) for _, _, ways in NEEDS for _, key, values in ways if key != "most"]
    assert words
    assert all(set(values) <= set(choices[key]) for key, values in words)
