"""What ``build`` makes is the published network: in size, in shape and in its numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tf_keras

from edgeeff.architectures.variants import VARIANTS, counts, scaled
from edgeeff.errors import UsageError
from edgeeff.network.builder import ACTIVATIONS, build
from edgeeff.pictures.preprocessing import Preprocessing

TINY = replace(scaled(-9), name="tiny", resolution=32, classes=10)
SHORT_LITE = replace(VARIANTS["lite0"], name="short", depth=0.4, resolution=32, classes=10)
SHORT_EDGETPU = replace(VARIANTS["edgetpu-s"], name="short", depth=0.1, resolution=64)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_network_holds_the_parameters_that_were_counted(name: str) -> None:
    model = build(VARIANTS[name], resolution=32)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    expected = counts(VARIANTS[name])
    assert (model.count_params(), trainable) == (expected.parameters, expected.trainable)


@pytest.fixture(scope="module")
def plain() -> Any:
    """The tiny network as it begins; not to be changed."""
    return build(TINY)


class TestAgainstKeras:
    """The same weights give the outputs of ``keras.applications``.

    Theirs takes 0..255 and normalises in the graph; ours takes what ``Preprocessing`` made.
    The resolutions halve to odd sides on the way, where padding rules could differ.
    """

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "resolution"),
        [
            ("b0", 96),
            ("b1", 60),
            ("b2", 76),
            ("b3", 75),
            ("b4", 95),
            ("b5", 64),
            ("b6", 66),
            ("b7", 64),
        ],
    )
    def test_outputs_agree_with_those_of_keras(self, name: str, resolution: int) -> None:
        rng = np.random.default_rng(7)
        pictures = rng.integers(0, 256, (8, resolution, resolution, 3), np.uint8)
        theirs = keras_network(name, resolution, rng)
        learn_statistics(theirs, pictures.astype(np.float32))
        ours = build(VARIANTS[name], resolution=resolution)
        copy_by_name(theirs, ours)

        expected = theirs(pictures.astype(np.float32), training=False).numpy()
        normalised = Preprocessing.of(VARIANTS[name], resolution).normalised(pictures)
        found = ours(normalised, training=False).numpy()

        spread = np.abs(expected - expected.mean(axis=0)).max()
        assert spread > 0.01 * np.abs(expected).max()  # the pictures do matter
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()

    def test_padding_leaves_no_layer_of_its_own(self, plain: Any) -> None:
        kinds = {type(layer).__name__ for layer in plain.layers}
        assert "ZeroPadding2D" not in kinds


def keras_network(name: str, resolution: int, rng: np.random.Generator) -> Any:
    """Theirs, with no weight left at a value that hides a mistake (zero biases, unit gains)."""
    tf_keras.utils.set_random_seed(7)
    make = getattr(tf_keras.applications, f"EfficientNet{name.upper()}")
    model = make(weights=None, input_shape=(resolution, resolution, 3), classifier_activation=None)
    normalization = next(
        layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization)
    )
    std = np.array((0.229, 0.224, 0.225), np.float32)
    normalization.set_weights([np.float32((0.485, 0.456, 0.406)), std**2, np.int64(1)])
    normalization.finalize_state()
    for weight in model.trainable_weights:
        if weight.shape.rank == 1:
            weight.assign_add(rng.normal(0, 0.1, weight.shape).astype(np.float32))
    return model


def learn_statistics(model: Any, pictures: np.ndarray) -> None:
    """Let every BatchNorm take its mean and variance from one batch, with nothing dropped.

    They then fit the network as it is used, and rounding errors do not grow on the way.
    """
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0.0
    model(pictures, training=True)


def copy_by_name(source: Any, target: Any) -> None:
    """Copy all weights; every layer that has some must have its like on the other side."""
    renamed = {"predictions": "logits"}
    weights = {
        renamed.get(layer.name, layer.name): layer.get_weights()
        for layer in source.layers
        if layer.weights and not isinstance(layer, tf_keras.layers.Normalization)
    }
    targets = {layer.name: layer for layer in target.layers if layer.weights}
    assert weights.keys() == targets.keys()
    for name, layer in targets.items():
        layer.set_weights(weights[name])


class TestShape:
    def test_input_and_output_are_named_and_sized(self) -> None:
        model = build(TINY, classes=7, resolution=48)
        assert model.input_names == ["image"]
        assert model.output_names == ["logits"]
        assert model.input_shape == (None, 48, 48, 3)
        assert model.output_shape == (None, 7)

    @pytest.mark.slow
    @pytest.mark.parametrize(("name", "classes"), [("lite0", 1000), ("edgetpu-s", 1001)])
    def test_a_variant_has_its_own_classes_and_resolution(self, name: str, classes: int) -> None:
        model = build(VARIANTS[name])
        assert model.output_shape == (None, classes)
        assert model.input_shape == (None, 224, 224, 3)

    def test_the_graph_is_flat(self, plain: Any) -> None:
        assert not any(isinstance(layer, tf_keras.Model) for layer in plain.layers)

    def test_a_fused_block_halves_the_picture_in_its_projection(self) -> None:
        model = build(SHORT_EDGETPU)
        assert model.get_layer("block2a_expand_conv").output_shape == (None, 32, 32, 192)
        assert model.get_layer("block2a_project_conv").output_shape == (None, 16, 16, 32)


class TestOptions:
    @pytest.mark.slow
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_an_activation_is_used_everywhere(self, activation: str) -> None:
        model = build(TINY, activation=activation)
        x = np.linspace(-8, 8, 33, dtype=np.float32)
        expected = {
            "swish": x / (1 + np.exp(-x)),
            "hard_swish": x * np.clip(x + 3, 0, 6) / 6,
            "relu6": np.clip(x, 0, 6),
            "relu": np.maximum(x, 0),
        }[activation]
        users = [layer for layer in model.layers if layer.name.endswith(("_activation", "reduce"))]
        assert len(users) == sum(1 + block.expands + 1 for block in TINY.blocks) + 2
        for layer in users:
            np.testing.assert_allclose(layer.activation(x).numpy(), expected, atol=1e-6)

    @pytest.mark.slow
    def test_a_saved_network_loads_with_its_activation(self, tmp_path: Any) -> None:
        model = build(TINY, activation="hard_swish")
        model.save(tmp_path / "tiny.keras")
        again = tf_keras.models.load_model(tmp_path / "tiny.keras")
        image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
        np.testing.assert_array_equal(again(image), model(image))

    def test_dropout_and_stochastic_depth_are_those_of_the_variant(self) -> None:
        model = build(SHORT_LITE)
        rates = {
            layer.name: layer.rate
            for layer in model.layers
            if isinstance(layer, tf_keras.layers.Dropout)
        }
        assert rates.pop("top_dropout") == 0.2
        assert rates == {
            f"{block.name}_drop": block.drop_rate for block in SHORT_LITE.blocks if block.residual
        }

    def test_both_can_be_changed(self) -> None:
        model = build(SHORT_LITE, dropout=0.5, survival=0.6)
        assert model.get_layer("top_dropout").rate == 0.5
        blocks = [block.name for block in SHORT_LITE.blocks]
        index = blocks.index("block6b")
        assert model.get_layer("block6b_drop").rate == pytest.approx(0.4 * index / len(blocks))

    def test_both_can_be_left_out(self) -> None:
        model = build(SHORT_LITE, dropout=0.0, survival=1.0)
        assert not any(isinstance(layer, tf_keras.layers.Dropout) for layer in model.layers)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"activation": "swisch"}, "unknown activation 'swisch'"),
            ({"classes": 0}, "of 0 classes"),
            ({"resolution": 0}, "at 0 pixels"),
            ({"dropout": 1.0}, "dropout 1.0"),
            ({"survival": 0.0}, "survival 0.0"),
        ],
    )
    def test_values_out_of_range_are_refused(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            build(TINY, **options)


class TestInitialWeights:
    def test_the_same_seed_gives_the_same_network(self, plain: Any) -> None:
        for one, other in zip(plain.get_weights(), build(TINY).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_another_seed_gives_another(self, plain: Any) -> None:
        one, other = (
            network.get_layer("top_conv").get_weights()[0]
            for network in (plain, build(TINY, seed=1))
        )
        assert np.abs(one - other).max() > 0

    def test_a_layer_starts_the_same_whatever_is_around_it(self, plain: Any) -> None:
        other = build(TINY, classes=5, activation="relu", survival=1.0)
        for name in ("stem_conv", "block3a_dwconv", "top_conv"):
            np.testing.assert_array_equal(
                plain.get_layer(name).get_weights()[0], other.get_layer(name).get_weights()[0]
            )

    @pytest.mark.parametrize("layer", ["top_conv", "block6a_dwconv", "block5a_project_conv"])
    def test_convolutions_spread_by_the_rule_of_the_reference(self, plain: Any, layer: str) -> None:
        kernel = plain.get_layer(layer).get_weights()[0]
        height, width, _, filters = kernel.shape
        assert kernel.std() == pytest.approx((2 / (height * width * filters)) ** 0.5, rel=0.05)

    def test_the_classifier_is_uniform_within_the_rule_of_the_reference(self) -> None:
        kernel, bias = build(TINY, classes=400).get_layer("logits").get_weights()
        assert np.abs(kernel).max() == pytest.approx(1 / 400**0.5, rel=0.01)
        assert not bias.any()
