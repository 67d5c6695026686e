"""A network with PyTorch's weights predicts what PyTorch does.

tests/state_dicts/data was made by torchvision (benchmarks/pytorch_references.py, ``tiny``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgeeff.errors import UsageError
from edgeeff.network.builder import build
from edgeeff.network.export import export
from edgeeff.network.weights import load
from edgeeff.state_dicts.reading import StateDict, read
from edgeeff.tflite.runner import Runner
from tests import networks

DATA = Path(__file__).parents[1] / "state_dicts" / "data"
TINY = networks.tiny_variant()
SYMMETRIC = replace(TINY, padding="symmetric")


@pytest.fixture(scope="module")
def state() -> StateDict:
    return read(DATA / "torchvision.zip.pth", TINY)


def test_both_of_pytorch_s_formats_hold_the_same(state: StateDict) -> None:
    other = read(DATA / "torchvision.legacy.pth", TINY)
    assert list(other.tensors) == list(state.tensors)
    for name, values in other.tensors.items():
        np.testing.assert_array_equal(values, state.tensors[name])


def test_the_exported_network_predicts_as_torchvision(state: StateDict, tmp_path: Path) -> None:
    model = build(state.variant)
    loaded = load(model, state.variant, state)
    export(model, tmp_path / "m.tflite", preprocessing=state.preprocessing(), activation="linear")
    runner = Runner(tmp_path / "m.tflite")
    expected = np.load(DATA / "torchvision.npz")
    found = np.concatenate([runner.run(image[None])[0] for image in expected["image"]])
    largest = np.abs(expected["logits"]).max()
    np.testing.assert_allclose(found, expected["logits"], rtol=0, atol=1e-4 * largest)
    assert loaded.trained
    assert "read as torchvision's tiny" in loaded.notes[0]


@pytest.mark.parametrize("other", [{"epsilon": 1e-3}, {"padding": "same"}])
def test_a_network_that_is_built_otherwise_is_refused(state: StateDict, other: dict) -> None:
    model = build(replace(state.variant, **other))
    with pytest.raises(UsageError, match="not built as torchvision builds it"):
        load(model, state.variant, state)


def test_another_number_of_classes_keeps_all_but_the_head(state: StateDict) -> None:
    loaded = load(build(state.variant, classes=3), state.variant, state)
    assert not loaded.trained
    assert "10 classes, not 3" in loaded.notes[-1]


@pytest.fixture(scope="module", params=[31, 32])
def symmetric(request: pytest.FixtureRequest) -> Any:
    return build(SYMMETRIC, resolution=request.param)


@pytest.mark.parametrize("layer", ["stem_conv", "block2a_dwconv", "block3a_dwconv"])
def test_symmetric_padding_is_pytorch_s_on_even_and_odd_sides(symmetric: Any, layer: str) -> None:
    convolution = symmetric.get_layer(layer)
    padded = f"{layer}_pad" in names(symmetric)
    given = symmetric.get_layer(f"{layer}_pad") if padded else convolution
    part = tf_keras.Model(given.input, convolution.output)
    inputs = np.random.default_rng(0).normal(size=(1, *given.input.shape[1:])).astype(np.float32)
    around = (convolution.kernel_size[0] - 1) // 2
    pads = [[0, 0], [around, around], [around, around], [0, 0]]
    operation = tf.nn.conv2d if layer == "stem_conv" else tf.nn.depthwise_conv2d
    expected = operation(inputs, convolution.weights[0], [1, 2, 2, 1], pads)
    np.testing.assert_allclose(part(inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_padding_takes_an_operator_only_where_it_differs() -> None:
    network = build(SYMMETRIC, resolution=30)
    # 30, 15, 8: on the odd side, both paddings agree.
    padded = [name for name in names(network) if name.endswith("_pad")]
    assert padded == ["stem_conv_pad", "block3a_dwconv_pad"]


def names(model: tf_keras.Model) -> list[str]:
    return [layer.name for layer in model.layers]
