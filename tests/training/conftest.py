"""Runs on digits: a network of the family that learns in seconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeeff.training.runs import Run
from edgeeff.training.settings import Augmentation, TrainingSettings
from edgeeff.training.train import train

TINY = "b0-phi-8"
"""Compound-scaled down: 0.4 million weights, with swish and squeeze-excite."""


def tiny(**changes) -> TrainingSettings:
    usual = {
        "variant": TINY,
        "dataset": "digits",
        "resolution": 32,
        "weights": "none",
        "epochs": 3,
        "batch": 64,
        "augmentation": Augmentation(crop=0.6, colour=0.1),
    }
    return TrainingSettings(**{**usual, **changes})


@pytest.fixture(scope="session")
def settings() -> Callable[..., TrainingSettings]:
    """Makes settings of a quick training, some of them changed."""
    return tiny


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of three epochs on digits."""
    return train(tiny(), tmp_path_factory.mktemp("runs") / "digits")
