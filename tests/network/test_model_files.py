"""A user's own Keras classifier becomes the same function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgeeff.errors import InputError
from edgeeff.network import model_export, model_files
from edgeeff.network.same_function import difference
from edgeeff.pictures.preprocessing import from_options
from edgeeff.tflite.logits import final_activation
from tests.network.classifiers import LAYERS, PICTURE, SAVED_BY_KERAS, SIDE, classifier, trunk

pytestmark = SAVED_BY_KERAS


def flat() -> Any:
    """A head on the trunk's own input, without nesting."""
    base = trunk()
    x = LAYERS.GlobalAveragePooling2D()(base.output)
    return tf_keras.Model(base.input, LAYERS.Dense(3, activation="softmax")(x))


FRONTS: dict[str, Callable[[], Any]] = {
    "rescaling": lambda: LAYERS.Rescaling(1 / 255),
    "normalization": lambda: LAYERS.Normalization(
        mean=[123.0, 116.0, 104.0], variance=[3400.0, 3300.0, 3500.0]
    ),
    "minus one to one": lambda: LAYERS.Rescaling(1 / 127.5, offset=-1.0),
}


PIXELS = from_options(SIDE, "0", "255")


def same_function(path: Path, mean: str = "0", std: str = "1") -> float:
    """The largest difference of the .tflite's answers; an error if it is above 1e-4."""
    read = model_files.read(path)
    graph = model_export.exported(read, PICTURE, 1).graph
    how = from_options(SIDE, mean, std)
    return difference(read.name, read.call, graph.content(), how)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "activation"),
    [("net.keras", 3, "softmax"), ("net.h5", 1, "sigmoid"), ("net", 5, "sigmoid")],
)
def test_every_saving_format_answers_as_the_model_does(
    name: str, classes: int, activation: str, tmp_path: Path
) -> None:
    front = (LAYERS.RandomFlip("horizontal"), LAYERS.Rescaling(1 / 255))
    network = classifier(*front, classes=classes, activation=activation)
    network.save(tmp_path / name, save_format=None if "." in name else "tf")
    assert same_function(tmp_path / name) < 1e-4


def test_names_that_no_graph_can_have_are_kept_out_of_it() -> None:
    keras = importlib.import_module("keras")
    layers = [keras.layers.Flatten(name="_flach"), keras.layers.Dense(3, name="Größe (1)")]
    network = keras.Sequential([keras.Input(PICTURE), *layers], name="my model (v2)")
    read = model_files.of_model(network)
    graph = model_export.exported(read, PICTURE, 1).graph
    assert difference(read.name, read.call, graph.content(), PIXELS) < 1e-4
    assert network.name == "my model (v2)"
    assert [layer.name for layer in network.layers] == ["_flach", "Größe (1)"]


@pytest.mark.parametrize("traced_only", [True, False])
def test_a_picture_counts_only_if_the_order_of_work_leaves_its_answer(traced_only: bool) -> None:
    """As a saturated softmax of two scores near each other tells it of a network of noise."""
    network = tf_keras.Sequential([tf_keras.Input(PICTURE), LAYERS.Flatten(), LAYERS.Dense(3)])
    graph = model_export.exported(model_files.of_model(network), PICTURE, 1).graph

    def another(images: Any) -> Any:
        white = tf.reduce_mean(images, axis=(1, 2, 3)) > 254
        moved = 1e3 * tf.cast(white, tf.float32)[:, None]
        return network(images) + (0.0 if traced_only and tf.executing_eagerly() else moved)

    how = from_options(SIDE, "0", "1")
    if traced_only:
        assert difference("it", another, graph.content(), how) < 0.1
    else:
        with pytest.raises(InputError, match="is not the same function"):
            difference("it", another, graph.content(), how)


def test_a_network_that_is_not_nested_is_read_too(tmp_path: Path) -> None:
    flat().save(tmp_path / "flat.keras")
    assert same_function(tmp_path / "flat.keras", "127.5", "127.5") < 1e-4


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (24, 40, 3)])
def test_grey_pictures_and_other_sides_are_read_as_they_are(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    """The first is what TensorFlow's tutorial for beginners makes."""
    layers = [LAYERS.Rescaling(1 / 255), LAYERS.BatchNormalization(), LAYERS.Flatten()]
    network = tf_keras.Sequential([tf_keras.Input(shape), *layers, LAYERS.Dense(10)])
    network.save(tmp_path / "net.keras")
    read = model_files.read(tmp_path / "net.keras")
    height, width, channels = (*shape, 1)[:3]
    assert read.shape == (height, width, channels)
    exported = model_export.exported(read, (height, width, channels), 1)
    assert exported.scaling is not None
    assert exported.scaling.white == 255
    graph = exported.graph
    how = from_options((height, width, channels), "0", "1")
    assert difference(read.name, read.call, graph.content(), how) < 1e-4


def test_an_exported_model_is_read_by_its_signature(tmp_path: Path) -> None:
    """The way that Keras 3 has as well."""
    classifier(LAYERS.Rescaling(1 / 255)).export(str(tmp_path / "net"))
    assert same_function(tmp_path / "net") < 1e-4


HEADS = [(3, "softmax"), (1, "sigmoid"), (5, "sigmoid")]


@pytest.mark.parametrize(("classes", "activation"), HEADS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_files_of_keras_3_answer_as_the_model_does(
    suffix: str, classes: int, activation: str, tmp_path: Path
) -> None:
    """With augmentation and a nested trunk, as its transfer learning guide has them."""
    keras = importlib.import_module("keras")
    layers = keras.layers
    image = keras.Input((None, None, 3))
    trunk = keras.Model(image, layers.BatchNormalization()(layers.Conv2D(8, 3, 2)(image)))
    front = [layers.RandomFlip("horizontal"), layers.Rescaling(1 / 127.5, offset=-1.0)]
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.2)]
    dense = layers.Dense(classes, activation=activation)
    network = keras.Sequential([keras.Input(PICTURE), *front, trunk, *head, dense])
    network.save(tmp_path / f"net.{suffix}")
    assert same_function(tmp_path / f"net.{suffix}") < 1e-4
    assert model_files.of_model(network).shape == PICTURE


