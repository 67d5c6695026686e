"""Names of a converted network's tensors, taken from the Keras layers they belong to.

The converter names a tensor after the operations that it fused, such as
``efficientnet-lite0/stem_activation/Relu6;efficientnet-lite0/stem_bn/FusedBatchNormV3;...``,
shares equal constants between layers and calls those ``arith.constant22``. Here each tensor
gets a short name of its own, and each layer constants of its own: a later correction of one
layer's bias must not reach another.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import tf_keras

from edgeeff.network.graph import children, parents
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

OPERANDS = {
    "CONV_2D": ("", "kernel", "bias"),
    "DEPTHWISE_CONV_2D": ("", "kernel", "bias"),
    "FULLY_CONNECTED": ("", "kernel", "bias"),
    "MEAN": ("", "axes"),
    "PAD": ("", "paddings"),
}
"""What an operator's constant inputs are called, by position."""

FINAL = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
"""What follows the network's last layer."""


def name_tensors(graph: Graph, model: tf_keras.Model, image: str, output: str) -> None:
    """Name every tensor of a converted network.

    Args:
        graph: the converted network; changed in place.
        model: the network it was converted from.
        image: name of the input.
        output: name of the output.
    """
    takers = children(model)
    makers = [_maker(operator, model, takers) for operator in graph.operators]
    for tensor in graph.tensors:
        graph.rename(tensor.index, "")
    last = {layer: index for index, layer in enumerate(makers)}
    names = _Names(graph)
    for index, (operator, layer) in enumerate(zip(graph.operators, makers, strict=True)):
        name = layer if last[layer] == index else f"{layer}/{operator.kind.lower()}"
        names.give(operator.output, output if operator.output == graph.output else name)
    names.give(graph.input, image)
    for operator, layer in zip(graph.operators, makers, strict=True):
        _name_constants(graph, model, operator, layer, names)


class _Names:
    """Hands out names, each once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._taken: set[str] = set()

    def give(self, tensor: int, name: str) -> None:
        """Name a tensor, with a number behind if the name is taken; a tensor keeps its first."""
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free)
        self._graph.rename(tensor, free)


def _maker(operator: Operator, model: tf_keras.Model, takers: dict[str, list[Any]]) -> str:
    """The Keras layer whose output an operator works out, or a part of it."""
    order = {layer.name: index for index, layer in enumerate(model.layers)}
    found = [part for part in re.split("[/;]", operator.name) if part in order]
    if not found:
        # What the function returns is named after that alone: the softmax or sigmoid, which
        # belongs to no layer, or the last layer itself.
        return FINAL.get(operator.kind) or str(model.layers[-1].name)
    layer = model.get_layer(max(found, key=order.__getitem__))
    return _after_fusion(layer, takers, fused=operator.activation != "NONE")


def _after_fusion(layer: Any, takers: dict[str, list[Any]], *, fused: bool) -> str:
    """The layer at the end of what the converter made one operator."""
    following = takers[layer.name]
    if len(following) == 1 and type(following[0]).__name__ == "BatchNormalization":
        layer = following[0]
        following = takers[layer.name]
    if fused and len(following) == 1 and type(following[0]).__name__ == "Activation":
        layer = following[0]
    return str(layer.name)


def _name_constants(
    graph: Graph, model: tf_keras.Model, operator: Operator, maker: str, names: _Names
) -> None:
    """Give an operator constants of its own, named after the layer that has the weights."""
    operands = OPERANDS.get(operator.kind, ())
    owner = _owner(model, maker) if "kernel" in operands else maker
    inputs = list(operator.inputs)
    if operator.kind == "FULLY_CONNECTED" and (len(inputs) < 3 or inputs[2] < 0):
        # The converter drops a bias of zeros; a corrected network has other values there.
        outputs = graph.shape(inputs[1])[0]
        inputs = [*inputs[:2], graph.add_constant("", np.zeros(outputs, np.float32))]
    for position, tensor in enumerate(inputs):
        if tensor < 0 or not graph.tensor(tensor).constant:
            continue
        label = operands[position] if position < len(operands) else ""
        inputs[position] = _own(graph, tensor)
        names.give(inputs[position], f"{owner}/{label or 'constant'}")
    graph.update(operator, inputs=tuple(inputs))


def _owner(model: tf_keras.Model, name: str) -> str:
    """The layer, itself or the one before, whose kernel the operator has."""
    layer = model.get_layer(name)
    while not layer.weights or type(layer).__name__ == "BatchNormalization":
        layer = parents(layer)[0]
    return str(layer.name)


def _own(graph: Graph, constant: int) -> int:
    """The constant itself while nobody has named it, else a copy."""
    return graph.add_copy(constant, "") if graph.name(constant) else constant
