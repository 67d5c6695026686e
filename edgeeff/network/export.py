"""A Keras network to a float32 .tflite that speaks of the network's layers.

The function is traced at a fixed batch and converted directly, without a SavedModel on the
way: half the time, the same graph. What the converter leaves out or scrambles is put in
afterwards: the signature, the names, and what the BatchNorm layers know of the activations.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from edgeeff import files
from edgeeff.errors import UsageError
from edgeeff.network.batchnorm import moments
from edgeeff.network.export_names import name_tensors
from edgeeff.network.normal_moments import Moments
from edgeeff.pictures.preprocessing import FAMILIES, Preprocessing
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.statistics import Statistics, TensorStatistics

INPUT = "image"
PROBABILITIES = "probabilities"
LOGITS = "logits"
SIGNATURE = "serving_default"

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "softmax": tf.nn.softmax,
    "sigmoid": tf.sigmoid,
    "linear": lambda logits: logits,
}
"""What may follow the logits: one class of all, each class by itself, nothing."""


@dataclass(frozen=True)
class Exported:
    """A network as a file, and as the function that it was made of.

    Attributes:
        content: the float32 .tflite.
        function: from pictures, float32 [batch, height, width, 3], to answers, in TensorFlow.
    """

    content: bytes
    function: Callable[[Any], Any]


def export(
    model: tf_keras.Model,
    path: Path,
    *,
    preprocessing: Preprocessing,
    batch: int = 1,
    activation: str = "softmax",
    force: bool = False,
) -> None:
    """Write a network as a float32 .tflite: the content that ``exported`` gives.

    Args:
        model: as ``exported`` takes it, and ``preprocessing``, ``batch``, ``activation`` too.
        path: of the file.
        preprocessing: how the network's pictures are normalised.
        batch: pictures per run.
        activation: what makes an answer of its logits, a key of ``ACTIVATIONS``.
        force: replace an existing file.

    Raises:
        UsageError: a batch below 1.
        OutputError: the file cannot be written.
    """
    files.refuse_existing(path, force=force)
    made = exported(model, preprocessing=preprocessing, batch=batch, activation=activation)
    files.write_bytes(path, made.content, force=force)


def exported(
    model: tf_keras.Model,
    *,
    preprocessing: Preprocessing,
    batch: int = 1,
    activation: str = "softmax",
) -> Exported:
    """A network as a float32 .tflite.

    The file has the signature ``SIGNATURE`` from ``image``, float32 [batch, height,
    width, 3] normalised, to ``probabilities`` (or ``logits``), float32 [batch, classes].
    Every activation is named after the Keras layer that makes it, and if a layer takes more
    than one operator, the earlier ones after layer and operator (``stem_activation/logistic``).
    Constants are ``layer/kernel`` and ``layer/bias``, BatchNorm folded in. The statistics of
    the activations are attached as metadata ``statistics.METADATA_NAME``.

    Args:
        model: gives logits, as ``network.builder.build`` makes it.
        preprocessing: how the network's pictures are normalised.
        batch: pictures per run.
        activation: what makes an answer of its logits, a key of ``ACTIVATIONS``.

    Raises:
        UsageError: a batch below 1.
    """
    if batch < 1:
        raise UsageError(f"a batch of {batch} pictures", "it is at least 1")
    output = LOGITS if activation == "linear" else PROBABILITIES
    shape = (batch, *model.inputs[0].shape[1:])
    ending = ACTIVATIONS[activation]
    function = traced(lambda image: ending(model(image, training=False)), shape)
    graph = Graph.of(converted(function))
    name_tensors(graph, model, INPUT, output)
    graph.sign(SIGNATURE, {INPUT: graph.input}, {output: graph.output})
    names = {tensor.name for tensor in graph.tensors}
    known = batchnorm_statistics(model, preprocessing)
    tensors = {name: found for name, found in known.tensors.items() if name in names}
    statistics.attach(graph, Statistics(known.source, tensors))
    return Exported(graph.content(), function)


def batchnorm_statistics(model: tf_keras.Model, preprocessing: Preprocessing) -> Statistics:
    """What the network's BatchNorm layers tell of its activations, by layer name.

    The input is taken to be ImageNet's, whose mean and spread per channel are published.
    """
    mean, std = (np.asarray(values, np.float64) for values in FAMILIES["imagenet"][:2])
    offset, scale = np.asarray(preprocessing.mean), np.asarray(preprocessing.std)
    image = Moments((mean - offset) / scale, std / scale)
    tensors = {name: as_statistics(found) for name, found in moments(model, image).items()}
    return Statistics("batchnorm", tensors)


def as_statistics(found: Moments) -> TensorStatistics:
    """The same as a float model holds it."""
    deviation = None if found.deviation is None else found.deviation.astype(np.float32)
    return TensorStatistics(found.mean.astype(np.float32), deviation)


def traced(call: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    """The concrete function of a network that takes one float32 input of this shape."""

    def named(image: tf.Tensor) -> tf.Tensor:
        return call(image)

    return tf.function(named).get_concrete_function(tf.TensorSpec(shape, tf.float32, name=INPUT))


def converted(function: Any) -> bytes:
    """What TensorFlow's converter makes of a concrete function."""
    with _quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        return bytes(converter.convert())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep TensorFlow's advice to people who write converters away from ours."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
