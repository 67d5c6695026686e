"""What a conversion says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from edgeeff.cli.summary import learned_rows, same_answers, size_of

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
