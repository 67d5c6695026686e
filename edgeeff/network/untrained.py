"""Networks with random weights, many in one process: what is timed is their shape."""

from __future__ import annotations

import tf_keras

from edgeeff.architectures.variants import Variant
from edgeeff.network.builder import build
from edgeeff.network.export import exported
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.float_model import FloatModel, Provenance


def untrained(variant: Variant, resolution: int, classes: int | None = None) -> FloatModel:
    """The float network of a variant with its initial weights.

    Args:
        variant: what to build.
        resolution: side of its pictures in pixels.
        classes: number of outputs; ``None``: the variant's.
    """
    preprocessing = Preprocessing.of(variant, resolution)
    network = build(variant, classes=classes, resolution=resolution)
    made = exported(network, preprocessing=preprocessing)
    # Keras keeps what it needs to name layers apart, and with it every network of the process.
    tf_keras.backend.clear_session()
    return FloatModel(made.content, preprocessing, variant.name, Provenance("none"))
