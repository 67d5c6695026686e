"""What goes into the network and comes out: raw bytes for an app, whatever is inside."""

from __future__ import annotations

import numpy as np

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.grid import FIXED, Grid
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import CONVERTING
from edgeeff.tflite.model import Tensor

NORMALISED = "normalised"
"""Name of the tensor that the normalization operator makes."""


def add_normalization(graph: Graph, preprocessing: Preprocessing) -> int:
    """Let a float network take raw pixels 0..255 instead of normalised ones.

    One 1x1 depthwise convolution in front does (pixel - mean) / std, exactly and per channel.

    Returns:
        The tensor that it makes: what was the input.
    """
    raw = graph.input
    scale = 1.0 / np.asarray(preprocessing.std, np.float64)
    offset = -np.asarray(preprocessing.mean, np.float64) * scale
    inside = graph.add_tensor(NORMALISED, graph.shape(raw))
    kernel = graph.add_constant(
        f"{NORMALISED}/kernel", scale.reshape(1, 1, 1, -1).astype(np.float32)
    )
    bias = graph.add_constant(f"{NORMALISED}/bias", offset.astype(np.float32))
    graph.redirect(raw, inside)
    options = {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
    graph.add_operator("DEPTHWISE_CONV_2D", [raw, kernel, bias], [inside], options)
    return inside


def quantize_unread(graph: Graph) -> None:
    """Give outputs that nothing reads the type and grid of those beside them.

    litert-quantizer leaves such outputs of a SPLIT in float, as no operator makes them of integers.
    """
    for operator in graph.operators:
        made = [graph.tensor(tensor) for tensor in operator.outputs]
        beside = next((one for one in made if one.scales), None)
        if beside is None:
            continue
        outputs = [
            one.index
            if one.scales
            else graph.add_tensor(
                one.name,
                one.shape,
                beside.dtype,
                scale=beside.scales[0],
                zero_point=int(beside.zero_points[0]),
            )
            for one in made
        ]
        if tuple(outputs) != operator.outputs:
            graph.update(operator, outputs=tuple(outputs))


def wrap(
    graph: Graph, input_type: str, output_type: str, grid: Grid, *, headroom: float = 1.0
) -> None:
    """Convert a quantized model's input and output to the types its caller wants.

    uint8 and int8 differ by 128 in value and zero point, so that converting between them is
    exact; float32 goes through QUANTIZE or DEQUANTIZE.

    Args:
        graph: the quantized model; changed in place.
        input_type: ``uint8``, ``int8`` or ``float32``.
        output_type: likewise.
        grid: the int8 grid of the input.
        headroom: of the recipe's ranges, which bytes cannot afford at the output.

    Raises:
        InputError: the model's own type cannot be converted so.
    """
    if graph.tensor(graph.input).dtype != input_type:
        _wrap_input(graph, input_type, grid)
    if graph.tensor(graph.output).dtype != output_type:
        _wrap_output(graph, output_type, headroom)


def answered_inside(graph: Graph) -> Graph:
    """A copy of a quantized model whose answer has the type of the layers inside.

    So it was before ``wrap``; the answer keeps its name. The graph itself where nothing converts.
    """
    copy, name = graph.copy(), graph.name(graph.output)
    while (maker := copy.producer.get(copy.output)) is not None:
        inside = maker.inputs[0]
        if maker.kind not in CONVERTING or copy.name(inside) not in (
            f"{name}/inner",
            f"{name}/int8",
        ):
            break
        copy.rename(copy.output, f"{name}/outer")
        copy.set_output(inside)
    if copy.output == graph.output:
        return graph
    copy.rename(copy.output, name)
    return copy


def _wrap_input(graph: Graph, wanted: str, grid: Grid) -> None:
    inner = graph.tensor(graph.input)
    graph.rename(inner.index, f"{inner.name}/inner")
    if wanted == "float32":
        outer = graph.add_tensor(inner.name, inner.shape, wanted)
        graph.add_operator("QUANTIZE", [outer], [inner.index], version=2)
    else:
        outer = _bytes(graph, inner, wanted, grid)
        source = outer
        if wanted == "uint8" and inner.dtype == "int16":
            # There is no kernel from uint8 to int16.
            source = _bytes(graph, inner, "int8", grid, f"{inner.name}/int8")
            graph.add_operator("QUANTIZE", [outer], [source], version=2)
        kind = "DEQUANTIZE" if inner.dtype == "float32" else "QUANTIZE"
        graph.add_operator(kind, [source], [inner.index], version=2)
    graph.set_input(outer)


def _wrap_output(graph: Graph, wanted: str, headroom: float) -> None:
    inner = graph.tensor(graph.output)
    graph.rename(inner.index, f"{inner.name}/inner")
    source, kind = inner.index, "QUANTIZE"
    if wanted == "float32":
        outer, kind = graph.add_tensor(inner.name, inner.shape, wanted), "DEQUANTIZE"
    elif inner.dtype not in ("int8", "int16"):
        raise InputError(f"an output of type {wanted} from a float layer", "use float32")
    else:
        grid = _output_grid(graph, inner, headroom)
        if wanted == "uint8" and inner.dtype == "int16":
            # There is no kernel from int16 to uint8.
            source = _bytes(graph, inner, "int8", grid, f"{inner.name}/int8")
            graph.add_operator("QUANTIZE", [inner.index], [source], version=2)
        outer = _bytes(graph, inner, wanted, grid)
    graph.add_operator(kind, [source], [outer], version=2)
    graph.set_output(outer)


def _output_grid(graph: Graph, inner: Tensor, headroom: float) -> Grid:
    """The int8 grid of an output: an int16 one's reach but its headroom, 0..1 of probabilities."""
    (scale,), (zero_point,) = inner.scales, inner.zero_points
    if inner.dtype == "int8":
        return Grid(scale, zero_point)
    maker = graph.producer.get(inner.index)
    return FIXED.get(maker.kind if maker else "") or Grid(scale * 32767 / 127 / headroom, 0)


def _bytes(graph: Graph, inner: Tensor, wanted: str, grid: Grid, name: str = "") -> int:
    """A tensor of the input's or output's shape on its int8 grid, shifted for uint8."""
    shift = 128 if wanted == "uint8" else 0
    return graph.add_tensor(
        name or inner.name,
        inner.shape,
        wanted,
        scale=grid.scale,
        zero_point=grid.zero_point + shift,
    )
