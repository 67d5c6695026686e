"""A region's channels taken apart, the network's function kept.

The layers that make its channels are split into several that make some each; activation functions,
depthwise layers and gates follow for each group; the next layer becomes a sum of layers that read
one group each. All in standard operators.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeeff.quantization.corrections.regions import Region
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

Members = tuple[npt.NDArray[np.int64], ...]
"""The channels of each group, in order."""


def take_apart(graph: Graph, region: Region, members: Members) -> dict[str, tuple[str, ...]]:
    """Replace a region by one for each group of its channels; the function stays the same.

    Args:
        graph: changed in place; tensors of other regions keep their numbers.
        region: of the graph.
        members: the channels of each group, each channel in one of them.

    Returns:
        The names of the groups' tensors by the name of the tensor they are of.
    """
    parts: dict[int, list[int]] = {}
    for operator in (*region.makers, *region.inner):
        parts[operator.output] = _apart(graph, operator, members, parts)
    for reader in region.readers:
        if spatial(graph, reader.inputs[0]):
            _sum_of_parts(graph, reader, parts[reader.inputs[0]], members)
        else:
            _joined(graph, reader, parts[reader.inputs[0]], members)
    graph.remove(*region.makers, *region.inner)
    return {graph.name(t): tuple(graph.name(part) for part in parts[t]) for t in parts}


def _apart(
    graph: Graph, operator: Operator, members: Members, parts: Mapping[int, list[int]]
) -> list[int]:
    """An operator that makes channels, once for each group; the tensors they make."""
    made, shape = [], graph.shape(operator.output)
    for number, channels in enumerate(members):
        inputs = [
            parts[tensor][number]
            if tensor in parts
            else _of_group(graph, operator, place, channels, number)
            for place, tensor in enumerate(operator.inputs)
        ]
        name = f"{operator.name}/group{number}"
        made.append(graph.add_tensor(name, (*shape[:-1], len(channels))))
        graph.add_like(operator, inputs, [made[-1]])
    return made


def _of_group(
    graph: Graph, operator: Operator, place: int, channels: npt.NDArray[np.int64], number: int
) -> int:
    """A group's share of a constant; others, and what a layer reads, stay as they are."""
    tensor = operator.inputs[place]
    values = graph.values(tensor) if tensor >= 0 else None
    if values is None or operator.kind in ("MEAN", "PAD") or values.ndim == 0:
        return tensor
    if operator.kind in ("CONV_2D", "FULLY_CONNECTED"):
        share = values[channels]
    elif values.shape[-1] == 1:
        return tensor
    else:
        share = values[..., channels]
    return graph.add_constant(f"{graph.name(tensor)}/group{number}", share)


def _sum_of_parts(graph: Graph, reader: Operator, parts: list[int], members: Members) -> None:
    """A layer as the sum of layers that read one group each; the last one has the bias."""
    weights, shape = graph.weights(reader), graph.shape(reader.output)
    bias = reader.inputs[2] if len(reader.inputs) > 2 else -1
    summands = []
    graph.remove(reader)
    for number, (part, channels) in enumerate(zip(parts, members, strict=True)):
        kernel = graph.add_constant(
            f"{graph.name(reader.inputs[1])}/group{number}", weights[..., channels]
        )
        last = number == len(parts) - 1
        zeros = np.zeros(shape[-1], np.float32)
        shift = (
            bias if last and bias >= 0 else graph.add_constant(f"{reader.name}/bias{number}", zeros)
        )
        summands.append(graph.add_tensor(f"{reader.name}/group{number}", shape))
        added = graph.add_like(reader, [part, kernel, shift], [summands[-1]])
        graph.update(added, options={**added.options, "fused_activation_function": "NONE"})
    total = summands[0]
    for number, summand in enumerate(summands[1:], 1):
        last = number == len(summands) - 1
        activation = reader.activation if last else "NONE"
        whole = reader.output if last else graph.add_tensor(f"{reader.name}/sum{number}", shape)
        options = {"fused_activation_function": activation}
        graph.add_operator("ADD", [total, summand], [whole], options, version=2)
        total = whole


def _joined(graph: Graph, reader: Operator, parts: list[int], members: Members) -> None:
    """Let a layer read the groups side by side: where values are few, that costs least."""
    source = reader.inputs[0]
    name = f"{graph.name(source)}/joined"
    joined = next((t.index for t in graph.tensors if t.name == name), None)
    if joined is None:
        joined = graph.add_tensor(name, graph.shape(source))
        axis = len(graph.shape(source)) - 1
        options = {"axis": axis, "fused_activation_function": "NONE"}
        graph.add_operator("CONCATENATION", parts, [joined], options, version=2)
    order = np.concatenate(members)
    graph.set_weights(reader, graph.weights(reader)[..., order])
    graph.redirect(source, joined, readers=[reader])


def spatial(graph: Graph, tensor: int) -> bool:
    """Whether a tensor has values at several positions of a picture."""
    shape = graph.shape(tensor)
    return len(shape) == 4 and shape[1] * shape[2] > 1
