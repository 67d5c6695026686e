"""What a conversion says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from edgeeff.cli.summary import (
    accuracy_rows,
    corrections_rows,
    learned_rows,
    same_answers,
    show_kept,
    size_of,
    verdict_rows,
)
from edgeeff.cli.terminal import Terminal

LEARNED: dict[str, Any] = {
    **{"steps": 20, "batch": 16, "count": 160, "source": "photos"},
    **{
        "start_db": 8.2,
        "end_db": 9.5,
        "judged": 32,
        "same_answers": 1.0,
        "unlike_of": "block3a_bn",
    },
}


@pytest.mark.parametrize(("end", "said"), [(8.25, True), (7.0, True), (9.5, False)])
def test_training_that_gained_nothing_says_so(end: float, said: bool) -> None:
    (_, told), _ = learned_rows(LEARNED | {"end_db": end})
    assert ("NO GAIN" in told) == said


@pytest.mark.parametrize(("same", "said"), [(0.9, True), (0.99, False)])
def test_a_file_that_answers_otherwise_than_was_trained_names_the_layer(
    same: float, said: bool
) -> None:
    _, (_, told) = learned_rows(LEARNED | {"same_answers": same})
    assert ("block3a_bn" in told) == said


def test_without_training_there_is_nothing_to_say() -> None:
    assert learned_rows(None) == []


@pytest.mark.parametrize(
    ("count", "told"),
    [(640, "0.64 kB"), (99_900, "99.90 kB"), (100_000, "0.10 MB"), (1_250_000_000, "1.25 GB")],
)
def test_a_size_is_told_in_a_unit_that_suits_it(count: int, told: str) -> None:
    assert size_of(count) == told


TRIAL: dict[str, Any] = {"agreement": 0.9375, "images": 32}


def test_a_share_of_few_pictures_is_a_count_with_its_interval() -> None:
    assert same_answers(TRIAL) == "30 of 32 (80% to 98%)"


@pytest.mark.parametrize("former", [{"agreement": 0.9375}, {"agreement": 0.9375, "images": 0}])
def test_a_manifest_that_does_not_count_pictures_has_its_share_alone(former) -> None:
    assert same_answers(former) == "93.8%"


HELPFUL: dict[str, Any] = {
    "left_out": ["ranges", "group"],
    "sqnr_db": 12.6,
    "whole_db": -5.9,
    "plain_db": 11.0,
    "median_db": 13.1,
    "whole_median_db": 19.7,
    "pictures": 16,
}


def test_what_was_left_out_is_said_with_the_measure_and_the_median_either_way() -> None:
    assert dict(corrections_rows(HELPFUL)) == {
        "against plain rounding": "+1.6 dB by the mean of 16 pictures",
        "left out of the recipe": "ranges, group: 18.5 dB better without",
        "their median picture": "13.1 dB, and 19.7 dB with all of the recipe",
    }


def test_a_recipe_that_helps_whole_has_nothing_left_out() -> None:
    assert len(corrections_rows(HELPFUL | {"left_out": []})) == 1


JUDGED: dict[str, Any] = {
    "images": 100,
    "data": "photos",
    "top1": {"value": 0.9, "ci95": [0.826, 0.945]},
    "reference_accuracy": {"top1": {"value": 0.92, "ci95": [0.85, 0.96]}},
    "top1_drop": {"value": 0.02, "ci95": [-0.01, 0.05]},
    "fidelity": {
        "images": 100,
        "agreement": 0.97,
        "sqnr_db": 24.0,
        "median_image_sqnr_db": 25.5,
        "kl": 0.002,
    },
}


def test_labelled_pictures_show_both_accuracies_the_drop_and_the_fidelity() -> None:
    told = dict(accuracy_rows(JUDGED))
    assert told["of --eval-data"] == "100 pictures of photos"
    assert told["top-1"] == "90.00% of 100 pictures (82.6% to 94.5%)"
    assert told["top-1 of float"] == "92.00% of 100 pictures (85.0% to 96.0%)"
    assert told["top-1 below float"] == "2.00 points (-1.00 to 5.00)"
    assert told["SQNR, median picture"].startswith("25.5 dB")


def test_pictures_without_labels_show_the_fidelity() -> None:
    unlabelled = {"top1": None, "reference_accuracy": None, "top1_drop": None}
    told = dict(accuracy_rows(JUDGED | unlabelled))
    assert {"of --eval-data", "same top-1", "KL divergence"} <= set(told)
    assert not {name for name in told if name.startswith("top-1")}


@pytest.mark.parametrize(
    ("fidelity", "accuracy", "told"),
    [
        ({"images": 4, "pictures": "photos"}, None, ", as far as 4 pictures can tell"),
        ({"images": 1, "pictures": "photos"}, None, ", as far as 1 picture can tell"),
        (
            {"images": 20, "pictures": "synthetic"},
            None,
            ", as far as 20 synthetic pictures can tell",
        ),
        (None, {"fidelity": {"images": 92}}, ", as far as 92 pictures can tell"),
        (None, {"fidelity": {"images": 93}}, ""),
        ({"images": 4, "pictures": "photos"}, {"fidelity": {"images": 500}}, ""),
        ({"images": 500, "pictures": "photos"}, {"fidelity": None}, ""),
    ],
)
def test_a_verdict_on_few_pictures_says_how_many(
    fidelity: dict[str, Any] | None, accuracy: dict[str, Any] | None, told: str
) -> None:
    ((_, verdict),) = verdict_rows({"good": True}, fidelity, accuracy)
    assert verdict == f"answers as float{told}"


LONG = ";".join(f"net.Net/torch.nn.Sequential_{n}/torch.nn.Conv2d" for n in (1, 2))
MIXED: dict[str, Any] = {
    "sqnr_db": 14.0,
    "pictures": 24,
    "kept": [
        {
            "blocks": [LONG],
            "precision": "float16",
            "sqnr_db": 17.6,
            "added_bytes": 900,
            "slower_percent": None,
        }
    ],
    "full_integer": {
        "bytes": 100_000,
        "fidelity": {"sqnr_db": 9.0, "median_image_sqnr_db": 15.0},
    },
}


def kept(capsys: pytest.CaptureFixture[str], median: float | None, summed: float | None) -> Any:
    held_out = {"images": 12, "sqnr_db": summed, "median_image_sqnr_db": median}
    show_kept(Terminal(), MIXED, held_out)
    return capsys.readouterr()


def test_a_search_is_shown_from_full_integer_on_with_short_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [line.split("  ")[0] for line in kept(capsys, 16.0, 9.1).out.splitlines()]
    assert "nothing (full integer)" in rows
    assert "Net/Sequential_1/Conv2d" in rows


def test_what_was_kept_is_compared_with_full_int8_on_pictures_that_chose_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = kept(capsys, 16.0, 9.1)
    assert (
        "from full int8 (0.10 MB) on 12 held-out pictures: median picture 15.0 dB → 16.0 dB, "
        "all together 9.0 dB → 9.1 dB"
    ) in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("median", "summed", "gains"),
    [(15.05, 9.05, False), (14.0, 8.0, False), (14.0, 9.2, True), (None, 8.0, True)],
)
def test_layers_that_gain_nothing_on_other_pictures_are_said_to(
    capsys: pytest.CaptureFixture[str], median: float | None, summed: float, gains: bool
) -> None:
    assert ("gain nothing" in kept(capsys, median, summed).err) is not gains
