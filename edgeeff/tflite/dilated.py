"""Dilated convolutions that a converter wrote as three operators, as the one that they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
STEPS = ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor")


def join_dilated(graph: Graph) -> None:
    """Make SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND one dilated convolution.

    TensorFlow's converter does so itself if it knows the size of the batch. The two operators
    around are not quantized by litert-quantizer.

    Args:
        graph: of fixed shapes; changed in place.
    """
    for spread in [
        operator for operator in graph.operators if operator.kind == "SPACE_TO_BATCH_ND"
    ]:
        convolution = _only_reader(graph, spread.output)
        gathered = _only_reader(graph, convolution.output) if convolution else None
        if convolution is None or gathered is None or gathered.kind != "BATCH_TO_SPACE_ND":
            continue
        padding = _padding(graph, spread, convolution, gathered)
        if padding is None:
            continue
        height, width = _constant(graph, spread.inputs[1])
        options = {
            **convolution.options,
            "padding": padding,
            "dilation_h_factor": int(height),
            "dilation_w_factor": int(width),
        }
        inputs, output = (spread.inputs[0], *convolution.inputs[1:]), gathered.output
        graph.remove(spread, gathered)
        graph.update(
            convolution, inputs=inputs, outputs=(output,), options=options, name=graph.name(output)
        )


def _padding(
    graph: Graph, spread: Operator, convolution: Operator, gathered: Operator
) -> str | None:
    """SAME or VALID, whatever the three do together; ``None``: neither."""
    options = convolution.options
    block, pads = (_constant(graph, tensor) for tensor in spread.inputs[1:])
    after, crops = (_constant(graph, tensor) for tensor in gathered.inputs[1:])
    plain = convolution.kind in CONVOLUTIONS and all(options[name] == 1 for name in STEPS)
    if not plain or options["padding"] != "VALID" or pads.shape != (2, 2) or crops.shape != (2, 2):
        return None
    if not np.array_equal(block, after) or crops[:, 0].any():
        return None
    taps = np.asarray(graph.shape(convolution.inputs[1])[1:3])
    reach = (taps - 1) * block
    # What fills up the last block is cut off again.
    around = np.stack([pads[:, 0], pads[:, 1] - crops[:, 1]], axis=1)
    for padding, wanted in (("VALID", np.zeros_like(reach)), ("SAME", reach)):
        if np.array_equal(around, np.stack([wanted // 2, wanted - wanted // 2], axis=1)):
            return padding
    return None


def _constant(graph: Graph, tensor: int) -> npt.NDArray[Any]:
    values = graph.values(tensor)
    return np.zeros(0) if values is None else np.asarray(values)


def _only_reader(graph: Graph, tensor: int) -> Operator | None:
    readers = graph.consumers.get(tensor, ())
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None
