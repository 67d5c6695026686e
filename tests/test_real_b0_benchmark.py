"""The pictures and figures of ``benchmarks/quantization.py --real-b0``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeeff.pictures.preprocessing import of_family

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import real_b0


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Forty pictures whose shade is their place in the folder."""
    for shade in range(40):
        Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / f"{shade:02}.png")
    return tmp_path


def test_no_picture_both_calibrates_or_chooses_and_judges(shades: Path) -> None:
    used = (real_b0.CALIBRATION, real_b0.CHOOSING, real_b0.JUDGED)
    places = [set(real_b0.chosen(shades, of_family("lite", 8), one).ravel()) for one in used]
    assert places[0] == {0, 10, 20, 30}
    assert sum(map(len, places)) == len(set.union(*places))


def test_every_nth_of_those_places_is_taken(shades: Path) -> None:
    judged = real_b0.chosen(shades, of_family("lite", 8), real_b0.JUDGED, real_b0.EVERY)
    assert judged[:, 0, 0, 0].tolist() == [1, 7, 13, 18, 24, 29, 36]


def test_the_worst_picture_and_the_answers_behind_a_head_are_counted() -> None:
    truth = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)
    found = truth.copy()
    found[2] *= -1
    fields = real_b0.feature_fields(truth, found)
    assert fields["worst_image_sqnr_db"] == pytest.approx(10 * np.log10(1 / 4))
    assert fields["agreement_random_head"]["value"] == 0.75
    assert fields["median_image_sqnr_db"] == np.inf
