"""The tables say what PyTorch's libraries call every tensor, and what shape it has."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.state_dicts.layouts import BATCHNORM, find_layout, places
from edgeeff.state_dicts.origins import ORIGINS
from tests.state_dicts.libraries import DIGESTS, NETWORKS

CLASSES = 10


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_names_and_shapes_are_the_library_s(library: str, name: str) -> None:
    origin = ORIGINS[library]
    network = replace(origin.network(find_variant(name)), classes=CLASSES)
    found = places(origin.layout, network)
    shapes = sorted((theirs, list(place.shape)) for theirs, place in found.items())
    assert hashlib.sha256(json.dumps(shapes).encode()).hexdigest() == DIGESTS[library][name]


def test_every_origin_was_compared_with_its_library() -> None:
    assert set(DIGESTS) == set(ORIGINS)


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_a_layout_is_told_by_its_own_names(library: str, name: str) -> None:
    layout = ORIGINS[library].layout
    assert find_layout(places(layout, find_variant(name))) is layout


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_every_tensor_has_a_place_of_its_own(library: str, name: str) -> None:
    origin = ORIGINS[library]
    found = places(origin.layout, origin.network(find_variant(name)))
    ours = [place.ours for place in found.values()]
    assert len(set(ours)) == len(ours)
    norms = {name.partition("/")[0] for name in ours if name.endswith("/gamma")}
    assert {f"{norm}/{variable}" for norm in norms for variable in BATCHNORM} <= set(ours)


def test_a_kernel_is_turned_from_pytorch_s_layout_to_keras() -> None:
    found = places(ORIGINS["timm"].layout, find_variant("b0"))
    kernel, depthwise, dense = (
        found[name]
        for name in ("conv_stem.weight", "blocks.0.0.conv_dw.weight", "classifier.weight")
    )
    values = np.arange(32 * 3 * 9).reshape(kernel.shape)
    assert kernel.keras(values).shape == (3, 3, 3, 32)
    assert kernel.keras(values)[2, 1, 0, 7] == values[7, 0, 2, 1]
    assert depthwise.keras(np.zeros(depthwise.shape)).shape == (3, 3, 32, 1)
    assert dense.keras(np.zeros(dense.shape)).shape == (1280, 1000)
