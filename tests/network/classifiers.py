"""Classifiers of tf_keras as users make them."""

from __future__ import annotations

from typing import Any

import pytest
import tf_keras

SAVED_BY_KERAS = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    # Of Keras 3, whose variables numpy 2 copies in another way.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]
"""Marks of tests that save networks."""

SIDE = 32
PICTURE = (SIDE, SIDE, 3)
LAYERS = tf_keras.layers


def trunk() -> Any:
    """Convolutions and BatchNorm for pictures of any size, as keras.applications has them."""
    image = tf_keras.Input((None, None, 3))
    x = LAYERS.Conv2D(8, 3, 2, use_bias=False)(image)
    x = LAYERS.ReLU()(LAYERS.BatchNormalization()(x))
    return tf_keras.Model(image, LAYERS.Conv2D(8, 3, 2, activation="swish")(x), name="trunk")


def classifier(*front: Any, classes: int = 3, activation: str = "softmax") -> Any:
    """A transfer-learning network: layers in front, the trunk nested, a head of its own."""
    tf_keras.utils.set_random_seed(0)
    head = [LAYERS.GlobalAveragePooling2D(), LAYERS.Dropout(0.2)]
    dense = LAYERS.Dense(classes, activation=activation, name="flowers")
    return tf_keras.Sequential([tf_keras.Input((SIDE, SIDE, 3)), *front, trunk(), *head, dense])
