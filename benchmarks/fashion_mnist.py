"""Train Keras' own EfficientNet-B0 on Fashion-MNIST, enlarged to 64x64.

    python benchmarks/fashion_mnist.py b0.weights.h5 --epochs 3

The pictures come from Debian's package dataset-fashion-mnist. On two cores an epoch takes about
ten minutes; benchmarks/quantization.py measures what int8 leaves of the result.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path("/usr/share/datasets/fashion-mnist")
SIDE = 64
CLASSES = 10
BATCH = 128

Bytes = npt.NDArray[np.uint8]


def read(part: str) -> tuple[Bytes, Bytes]:
    """Pictures [count, 28, 28] and labels [count] of ``train`` or ``t10k``."""
    pictures = gzip.decompress((FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8),
    )


def train(path: Path, *, epochs: int, seed: int = 0) -> None:
    """Train from random weights and save them in Keras' own format."""
    import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

    # isort: split
    import tensorflow as tf
    import tf_keras

    tf_keras.utils.set_random_seed(seed)
    pictures, labels = read("train")

    def enlarged(few: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        large = tf.image.resize(tf.cast(few[..., None], tf.float32), (SIDE, SIDE))
        return tf.repeat(large, 3, axis=-1), right

    batches = tf.data.Dataset.from_tensor_slices((pictures, labels))
    batches = batches.shuffle(len(labels), seed=seed).batch(BATCH, drop_remainder=True)
    network = tf_keras.applications.EfficientNetB0(
        weights=None, classes=CLASSES, input_shape=(SIDE, SIDE, 3)
    )
    steps = epochs * (len(labels) // BATCH)
    rate = tf_keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=2e-3, warmup_steps=100
    )
    network.compile(
        tf_keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    network.fit(batches.map(enlarged).prefetch(2), epochs=epochs, verbose=2)
    tested = tf.data.Dataset.from_tensor_slices(read("t10k")).batch(BATCH).map(enlarged)
    network.evaluate(tested, verbose=2)
    network.save_weights(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train B0 on Fashion-MNIST.")
    parser.add_argument("weights", type=Path, help="written: a name that ends in .weights.h5")
    parser.add_argument("--epochs", type=int, default=3)
    chosen = parser.parse_args()
    train(chosen.weights, epochs=chosen.epochs)
