"""A float .tflite as a graph that corrections may write into."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from edgeeff.errors import InputError
from edgeeff.pictures.shapes import check_ends
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator
from edgeeff.tflite.packing import default_options

MOST_PICTURES = 1024
"""In a batch: with more, the activations of a calibration fill the memory."""

LARGEST = 1e15
"""Magnitude of weights and activations from which on sums of squares leave float32."""


MOST_COPIES = 8
"""Of a tensor side by side."""


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
    if any(tensor.constant and tensor.dtype == "float16" for tensor in graph.tensors):
        raise InputError(
            "the model's weights are float16", "quantize takes the float32 .tflite it came from"
        )
    state = next((tensor for tensor in graph.tensors if tensor.table.get("is_variable")), None)
    if state is not None:
        raise InputError(
            f"the model keeps {state.name or 'a tensor'} from one picture to the next",
            "export a graph without variables",
        )
    elsewhere = next((t for t in graph.tensors if t.constant and t.content is None), None)
    if elsewhere is not None:
        raise InputError(
            f"the values of {elsewhere.name or 'a tensor'} are in another file",
            "export a model that is one file",
        )
    name_apart(graph)
    own_constants(graph)
    join_copies(graph)
    average_whole(graph)
    return graph


def join_copies(graph: Graph) -> None:
    """Let a CONCATENATION of copies take the place of a TILE along one axis.

    It is the same function, and litert-quantizer knows it in integers: grey pictures are repeated
    so for a network that was trained on RGB.
    """
    for operator in graph.operators:
        times = graph.values(operator.inputs[1]) if operator.kind == "TILE" else None
        if times is None:
            continue
        axes = np.flatnonzero(times != 1)
        if len(axes) != 1 or not 1 < times[axes[0]] <= MOST_COPIES:
            continue
        copies = (operator.inputs[0],) * int(times[axes[0]])
        options = {"axis": int(axes[0]), "fused_activation_function": "NONE"}
        graph.update(operator, kind="CONCATENATION", inputs=copies, options=options)


def average_whole(graph: Graph) -> None:
    """Let a MEAN take the place of an AVERAGE_POOL_2D over the whole picture.

    It is the same function, but kernels of integers give what they pool the steps of what it is
    pooled from, which reaches three times as far in ResNet8 of MLPerf Tiny; and no layer behind
    averages this rounding out.
    """
    for operator in graph.operators:
        if operator.kind != "AVERAGE_POOL_2D" or operator.activation != "NONE":
            continue
        _, *sides, _ = graph.shape(operator.inputs[0])
        reach = [operator.options[f"filter_{side}"] for side in ("height", "width")]
        whole = all(1 < side <= far for side, far in zip(sides, reach, strict=True))
        if whole and graph.shape(operator.output)[1:3] == (1, 1):
            axes = graph.add_constant(f"{operator.name}/axes", np.array([1, 2], np.int32))
            options = {**default_options("MEAN"), "keep_dims": True}
            inputs = (operator.inputs[0], axes)
            # Its table is still that of pooling.
            graph.update(operator, kind="MEAN", inputs=inputs, options=options, table={}, version=1)


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


def refuse_unfit(graph: Graph) -> None:
    """Raise ``InputError`` for a graph that is no classifier of float pictures, before any work."""
    check_ends(len(graph.inputs), len(graph.outputs), "the model")
    maker = graph.producer.get(graph.output)
    if maker is None or graph.tensor(graph.output).dtype != "float32":
        raise InputError(
            f"the model ends in {maker.kind if maker else 'its input'}, which gives no scores",
            "export it up to the scores of its classes, float32",
        )
    refuse_constant(graph)
    _refuse_odd_shapes(graph)
    _refuse_odd_weights(graph)
    kind = graph.tensor(graph.input).dtype
    if kind != "float32":
        raise InputError(
            f"the model takes {kind}, not float32", "export it with a float32 input, without CAST"
        )


def refuse_constant(graph: Graph) -> None:
    """Raise ``InputError`` for a graph that gives every picture the same answer."""
    if graph.output in _depends_on_picture(graph):
        return
    if any(_always_one(graph, operator) for operator in graph.operators):
        raise softmax_of_one()
    raise InputError(
        "the model's answer does not depend on the picture", "export the whole network"
    )


def softmax_of_one() -> InputError:
    """The refusal of a network whose softmax was trained on one value."""
    return InputError(
        "the model ends in a softmax of one value, which is 1 whatever the picture",
        "end it in a sigmoid for one of two classes, or in a softmax of several values",
    )


def _depends_on_picture(graph: Graph) -> set[int]:
    """The tensors that the input has a part in."""
    found = {graph.input}
    for operator in graph.operators:
        if found.intersection(operator.inputs) and not _always_one(graph, operator):
            found.update(operator.outputs)
    return found


def _always_one(graph: Graph, operator: Operator) -> bool:
    """Whether it divides each value by itself: a softmax of one value."""
    return operator.kind == "SOFTMAX" and graph.shape(operator.output)[-1:] == (1,)


def _refuse_odd_shapes(graph: Graph) -> None:
    """Raise ``InputError`` for more pictures at once than any app has, and for empty tensors."""
    pictures = graph.shape(graph.input)[0]
    if pictures > MOST_PICTURES:
        raise InputError(
            f"the model takes {pictures:,} pictures at once, of at most {MOST_PICTURES:,}",
            "export it with a smaller batch, such as 1",
        )
    for operator in graph.operators:
        if any(0 in graph.shape(tensor) for tensor in operator.outputs):
            raise InputError(
                f"the {operator.kind} {operator.name} makes nothing of a picture of this size",
                "is the file whole? Does the network fit its pictures?",
            )


def _refuse_odd_weights(graph: Graph) -> None:
    """Raise ``InputError`` for weights that no training leaves, with which sums overflow."""
    for operator in graph.operators:
        constants = (graph.values(t) for t in operator.inputs[1:] if operator.weighted and t >= 0)
        for values in constants:
            if values is not None and not (np.abs(values) < LARGEST).all():
                raise InputError(
                    f"weights of {operator.name} are not finite, or above {LARGEST:g}",
                    "is the network trained, and its file whole?",
                )


def name_apart(graph: Graph) -> None:
    """Give each tensor a name of its own: those of other converters may lack one, or share it."""
    taken: set[str] = set()
    for tensor in graph.tensors:
        maker = graph.producer.get(tensor.index)
        usual = maker.kind.lower() if maker else "constant" if tensor.constant else "tensor"
        name = tensor.name
        if not name or name in taken:
            stem = name or usual
            numbered = (f"{stem}_{number}" for number in itertools.count(tensor.index))
            name = next(candidate for candidate in numbered if candidate not in taken)
            graph.rename(tensor.index, name)
        taken.add(name)
