"""A float .tflite speaks of layers, predicts as its weights should, and is always the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.litert import rewrite, statistics
from edgeeff.litert.runner import Runner
from edgeeff.preprocessing import Preprocessing
from edgeeff.variants import find_variant

CATS = range(281, 286)
"""ImageNet's tabby, tiger cat, Persian, Siamese and Egyptian cat."""


def probabilities(path: Path, picture: Any) -> np.ndarray:
    preprocessing = Preprocessing.of(find_variant("lite0"))
    image = preprocessing.normalised(preprocessing.pixels(picture))
    return Runner(path).run(image[None])[0][0]


@pytest.mark.parametrize(
    ("photograph", "classes"),
    [("coffee", [967]), ("camera", [872]), ("chelsea", CATS), ("rocket", [657, 744, 812, 518])],
)
def test_lite0_knows_photographs(lite0_float, photographs, photograph, classes) -> None:
    assert int(probabilities(lite0_float, photographs[photograph]).argmax()) in classes


@pytest.mark.parametrize("network", ["lite0_float", "tiny_float", "b0_float"])
class TestAnyNetwork:
    @pytest.fixture
    def content(self, network: str, request: pytest.FixtureRequest) -> bytes:
        return request.getfixturevalue(network).read_bytes()

    def test_every_tensor_has_a_name_of_its_own(self, content: bytes) -> None:
        tensors = rewrite.unpack(content).subgraphs[0].tensors
        names = [rewrite.tensor_name(tensor) for tensor in tensors]
        assert "" not in names
        assert len(set(names)) == len(names)
        assert not [name for name in names if ";" in name or "constant" in name]
