"""Makes the .tflite files beside it: python tests/tflite/data/make.py

A stem, a depthwise convolution, squeeze-excite, a residual sum and a classifier at 32x32, as
TFLiteConverter writes them. They are kept so that the tests of reading and running models need no
TensorFlow, and always damage the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

HERE = Path(__file__).parent


def network() -> tf_keras.Model:
    """About 500 parameters."""
    tf_keras.utils.set_random_seed(0)
    image = layers.Input((32, 32, 3), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, 2, "same", activation="swish", name="stem")(image)
    x = layers.DepthwiseConv2D(3, 1, "same", activation="swish", name="depthwise")(x)
    squeezed = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    squeezed = layers.Conv2D(2, 1, activation="swish", name="reduce")(squeezed)
    squeezed = layers.Conv2D(8, 1, activation="sigmoid", name="expand")(squeezed)
    x = layers.Multiply(name="excite")([x, squeezed])
    x = layers.Add(name="add")([x, layers.Conv2D(8, 1, name="project")(x)])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return tf_keras.Model(image, layers.Dense(10, "softmax", name="probabilities")(x))


def pictures() -> Iterator[list[np.ndarray]]:
    """What the converter calibrates with."""
    generator = np.random.default_rng(0)
    for _ in range(8):
        yield [generator.uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)]


def convert(model: tf_keras.Model, **options: Any) -> bytes:
    """The .tflite with these attributes set on the converter."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in options.items():
        setattr(converter, name, value)
    return bytes(converter.convert())


def main() -> None:
    """Write one file per precision."""
    model = network()
    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    target = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    integer = {**smaller, "representative_dataset": pictures, "target_spec": target}
    ends = {"inference_input_type": tf.uint8, "inference_output_type": tf.uint8}
    half = tf.lite.TargetSpec(supported_types=[tf.float16])
    files = {
        "float32": {},
        "float16": {**smaller, "target_spec": half},
        "int8": {**integer, **ends},
        "int8-float-ends": integer,
    }
    for name, options in files.items():
        (HERE / f"tiny-{name}.tflite").write_bytes(convert(model, **options))


if __name__ == "__main__":
    main()
