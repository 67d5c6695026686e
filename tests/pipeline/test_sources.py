"""A network's weights are looked at before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeeff.errors import UsageError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import sources
from edgeeff.pipeline.settings import Settings
from tests.pipeline.narrow import NARROW, state_dict


def test_pytorch_s_weights_say_classes_and_preprocessing(tmp_path: Path) -> None:
    found = sources.find(NARROW, Settings(weights=state_dict(tmp_path, 7)))
    assert found.variant.classes == 7
    assert found.variant.padding == "symmetric"
    assert found.preprocessing.crop == 0.875
    assert found.preprocessing.resolution == 224


def test_the_user_s_own_preprocessing_counts_more(tmp_path: Path) -> None:
    said = Settings(
        weights=state_dict(tmp_path, 7),
        resolution=160,
        mean="0",
        std="255",
        resize="bilinear:0.9",
    )
    found = sources.find(NARROW, said).preprocessing
    assert found == Preprocessing(160, (0, 0, 0), (255, 255, 255), "bilinear", 0.9)


def test_the_origin_of_weights_that_are_no_state_dict_is_refused() -> None:
    with pytest.raises(UsageError, match="--weights-from"):
        sources.find(NARROW, Settings(weights="none", weights_from="timm"))


def test_a_mean_without_a_std_is_refused() -> None:
    with pytest.raises(UsageError, match="go together"):
        sources.find(NARROW, Settings(weights="none", mean="0"))
