"""What a search on pictures takes where nothing is said."""

from __future__ import annotations

import pytest

from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.training.settings import TrainingSettings

TRAINING = TrainingSettings(dataset="digits")


@pytest.mark.parametrize(
    ("target", "precision"), [("cpu", "int8"), ("gpu", "float16"), ("edgetpu", "int8")]
)
def test_the_file_is_of_the_precision_that_suits_the_target(target, precision):
    settings = SearchSettings(TRAINING, target=target)
    assert settings.file_precision == settings.to_json()["precision"] == precision


def test_a_precision_that_is_named_is_the_files():
    assert SearchSettings(TRAINING, target="gpu", precision="int8").file_precision == "int8"
