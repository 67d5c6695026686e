"""How a network scales its pictures is seen behind crops, paddings and other orders of channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf
import tf_keras

from edgeeff.network.export import traced
from edgeeff.network.leading_layers import leading_scaling

LAYERS, SIDE = tf_keras.layers, 16


def _stacked(image: Any) -> Any:
    """As ``preprocess_input`` of Keras 3 turns channels round."""
    return tf.stack([image[..., 2], image[..., 1], image[..., 0]], axis=-1)


def _of_keras_3(preprocess: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """As a Keras 3 model holds it: its own addition is another than that of tensors."""
    image = keras.Input((SIDE, SIDE, 3))
    model: Callable[[Any], Any] = keras.Model(image, preprocess(image))
    return model


FRONTS: dict[str, tuple[Callable[[Any], Any], float | None]] = {
    "crop": (lambda image: image[:, 4:12, 4:12] / 255.0, 255),
    "cut and resized": (
        lambda image: LAYERS.Resizing(8, 8)(LAYERS.Cropping2D(2)(image)) / 127.5 - 1.0,
        255,
    ),
    "padding": (lambda image: LAYERS.ZeroPadding2D(2)(image) / 255.0, 255),
    "caffe": (tf_keras.applications.resnet50.preprocess_input, 255),
    "caffe of Keras 3": (_of_keras_3(keras.applications.resnet.preprocess_input), 255),
    "torch of Keras 3": (_of_keras_3(keras.applications.densenet.preprocess_input), 255),
    "caffe by hand": (lambda image: _stacked(image) - [103.939, 116.779, 123.68], 255),
    "a mean worked out": (lambda image: (image - tf.constant(255.0) / 2.0) / 127.5, 255),
    "another mean": (lambda image: _stacked(image) - [100.0, 110.0, 120.0], None),
    "one channel": (lambda image: image[..., :1] / 255.0, 255),
    "two channels": (lambda image: image[..., :2] / 255.0, None),
    "two crops": (lambda image: tf.add(image[:, :8], image[:, 8:]) / 255.0, None),
}


@pytest.mark.parametrize("front", FRONTS)
def test_the_scaling_behind_what_leaves_values_as_they_are_is_seen(front: str) -> None:
    make, white = FRONTS[front]

    def call(image: Any) -> Any:
        return tf.reduce_mean(make(image), [1, 2])

    found = leading_scaling(traced(call, (1, SIDE, SIDE, 3)))
    assert (None if found is None else found.white) == white


def test_channels_that_are_scaled_apart_keep_their_order() -> None:
    """Turned round after that, the next scaling is another channel's."""

    def call(image: Any) -> Any:
        return tf.reduce_mean(tf.reverse(image / [255.0, 1.0, 1.0], [-1]) / [1.0, 1.0, 255.0], [1])

    found = leading_scaling(traced(call, (1, SIDE, SIDE, 3)))
    assert found is not None
    assert found.factor == pytest.approx([1 / 255, 1, 1])