def test_operations_of_keras_3_on_tensors_are_no_code(tmp_path: Path) -> None:
    """As preprocess_input of keras.applications makes them."""
    keras = importlib.import_module("keras")
    image = keras.Input(PICTURE)
    pooled = keras.layers.GlobalAveragePooling2D()(image / 127.5 - 1.0)
    keras.Model(image, keras.layers.Dense(3)(pooled)).save(tmp_path / "net.keras")
    assert same_function(tmp_path / "net.keras") < 1e-4


@pytest.mark.parametrize(("classes", "activation"), [(3, "softmax"), (1, "sigmoid"), (5, None)])
def test_an_export_of_keras_3_answers_as_the_model_does(
    classes: int, activation: str | None, tmp_path: Path
) -> None:
    keras = importlib.import_module("keras")
    layers = keras.layers
    stem = [layers.Rescaling(1 / 255), layers.Conv2D(8, 3, 2), layers.BatchNormalization()]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(classes, activation=activation)]
    image = keras.Input((SIDE, SIDE, 3))
    keras.Sequential([image, *stem, layers.ReLU(), *head]).export(str(tmp_path / "net"))
    assert same_function(tmp_path / "net", "0", "1") < 1e-4
    network = model_files.read(tmp_path / "net")
    last = final_activation(model_export.exported(network, PICTURE, 1).graph)
    kinds = {"softmax": "SOFTMAX", "sigmoid": "LOGISTIC", None: None}
    assert (last.kind if last else None) == kinds[activation]


@pytest.mark.parametrize("front", FRONTS)
def test_scaling_layers_tell_that_pixels_are_0_to_255(front: str) -> None:
    network = model_files.of_model(classifier(FRONTS[front]()))
    scaling = model_export.exported(network, PICTURE, 1).scaling
    assert scaling is not None
    assert scaling.white == 255


def test_a_rescaling_to_255_tells_that_pictures_are_0_to_1() -> None:
    network = classifier(LAYERS.Rescaling(255.0), LAYERS.Rescaling(1 / 255))
    scaling = model_export.exported(model_files.of_model(network), PICTURE, 1).scaling
    assert scaling is not None
    assert scaling.white == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "kind"), [("softmax", "SOFTMAX"), ("sigmoid", "LOGISTIC"), ("linear", None)]
)
def test_a_head_stays_as_it_is(activation: str, kind: str | None) -> None:
    network = model_files.of_model(classifier(activation=activation))
    last = final_activation(model_export.exported(network, PICTURE, 1).graph)
    assert (last.kind if last else None) == kind


def test_another_function_is_refused() -> None:
    one, other = (classifier(activation=kind) for kind in ("softmax", "sigmoid"))
    graph = model_export.exported(model_files.of_model(one), PICTURE, 1).graph
    with pytest.raises(InputError, match="not the same function"):
        difference("other", model_files.of_model(other).call, graph.content(), PIXELS)


def steep(from_: float, times: float = 1e6) -> Any:
    """The sine of a picture's mean, times a million from a brightness on."""
    image = tf_keras.Input((SIDE, SIDE, 3))
    mean = tf.reduce_mean(image, [1, 2])
    bright = tf.cast(mean > from_, tf.float32)
    return tf_keras.Model(image, tf.sin(mean * (1 + times * bright)))


def test_pictures_whose_answers_hang_on_rounding_do_not_count() -> None:
    """As white ones may, of a network that saw none in training."""
    read = model_files.of_model(steep(from_=0.9))
    content = model_export.exported(read, PICTURE, 1).graph.content()
    how = from_options(SIDE, "0", "255")
    assert difference(read.name, read.call, content, how) < 1e-4


def test_a_network_of_which_nothing_can_be_compared_is_refused() -> None:
    read, other = (model_files.of_model(steep(-1.0, times)) for times in (1e6, 2e6))
    content = model_export.exported(other, PICTURE, 1).graph.content()
    with pytest.raises(InputError, match="how its numbers are rounded"):
        difference(read.name, read.call, content, from_options(SIDE, "0", "255"))


def test_a_model_that_answers_nan_is_refused() -> None:
    network = classifier()
    kernel, bias = network.get_layer("flowers").get_weights()
    network.get_layer("flowers").set_weights([kernel, bias * np.nan])
    read = model_files.of_model(network)
    content = model_export.exported(read, PICTURE, 1).graph.content()
    with pytest.raises(InputError, match="not finite numbers"):
        difference(read.name, read.call, content, PIXELS)
