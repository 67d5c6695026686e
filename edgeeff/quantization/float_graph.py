"""A float .tflite as a graph that corrections may write into."""

from __future__ import annotations

import itertools
from collections import Counter

from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph


def float_graph(content: bytes, name: str = "the model") -> Graph:
    """Read a float .tflite of any origin, its layers with constants of their own.

    Args:
        content: the whole file.
        name: how to call it in errors.

    Raises:
        InputError: not a model, damaged, or one that cannot be quantized.
    """
    return correctable(Graph.of(content, name))


def correctable(graph: Graph) -> Graph:
    """A copy of a float network that corrections may write into, a layer at a time.

    Raises:
        InputError: one that cannot be quantized.
    """
    graph = graph.copy()
    if graph.subgraphs != 1:
        raise InputError(
            "the model has several subgraphs (control flow)",
            "export a plain feed-forward graph",
        )
    if any(tensor.scales for tensor in graph.tensors):
        raise InputError(
            "the model is quantized already", "quantize takes the float32 .tflite it came from"
        )
    own_constants(graph)
    return graph


def own_constants(graph: Graph) -> None:
    """Give each layer a kernel and a bias of its own.

    The converter merges equal constants, such as biases of zeros, and a layer that is used
    twice has one kernel. Corrections write into them for one layer, which would reach the
    others.
    """
    readers = Counter(tensor for operator in graph.operators for tensor in operator.inputs)
    names = {tensor.name for tensor in graph.tensors}
    for operator in graph.operators:
        if not operator.weighted:
            continue
        inputs = list(operator.inputs)
        for place, tensor in enumerate(inputs):
            if place > 0 and tensor >= 0 and readers[tensor] > 1 and graph.tensor(tensor).constant:
                readers[tensor] -= 1
                name = next(
                    name
                    for number in itertools.count(1)
                    if (name := f"{graph.name(tensor)}/{number}") not in names
                )
                names.add(name)
                inputs[place] = graph.add_copy(tensor, name)
        if tuple(inputs) != operator.inputs:
            graph.update(operator, inputs=tuple(inputs))


def refuse_several_outputs(graph: Graph) -> None:
    """Raise ``InputError`` for an operator that makes several tensors, such as SPLIT.

    The corrections follow an operator's first output: of the others nobody would know the range.
    """
    for index, operator in enumerate(graph.operators):
        made = len(operator.outputs)
        if made > 1:
            raise InputError(
                f"operator {index}, {operator.kind}, makes {made} tensors: that cannot be "
                "quantized yet",
                "--recipe float16 takes it; for int8 export slices (x[..., :n]) in its place",
            )
