"""One builder for all families: ``Variant.blocks`` as a flat functional Keras graph.

Layers are named as in ``keras.applications``, so its weight files fit by name; only the
classifier is called ``logits`` here, because no softmax follows it. Padding is TensorFlow's
``same``: the same numbers as ``keras.applications``' explicit padding, without PAD operators
in the exported file. Initial values follow tensorflow/tpu, efficientnet_model.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tf_keras
from tf_keras import layers

from edgeeff.architectures.blocks import Block
from edgeeff.architectures.variants import Variant
from edgeeff.errors import UsageError, unknown_name

Tensor = Any
"""A symbolic tensor of the Keras graph; tf_keras ships no types."""


def _hard_swish(x: Tensor) -> Tensor:
    # In this order the converter recognises it as the one operator HARD_SWISH.
    return x * tf_keras.activations.relu(x + 3.0, max_value=6.0) * (1 / 6)


def _relu6(x: Tensor) -> Tensor:
    return tf_keras.activations.relu(x, max_value=6.0)


# A saved .keras file names the function; registered, it is found again when it is loaded.
_registered = tf_keras.utils.register_keras_serializable
ACTIVATIONS: dict[str, str | Callable[[Tensor], Tensor]] = {
    "swish": "swish",
    "hard_swish": _registered("edgeeff", "hard_swish")(_hard_swish),
    "relu6": _registered("edgeeff", "relu6")(_relu6),
    "relu": "relu",
}
"""What Keras takes as an activation, by the name a ``Variant`` has."""


def build(
    variant: Variant,
    *,
    classes: int | None = None,
    resolution: int | None = None,
    activation: str | None = None,
    dropout: float | None = None,
    survival: float | None = None,
    seed: int = 0,
) -> tf_keras.Model:
    """Build the untrained network of a variant.

    Every ``None`` takes the variant's own value.

    Args:
        variant: what to build.
        classes: number of outputs.
        resolution: side of the square input in pixels.
        activation: ``swish``, ``hard_swish``, ``relu6`` or ``relu``.
        dropout: share of the features that training drops before the classifier.
        survival: chance that training keeps the last block; earlier ones live longer.
        seed: of the initial weights; each layer's depend on it and the layer's name alone.

    Returns:
        A model from ``image``, float32 ``[batch, resolution, resolution, 3]`` normalised by
        the variant's preprocessing, to ``logits``, float32 ``[batch, classes]``.

    Raises:
        UsageError: a value out of its range, or an unknown activation.
    """
    given: dict[str, Any] = {
        "classes": classes,
        "resolution": resolution,
        "activation": activation,
        "dropout": dropout,
        "survival": survival,
    }
    network = replace(variant, **{key: value for key, value in given.items() if value is not None})
    _check(network)
    make = _Layers(network.activation, network.epsilon, network.padding, seed)
    image = layers.Input((network.resolution, network.resolution, 3), name="image")
    x = make.convolution(image, "stem_", network.stem_filters, kernel=3, stride=2)
    for block in network.blocks:
        x = _block(make, x, block)
    x = make.convolution(x, "top_", network.head_filters)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if network.dropout > 0:
        x = layers.Dropout(network.dropout, name="top_dropout")(x)
    x = make.classifier(x, network.classes)
    return tf_keras.Model(image, x, name=f"efficientnet-{network.name}")


def _check(network: Variant) -> None:
    if network.activation not in ACTIVATIONS:
        raise unknown_name("activation", network.activation, ACTIVATIONS)
    if network.classes < 1 or network.resolution < 1:
        raise UsageError(
            f"a network of {network.classes} classes at {network.resolution} pixels",
            "both are at least 1",
        )
    if not 0 <= network.dropout < 1 or not 0 < network.survival <= 1:
        raise UsageError(
            f"dropout {network.dropout}, survival {network.survival}",
            "dropout is in [0, 1), survival in (0, 1]",
        )


def _block(make: _Layers, x: Tensor, block: Block) -> Tensor:
    """An inverted bottleneck: widen, filter, weigh the channels, narrow, add the input."""
    name = f"{block.name}_"
    inputs = x
    if block.fused:
        x = make.convolution(
            x,
            f"{name}expand_",
            block.filters_expanded,
            kernel=block.kernel,
            stride=block.strides[0],
        )
    else:
        if block.expands:
            x = make.convolution(x, f"{name}expand_", block.filters_expanded)
        x = make.depthwise(x, name, kernel=block.kernel, stride=block.stride)
    if block.squeeze:
        x = make.squeeze_excite(x, f"{name}se_", block.squeeze, block.filters_expanded)
    x = make.convolution(
        x, f"{name}project_", block.filters_out, stride=block.strides[1], activate=False
    )
    if not block.residual:
        return x
    if block.drop_rate > 0:
        x = layers.Dropout(block.drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, inputs])


@dataclass(frozen=True)
class _Layers:
    """Makes and names the layers of one network.

    Attributes:
        activation: a key of ``ACTIVATIONS``.
        epsilon: of BatchNorm.
        padding: as ``Variant.padding``.
        seed: of the initial weights.
    """

    activation: str
    epsilon: float
    padding: str
    seed: int

    def convolution(
        self,
        x: Tensor,
        name: str,
        filters: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        activate: bool = True,
    ) -> Tensor:
        """A convolution without bias, BatchNorm, and the activation unless told not to."""
        x, padding = self._padded(x, f"{name}conv", kernel, stride)
        x = layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding=padding,
            use_bias=False,
            kernel_initializer=self._spread(f"{name}conv"),
            name=f"{name}conv",
        )(x)
        return self._normalised(x, name, activate=activate)

    def depthwise(self, x: Tensor, name: str, *, kernel: int, stride: int) -> Tensor:
        """A depthwise convolution without bias, BatchNorm and the activation."""
        x, padding = self._padded(x, f"{name}dwconv", kernel, stride)
        x = layers.DepthwiseConv2D(
            kernel,
            strides=stride,
            padding=padding,
            use_bias=False,
            depthwise_initializer=self._spread(f"{name}dwconv"),
            name=f"{name}dwconv",
        )(x)
        return self._normalised(x, name)

    def squeeze_excite(self, x: Tensor, name: str, squeeze: int, filters: int) -> Tensor:
        """Multiply each channel by a weight found from the means of all channels."""
        means = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}squeeze")(x)
        reduced = layers.Conv2D(
            squeeze,
            1,
            padding="same",
            activation=ACTIVATIONS[self.activation],
            kernel_initializer=self._spread(f"{name}reduce"),
            name=f"{name}reduce",
        )(means)
        weights = layers.Conv2D(
            filters,
            1,
            padding="same",
            activation="sigmoid",
            kernel_initializer=self._spread(f"{name}expand"),
            name=f"{name}expand",
        )(reduced)
        return layers.Multiply(name=f"{name}excite")([x, weights])

    def classifier(self, x: Tensor, classes: int) -> Tensor:
        """The dense layer ``logits``; uniform initial weights within 1 / sqrt(classes)."""
        initial = tf_keras.initializers.VarianceScaling(
            1 / 3, mode="fan_out", distribution="uniform", seed=self._seed("logits")
        )
        return layers.Dense(classes, kernel_initializer=initial, name="logits")(x)

    def _padded(self, x: Tensor, name: str, kernel: int, stride: int) -> tuple[Tensor, str]:
        """What a convolution takes, and its padding.

        At stride 2, PyTorch's windows on a picture with an even side begin one pixel before
        TensorFlow's. On an odd side, and at stride 1, the two are the same.
        """
        if self.padding != "symmetric" or stride == 1 or x.shape[1] % 2 == 1:
            return x, "same"
        return layers.ZeroPadding2D((kernel - 1) // 2, name=f"{name}_pad")(x), "valid"

    def _normalised(self, x: Tensor, name: str, *, activate: bool = True) -> Tensor:
        x = layers.BatchNormalization(momentum=0.99, epsilon=self.epsilon, name=f"{name}bn")(x)
        if not activate:
            return x
        return layers.Activation(ACTIVATIONS[self.activation], name=f"{name}activation")(x)

    def _spread(self, name: str) -> Any:
        """Normal initial weights of variance 2 / (kernel area * output filters)."""
        return tf_keras.initializers.VarianceScaling(
            2.0, mode="fan_out", distribution="untruncated_normal", seed=self._seed(name)
        )

    def _seed(self, name: str) -> int:
        return zlib.crc32(f"{self.seed}/{name}".encode())
