"""The network as it is trained: its random layers follow from the step, and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf
import tf_keras

from edgeeff.architectures.variants import Variant
from edgeeff.network.builder import build
from edgeeff.training.settings import TrainingSettings

Model = Any
"""A ``tf_keras.Model``."""

Tensor = Any

MOMENTUM = 0.9
"""Of BatchNorm's statistics: short, for the running average of all weights averages them again."""

HEAD = "logits"
"""The classifier: the only layer that the first epochs train, and not of lower precision."""


class StepDropout(tf_keras.layers.Layer):  # type: ignore[misc] # tf_keras ships no types
    """Dropout whose mask is a function of seed, step, layer and device.

    Keras' own draws from a generator with a state, of which a run that goes on after it was stopped
    would need a copy.
    """

    def __init__(
        self, rate: float, noise_shape: Any, seed: int, step: Callable[[], Tensor], **options: Any
    ) -> None:
        super().__init__(**options)
        self._rate, self._noise_shape = rate, noise_shape
        self._seed = (seed ^ zlib.crc32(self.name.encode())) & 0x7FFFFFFF
        self._step = step  # not the variable: a layer owns those that it is given

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop and scale what is left, in training alone."""
        if not training:
            return inputs
        context = tf.distribute.get_replica_context()
        device = context.replica_id_in_sync_group if context else 0
        seed = tf.random.fold_in(
            tf.stack([self._seed, tf.cast(self._step(), tf.int32)]), tf.cast(device, tf.int32)
        )
        shape = tf.shape(inputs)
        if self._noise_shape is not None:
            wanted = [shape[i] if n is None else n for i, n in enumerate(self._noise_shape)]
            shape = tf.stack(wanted)
        return tf.nn.experimental.stateless_dropout(inputs, self._rate, seed, noise_shape=shape)


@dataclass(frozen=True)
class Built:
    """A network for training.

    Attributes:
        model: from normalised pictures to logits, with weights.
        averaged: a second one of the same shape, for the running average.
        step: how many steps were made, int64.
    """

    model: Model
    averaged: Model
    step: tf.Variable


def built(
    variant: Variant, classes: int, settings: TrainingSettings, *, synchronised: bool
) -> Built:
    """Build a variant for training; its weights are random.

    Args:
        variant: the network.
        classes: of its classifier.
        settings: resolution, dropout, survival, numbers, seed.
        synchronised: BatchNorm counts the pictures of all devices together.
    """
    network = build(
        variant,
        classes=classes,
        resolution=settings.resolution,
        dropout=settings.dropout,
        survival=settings.survival,
        seed=settings.seed,
    )
    step = tf.Variable(
        0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )

    def trained(layer: Any) -> Any:
        config = layer.get_config()
        if settings.numbers != "float32" and layer.name != HEAD:
            config["dtype"] = settings.numbers
        if isinstance(layer, tf_keras.layers.Dropout):
            named = {"name": layer.name, "dtype": config["dtype"]}
            return StepDropout(layer.rate, layer.noise_shape, settings.seed, lambda: step, **named)
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            config |= {"synchronized": synchronised, "momentum": MOMENTUM}
        return type(layer).from_config(config)

    model, averaged = (
        tf_keras.models.clone_model(network, clone_function=trained) for _ in range(2)
    )
    copy(network, model)
    return Built(model, averaged, step)


def freeze_batchnorm(model: Model) -> None:
    """Have BatchNorm stay as the weights have it: statistics, scales and shifts."""
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False


def copy(source: Model, target: Model) -> None:
    """Give a network the weights of another, name by name."""
    values = named_weights(source)
    for name, variable in named_weights(target).items():
        variable.assign(values[name].numpy())


def named_weights(model: Model) -> dict[str, Any]:
    """The variables by ``layer/variable``."""
    return {weight.name.partition(":")[0]: weight for weight in model.weights}
