"""A tiny network whose weights are worth saving, and the same one with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.network.builder import build
from tests import networks
from tests.network.weight_files import TINY


@pytest.fixture(scope="session")
def trained() -> Any:
    """A tiny network whose weights are worth saving."""
    return networks.untrained(TINY, pictures=8)


@pytest.fixture(scope="session")
def other() -> tuple[Any, list[np.ndarray]]:
    """The same network with other weights, and these weights."""
    network = build(TINY, seed=1)
    return network, network.get_weights()


@pytest.fixture
def fresh(other: tuple[Any, list[np.ndarray]]) -> Any:
    """The same network with other weights, whatever an earlier test made of them."""
    network, initial = other
    network.set_weights(initial)
    return network


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path
