"""Names of a converted network's tensors, taken from the Keras layers they belong to.

The converter names a tensor after the operations that it fused, such as
``efficientnet-lite0/stem_activation/Relu6;efficientnet-lite0/stem_bn/FusedBatchNormV3;...``,
shares equal constants between layers and calls those ``arith.constant22``. Here each tensor
gets a short name of its own, and each layer constants of its own: a later correction of one
layer's bias must not reach another.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import tf_keras
from ai_edge_litert import schema_py_generated as schema

from edgeeff.network.graph import children, parents
from edgeeff.tflite import rewrite

SIGNATURE = "serving_default"

OPERANDS = {
    "CONV_2D": ("", "kernel", "bias"),
    "DEPTHWISE_CONV_2D": ("", "kernel", "bias"),
    "FULLY_CONNECTED": ("", "kernel", "bias"),
    "MEAN": ("", "axes"),
}
"""What an operator's constant inputs are called, by position."""


def name_tensors(flat: Any, model: tf_keras.Model, image: str, output: str) -> None:
    """Name every tensor of a converted network.

    Args:
        flat: the converted network's objects; changed in place.
        model: the network it was converted from.
        image: name of the input.
        output: name of the output.
    """
    graph = flat.subgraphs[0]
    makers = _makers(flat, model)
    for tensor in graph.tensors:
        tensor.name = ""
    last = {layer: index for index, layer in enumerate(makers)}
    names = _Names(graph.tensors)
    for index, (operator, layer) in enumerate(zip(graph.operators, makers, strict=True)):
        kind = rewrite.operator_name(flat, operator)
        name = layer if last[layer] == index else f"{layer}/{kind.lower()}"
        names.give(operator.outputs[0], output if operator.outputs[0] == graph.outputs[0] else name)
    names.give(graph.inputs[0], image)
    for operator, layer in zip(graph.operators, makers, strict=True):
        _name_constants(flat, model, operator, layer, names)


def sign(flat: Any, image: str, output: str) -> None:
    """Give a network of one input and one output the signature ``SIGNATURE``."""
    graph = flat.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.subgraphIndex = 0
    signature.inputs = [_entry(image, graph.inputs[0])]
    signature.outputs = [_entry(output, graph.outputs[0])]
    flat.signatureDefs = [signature]


def _entry(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name = name
    entry.tensorIndex = int(tensor)
    return entry


class _Names:
    """Hands out names, each once."""

    def __init__(self, tensors: list[Any]) -> None:
        self._tensors = tensors
        self._taken: set[str] = set()

    def give(self, index: int, name: str) -> None:
        """Name a tensor, with a number behind if the name is taken; a tensor keeps its first."""
        tensor = self._tensors[index]
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free)
        tensor.name = free


def _makers(flat: Any, model: tf_keras.Model) -> list[str]:
    """For each operator, the Keras layer whose output it works out, or a part of it."""
    takers = children(model)
    order = {layer.name: index for index, layer in enumerate(model.layers)}
    makers = []
    graph = flat.subgraphs[0]
    for operator in graph.operators:
        fused_name = rewrite.tensor_name(graph.tensors[operator.outputs[0]])
        found = [part for part in re.split("[/;]", fused_name) if part in order]
        if not found:
            # What the function returns is named after that alone: the softmax, which belongs
            # to no layer, or the last layer itself.
            softmax = rewrite.operator_name(flat, operator) == "SOFTMAX"
            makers.append("softmax" if softmax else str(model.layers[-1].name))
            continue
        layer = model.get_layer(max(found, key=order.__getitem__))
        makers.append(_after_fusion(layer, takers, fused=_has_activation(operator)))
    return makers


def _after_fusion(layer: Any, takers: dict[str, list[Any]], *, fused: bool) -> str:
    """The layer at the end of what the converter made one operator."""
    following = takers[layer.name]
    if len(following) == 1 and type(following[0]).__name__ == "BatchNormalization":
        layer = following[0]
        following = takers[layer.name]
    if fused and len(following) == 1 and type(following[0]).__name__ == "Activation":
        layer = following[0]
    return str(layer.name)


def _has_activation(operator: Any) -> bool:
    options = operator.builtinOptions
    fused = getattr(options, "fusedActivationFunction", schema.ActivationFunctionType.NONE)
    return bool(fused != schema.ActivationFunctionType.NONE)


def _name_constants(
    flat: Any, model: tf_keras.Model, operator: Any, maker: str, names: _Names
) -> None:
    """Give an operator constants of its own, named after the layer that has the weights."""
    kind = rewrite.operator_name(flat, operator)
    operands = OPERANDS.get(kind, ())
    owner = _owner(model, maker) if "kernel" in operands else maker
    if kind == "FULLY_CONNECTED" and (len(operator.inputs) < 3 or operator.inputs[2] < 0):
        _add_bias(flat, operator)
    for position, index in enumerate(operator.inputs):
        if index < 0 or not _is_constant(flat, index):
            continue
        label = operands[position] if position < len(operands) else ""
        name = f"{owner}/{label or 'constant'}"
        operator.inputs[position] = _own(flat, int(index))
        names.give(operator.inputs[position], name)


def _owner(model: tf_keras.Model, name: str) -> str:
    """The layer, itself or the one before, whose kernel the operator has."""
    layer = model.get_layer(name)
    while not layer.weights or type(layer).__name__ == "BatchNormalization":
        layer = parents(layer)[0]
    return str(layer.name)


def _is_constant(flat: Any, index: int) -> bool:
    data = flat.buffers[flat.subgraphs[0].tensors[index].buffer].data
    return data is not None and len(data) > 0


def _own(flat: Any, index: int) -> int:
    """The tensor itself while nobody has named it, else a copy."""
    tensors = flat.subgraphs[0].tensors
    if not tensors[index].name:
        return index
    tensors.append(copy.copy(tensors[index]))
    tensors[-1].name = ""
    tensors[-1].buffer = rewrite.add_buffer(
        flat, np.asarray(flat.buffers[tensors[index].buffer].data, np.uint8).tobytes()
    )
    return len(tensors) - 1


def _add_bias(flat: Any, operator: Any) -> None:
    """The converter drops a bias of zeros; a corrected network has other values there."""
    tensors = flat.subgraphs[0].tensors
    outputs = int(tensors[operator.inputs[1]].shape[0])
    bias = schema.TensorT()
    bias.shape = np.asarray([outputs], np.int32)
    bias.type = schema.TensorType.FLOAT32
    bias.buffer = rewrite.add_buffer(flat, np.zeros(outputs, np.float32).tobytes())
    bias.name = ""
    bias.quantization = schema.QuantizationParametersT()
    tensors.append(bias)
    operator.inputs = np.asarray([*list(operator.inputs)[:2], len(tensors) - 1], np.int32)
