"""What a conversion says of itself."""

from __future__ import annotations

import pytest

from edgeeff.cli.summary import learned_rows, size_of


@pytest.mark.parametrize(("end", "said"), [(8.25, True), (7.0, True), (9.5, False)])
def test_training_that_gained_nothing_says_so(end: float, said: bool) -> None:
    fields = {"steps": 20, "batch": 16, "count": 160, "source": "photos", "start_db": 8.2}
    ((_, told),) = learned_rows(fields | {"end_db": end})
    assert ("NO GAIN" in told) == said


def test_without_training_there_is_nothing_to_say() -> None:
    assert learned_rows(None) == []


@pytest.mark.parametrize(
    ("count", "told"),
    [(640, "0.64 kB"), (99_900, "99.90 kB"), (100_000, "0.10 MB"), (1_250_000_000, "1.25 GB")],
)
def test_a_size_is_told_in_a_unit_that_suits_it(count: int, told: str) -> None:
    assert size_of(count) == told
