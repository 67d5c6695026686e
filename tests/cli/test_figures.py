"""Figures of fidelity in words."""

from __future__ import annotations

import pytest

from edgeeff.cli.figures import LONGEST_NAME, fidelity_rows, layer_name

FOUND = {
    "images": 20,
    "agreement": 1.0,
    "sqnr_db": 3.3,
    "median_image_sqnr_db": 23.46,
    "kl": 0.02,
}


def test_each_figure_says_what_it_amounts_to() -> None:
    assert fidelity_rows(FOUND) == [
        (
            "same top-1",
            "20 of 20 pictures (83.9% to 100.0%): good, as far as 20 pictures can tell",
        ),
        ("SQNR, median picture", "23.5 dB: good (good is above 21 dB)"),
        (
            "SQNR, all together",
            "3.3 dB: a few pictures own the error, and are answered much worse",
        ),
        ("KL divergence", "0.0200 nats: fair (good is below 0.01)"),
    ]


def test_a_sum_near_the_median_is_of_all_pictures() -> None:
    assert dict(fidelity_rows(FOUND | {"sqnr_db": 20.4}))["SQNR, all together"] == "20.4 dB"


def test_a_sum_that_is_good_leaves_no_picture_that_is_answered_much_worse() -> None:
    found = FOUND | {"median_image_sqnr_db": 44.9, "sqnr_db": 37.0}
    assert dict(fidelity_rows(found))["SQNR, all together"] == "37.0 dB"


def test_a_share_of_synthetic_pictures_gets_no_grade() -> None:
    told = dict(fidelity_rows(FOUND, synthetic=True))["same top-1"]
    assert told.startswith("20 of 20 pictures (83.9% to 100.0%); synthetic")
    assert "good" not in told


def test_what_has_no_meaning_for_a_model_is_left_out() -> None:
    found = FOUND | {"agreement": None, "kl": None}
    assert [name for name, _ in fidelity_rows(found)] == [
        "SQNR, median picture",
        "SQNR, all together",
    ]


def test_equal_answers_have_no_error() -> None:
    found = dict(fidelity_rows(FOUND | {"median_image_sqnr_db": None, "sqnr_db": None}))
    assert found["SQNR, median picture"] == "no error: good"
    assert found["SQNR, all together"] == "no error"


FUSED = "net.Net/torch.nn.modules.container.Sequential_{0}/torch.nn.modules.conv.Conv2d_{1}"


@pytest.mark.parametrize("part", [";", ";;"])
def test_of_a_long_name_of_several_operators_the_first_is_told_without_modules(part: str) -> None:
    name = part.join((FUSED.format(3, 0), FUSED.format(3, 1), "2"))
    assert layer_name(name) == "Net/Sequential_3/Conv2d_0"


def test_of_a_name_that_is_still_too_long_the_end_is_told() -> None:
    short = layer_name("/".join(f"block{number}" for number in range(99)))
    assert short == "…/block92/block93/block94/block95/block96/block97/block98"
    assert len(layer_name("x" * 99)) == LONGEST_NAME


@pytest.mark.parametrize("name", ["stem_conv", "a.b/c.d;e", "x" * LONGEST_NAME])
def test_a_short_name_stays_as_it_is(name: str) -> None:
    assert layer_name(name) == name
