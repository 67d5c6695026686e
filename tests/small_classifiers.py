"""Small float classifiers of any shape, written layer by layer with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.accelerators.graphs import GraphWriter

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SAME, VALID = 0, 1


class SmallClassifier:
    """A float network of one picture; each method adds a layer and gives the tensor it makes.

    Attributes:
        image: the input.
        picture: float32 with channels last: the input, or what ``leading`` makes of it: a
            ``TRANSPOSE`` of channels that are first, a ``CAST`` of bytes, or a ``RESHAPE`` of grey
            pictures without a dimension of channels.
    """

    def __init__(
        self, shape: int | tuple[int, int, int], seed: int = 0, *, leading: str = ""
    ) -> None:
        self._random, self._writer = np.random.default_rng(seed), GraphWriter()
        height, width, channels = (shape, shape, 3) if isinstance(shape, int) else shape
        taken = {"TRANSPOSE": (1, channels, height, width), "RESHAPE": (1, height, width)}
        last = (1, height, width, channels)
        dtype = "uint8" if leading == "CAST" else "float32"
        self.image = self.picture = self._writer.tensor(taken.get(leading, last), dtype)
        if dtype == "uint8":
            self._writer.tensors[self.image].quantization = None
        if leading:
            given = {"TRANSPOSE": [0, 2, 3, 1], "RESHAPE": list(last)}.get(leading)
            constant = [self._writer.tensor((4,), "int32", given)] if given else []
            self.picture = self.add(leading, (self.image, *constant), last)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Of a tensor."""
        return tuple(self._writer.tensors[tensor].shape)

    def convolution(
        self,
        source: int,
        filters: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: str = "NONE",
        padding: int = SAME,
    ) -> int:
        """A convolution whose outputs are about as large as its inputs."""
        taps = kernel * kernel * self.shape(source)[-1] // groups
        weights = self._weights((filters, kernel, kernel, taps // kernel**2), taps)
        options = schema.Conv2DOptionsT(
            strideH=stride,
            strideW=stride,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            padding=padding,
            fusedActivationFunction=ACTIVATIONS[activation],
        )
        shape = self._places(source, kernel, stride, dilation, padding)
        inputs = (source, weights, self._bias(filters))
        return self.add("CONV_2D", inputs, (*shape, filters), options)

    def depthwise(
        self,
        source: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        multiplier: int = 1,
        activation: str = "NONE",
        padding: int = SAME,
    ) -> int:
        """A depthwise convolution, likewise."""
        filters = self.shape(source)[-1] * multiplier
        weights = self._weights((1, kernel, kernel, filters), kernel * kernel)
        options = schema.DepthwiseConv2DOptionsT(
            strideH=stride,
            strideW=stride,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            depthMultiplier=multiplier,
            padding=padding,
            fusedActivationFunction=ACTIVATIONS[activation],
        )
        shape = self._places(source, kernel, stride, dilation, padding)
        inputs = (source, weights, self._bias(filters))
        return self.add("DEPTHWISE_CONV_2D", inputs, (*shape, filters), options)

    def pool(self, source: int, kind: str, size: int = 2, stride: int = 2) -> int:
        """``MAX_POOL_2D`` or ``AVERAGE_POOL_2D``."""
        options = schema.Pool2DOptionsT(
            filterHeight=size, filterWidth=size, strideH=stride, strideW=stride, padding=SAME
        )
        shape = (*self._places(source, size, stride, 1, SAME), self.shape(source)[-1])
        return self.add(kind, (source,), shape, options)

    def pad(self, source: int, width: int = 1) -> int:
        """Zeros around each picture."""
        around = self._writer.tensor((4, 2), "int32", [[0, 0], [width] * 2, [width] * 2, [0, 0]])
        _, rows, columns, channels = self.shape(source)
        return self.add(
            "PAD", (source, around), (1, rows + 2 * width, columns + 2 * width, channels)
        )

    def alone(self, source: int, kind: str) -> int:
        """An operator that makes one value of each, such as ``RELU`` or ``LOGISTIC``."""
        options = schema.SoftmaxOptionsT(beta=1.0) if kind == "SOFTMAX" else None
        return self.add(kind, (source,), self.shape(source), options)

    def joined(self, kind: str, first: int, second: int) -> int:
        """``ADD``, ``MUL`` or ``SUB`` of two tensors of one shape, or of one that spreads."""
        made: dict[str, Callable[[], Any]] = {
            "ADD": schema.AddOptionsT,
            "MUL": schema.MulOptionsT,
            "SUB": schema.SubOptionsT,
        }
        return self.add(kind, (first, second), self.shape(first), made[kind]())

    def concatenated(self, *sources: int) -> int:
        """The channels of several tensors side by side."""
        shapes = [self.shape(source) for source in sources]
        shape = (*shapes[0][:-1], sum(one[-1] for one in shapes))
        options = schema.ConcatenationOptionsT(axis=len(shape) - 1)
        return self.add("CONCATENATION", sources, shape, options)

    def halves(self, source: int) -> tuple[int, int]:
        """The channels in two tensors."""
        *places, channels = self.shape(source)
        axis = self._writer.tensor((), "int32", len(places))
        half = (*places, channels // 2)
        first = self.add("SPLIT", (axis, source), half, schema.SplitOptionsT(numSplits=2))
        second = self._writer.tensor(half, "float32")
        self._writer.operators[-1].outputs.append(second)
        return first, second

    def mean(self, source: int) -> int:
        """Of each channel."""
        axes = self._writer.tensor((2,), "int32", [1, 2])
        options = schema.ReducerOptionsT(keepDims=False)
        return self.add("MEAN", (source, axes), (1, self.shape(source)[-1]), options)

    def mean_of_channels(self, source: int) -> int:
        """Of each place, in one vector."""
        options = schema.ReducerOptionsT(keepDims=False)
        places = int(np.prod(self.shape(source)[:-1]))
        flat = self.reshaped(source, places, self.shape(source)[-1])
        axes = self._writer.tensor((1,), "int32", [1])
        return self.add("MEAN", (flat, axes), (places,), options)

    def reshaped(self, source: int, *shape: int) -> int:
        """The same values in another shape."""
        target = self._writer.tensor((len(shape),), "int32", list(shape))
        return self.add("RESHAPE", (source, target), shape, schema.ReshapeOptionsT(newShape=shape))

    def dense(
        self, source: int, outputs: int, activation: str = "NONE", *, bias: bool = True
    ) -> int:
        """A dense layer of [1, values], or of a picture, which it flattens."""
        taps = int(np.prod(self.shape(source)[1:]))
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=ACTIVATIONS[activation])
        inputs = (source, self._weights((outputs, taps), taps))
        inputs += (self._bias(outputs),) if bias else ()
        return self.add("FULLY_CONNECTED", inputs, (1, outputs), options)

    def add(
        self, kind: str, inputs: tuple[int, ...], shape: tuple[int, ...], options: Any = None
    ) -> int:
        """Any operator of float32."""
        return self._writer.add(kind, inputs, shape, dtype="float32", options=options)

    def constant(self, values: np.ndarray) -> int:
        """Of float32, or of int32 where they are whole numbers."""
        kind = "int32" if np.issubdtype(values.dtype, np.integer) else "float32"
        return self._writer.tensor(values.shape, kind, values.astype(kind))

    def content(self, *outputs: int) -> bytes:
        """The ``.tflite``."""
        return self._writer.content([self.image], list(outputs))

    def _weights(self, shape: tuple[int, ...], taps: int) -> int:
        values = self._random.normal(0, (2 / taps) ** 0.5, shape).astype(np.float32)
        return self._writer.tensor(shape, "float32", values)

    def _bias(self, count: int) -> int:
        values = self._random.normal(0, 0.1, count).astype(np.float32)
        return self._writer.tensor((count,), "float32", values)

    def _places(
        self, source: int, kernel: int, stride: int, dilation: int, padding: int
    ) -> tuple[int, ...]:
        reach = (kernel - 1) * dilation + 1 if padding == VALID else 1
        one, *sides, _ = self.shape(source)
        return one, *(-(-(side - reach + 1) // stride) for side in sides)


MOST_CHANNELS = 64
"""Of a tensor that two branches are joined to."""

Layer = Callable[[SmallClassifier, int], int]


def _shuffled(net: SmallClassifier, last: int) -> int:
    first, second = net.halves(last)
    return net.concatenated(second, net.convolution(first, net.shape(first)[-1]))


def _gated(net: SmallClassifier, last: int) -> int:
    gate = net.alone(net.convolution(last, net.shape(last)[-1], 1), "LOGISTIC")
    return net.joined("MUL", last, gate)


def _dense_block(net: SmallClassifier, last: int) -> int:
    if net.shape(last)[-1] > MOST_CHANNELS:
        return net.convolution(last, 8, 1, activation="RELU")
    return net.concatenated(last, net.convolution(last, 8, activation="RELU"))


LAYERS: Mapping[str, Layer] = {
    "conv": lambda net, last: net.convolution(last, 8, activation="RELU"),
    "conv relu6": lambda net, last: net.convolution(last, 16, activation="RELU6"),
    "conv linear": lambda net, last: net.convolution(last, 8, 1),
    "conv strided": lambda net, last: net.convolution(last, 12, stride=2, activation="RELU"),
    "conv dilated": lambda net, last: net.convolution(last, 8, dilation=2, activation="RELU"),
    "conv of groups": lambda net, last: net.convolution(
        net.convolution(last, 8, 1), 16, groups=4, activation="RELU"
    ),
    "depthwise": lambda net, last: net.depthwise(last, activation="RELU6"),
    "depthwise strided": lambda net, last: net.depthwise(last, stride=2),
    "depthwise twice": lambda net, last: net.depthwise(
        net.convolution(last, 4, 1), multiplier=2, activation="RELU"
    ),
    "padded": lambda net, last: net.convolution(net.pad(last), 8, padding=VALID),
    "max pool": lambda net, last: net.pool(last, "MAX_POOL_2D"),
    "average pool": lambda net, last: net.pool(last, "AVERAGE_POOL_2D", 3, 1),
    "sum": lambda net, last: net.joined("ADD", last, net.convolution(last, net.shape(last)[-1])),
    "spread sum": lambda net, last: net.joined("ADD", last, net.convolution(last, 1, 1)),
    "swish": lambda net, last: net.joined("MUL", last, net.alone(last, "LOGISTIC")),
    "hard swish": lambda net, last: net.alone(last, "HARD_SWISH"),
    "tanh": lambda net, last: net.alone(last, "TANH"),
    "relu": lambda net, last: net.alone(last, "RELU"),
    "gate": _gated,
    "shuffle": lambda net, last: _shuffled(net, net.convolution(last, 8, 1)),
    "dense block": _dense_block,
}
"""Layers to build classifiers of, by name: each adds itself to a network behind a tensor."""
