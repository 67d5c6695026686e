"""A user's own weights and networks of Keras, all the way to a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeeff.errors import InputError, UsageError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pipeline import conversion
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.reader import read_model
from tests.pipeline.quantizing import quantize


def of_keras(weights, *, classes, output):
    """Settings for the float file of small pictures from a file of Keras."""
    return conversion.Settings(
        precision="float32", weights=str(weights), classes=classes, resolution=32, output=output
    )


@pytest.mark.slow
def test_weights_trained_on_whole_pictures_are_not_fed_cropped_ones(tmp_path):
    import tf_keras

    network = tf_keras.applications.EfficientNetB0(weights=None, classes=3, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "own.weights.h5")
    settings = of_keras(tmp_path / "own.weights.h5", classes=3, output=tmp_path)
    made = conversion.convert("b0", settings)
    assert made.manifest.preprocessing.crop == 1
    assert made.manifest.preprocessing.mean == (0, 0, 0)
    assert any("--resize" in note for note in made.notes)
    cropped = conversion.convert("b0", replace(settings, resize="bilinear:0.9", force=True))
    assert cropped.manifest.preprocessing.crop == 0.9


@pytest.mark.slow
def test_weights_whose_network_answers_1_to_every_picture_are_refused(tmp_path):
    """Keras ends a network in a softmax unless it is told otherwise, also one of a single class."""
    import tf_keras

    network = tf_keras.applications.EfficientNetB0(weights=None, classes=1, input_shape=(32, 32, 3))
    network.save(tmp_path / "one.keras")
    out = tmp_path / "out"
    settings = of_keras(tmp_path / "one.keras", classes=1, output=out)
    with pytest.raises(InputError, match="a softmax of one value"):
        conversion.convert("b0", settings)
    assert not out.exists()


def own_network(classes=3):
    """A user's network of tf_keras that takes pixels as they are."""
    import tf_keras

    layers = tf_keras.layers
    image = tf_keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, 2, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return tf_keras.Model(image, x, name="flowers")


def test_a_model_in_memory_becomes_a_file_that_takes_bytes(tmp_path):
    made = conversion.convert_model(own_network(), conversion.Settings(output=tmp_path))
    assert made.model.name == "flowers-int8.tflite"
    assert read_model(made.model).integer_only
    manifest = read_manifest(made.model)
    assert manifest is not None
    assert manifest.weights is not None
    assert manifest.weights.difference is not None
    assert manifest.weights.difference < 1e-4
    assert (manifest.preprocessing.mean, manifest.preprocessing.std) == ((0, 0, 0), (1, 1, 1))


def test_a_model_that_answers_1_to_every_picture_is_refused_with_logits_too(tmp_path):
    """Nothing trained the logit: whatever it was, the answer was 1."""
    settings = conversion.Settings(output=tmp_path, precision="float32", logits=True)
    with pytest.raises(InputError, match="a softmax of one value"):
        conversion.convert_model(own_network(classes=1), settings)
    assert not list(tmp_path.glob("*.tflite"))


def test_a_model_s_file_gives_the_float_file_that_quantize_takes(tmp_path):
    own_network().save(tmp_path / "flowers.keras")
    settings = conversion.Settings(output=tmp_path, precision="float32", logits=True)
    made = conversion.convert_model(tmp_path / "flowers.keras", settings)
    assert made.model.name == "flowers-float32.tflite"
    assert "SOFTMAX" not in made.manifest.operators
    assert quantize(made.model, tmp_path / "out", recipe=None).manifest.integer_only


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "mine.h5"}, "--weights goes with --variant"),
        ({"classes": 4}, "--classes goes with --variant"),
        ({"resolution": 64}, "takes 32 x 32 pixels"),
        ({"mean": "0"}, "go together"),
        ({"batch": 0}, "--batch 0"),
    ],
)
def test_options_that_contradict_a_model_are_refused(changes, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        conversion.convert_model(own_network(), conversion.Settings(output=tmp_path, **changes))


def test_labels_of_another_number_than_a_model_s_classes_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("rose\ntulip\n")
    settings = conversion.Settings(output=tmp_path, labels=tmp_path / "labels.txt")
    with pytest.raises(InputError, match=r"labels\.txt: 2 class names for a model of 3 classes"):
        conversion.convert_model(own_network(), settings)


@pytest.mark.parametrize(("std", "remarked"), [("255", False), ("1", True)])
def test_pictures_that_batchnorm_did_not_see_in_training_are_remarked(std, remarked, tmp_path):
    import tf_keras

    layers = tf_keras.layers
    image = tf_keras.Input((32, 32, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(8, 3, use_bias=False)(image))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    model = tf_keras.Model(image, layers.Dense(3, activation="softmax")(x))
    model.get_layer("bn").momentum = 0.0
    pictures = synthetic_set(16, of_family("imagenet", 32)).pictures
    model(pictures.astype(np.float32) / 255, training=True)
    settings = conversion.Settings(output=tmp_path, mean="0", std=std, recipe="int8-bias")
    made = conversion.convert_model(model, settings)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["batchnorm"]
    assert any("times as far as BatchNorm" in note for note in made.notes) == remarked


def test_a_model_scaled_twice_is_said(tmp_path):
    settings = conversion.Settings(output=tmp_path, mean="127.5", std="127.5", precision="float32")
    made = conversion.convert_model(own_network(), settings)
    assert any("scaled twice" in note for note in made.notes)
