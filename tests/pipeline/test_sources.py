"""A network's weights are looked at before anything is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import UsageError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import sources
from edgeeff.pipeline.settings import Settings
from edgeeff.state_dicts.layouts import places
from edgeeff.state_dicts.origins import ORIGINS

NARROW = replace(find_variant("b0"), width=0.125)


def state_dict(folder: Path, classes: int) -> str:
    """A torchvision network's weights."""
    network = replace(NARROW, classes=classes)
    found = places(ORIGINS["torchvision"].layout, network)
    arrays = {name: np.zeros(place.shape, np.float32) for name, place in found.items()}
    safetensors.numpy.save_file(arrays, folder / "best.safetensors")
    return str(folder / "best.safetensors")


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
