"""Where a classifier's logits are: before what makes probabilities of them, if it ends in that."""

from __future__ import annotations

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

FINAL_ACTIVATIONS = ("SOFTMAX", "LOGISTIC")
"""Operators that turn logits into probabilities of classes, or of each class by itself."""

ARRANGING = ("RESHAPE", "SQUEEZE")
"""Operators that hand on the same values in another shape."""

MIXED = "MIXED"
"""In place of one of them, where an answer is worked out of what several or others made."""

CONVERTING = ("QUANTIZE", "DEQUANTIZE")
"""Operators by which a quantized model gives its caller another type."""


def final_activation(graph: Graph) -> Operator | None:
    """The softmax or sigmoid that makes a model's answer of its logits, if it ends in one.

    A quantized model may convert its answer to another type for its caller, and any model may give
    it another shape.
    """
    operator = graph.producer.get(graph.output)
    while operator is not None and operator.kind in (*CONVERTING, *ARRANGING):
        operator = graph.producer.get(operator.inputs[0])
    return operator if operator is not None and operator.kind in FINAL_ACTIVATIONS else None


def final_kind(graph: Graph) -> str | None:
    """The kind of the final activation; ``None`` of a model that answers with its logits.

    ``MIXED`` where the answer is neither: what softmaxes or sigmoids made, joined, scaled or added,
    as the mean of an ensemble.
    """
    last = final_activation(graph)
    if last is not None:
        return last.kind
    waiting, seen = [graph.output], {graph.output}
    while waiting:
        operator = graph.producer.get(waiting.pop())
        if operator is None or operator.weighted or operator.kind == "BATCH_MATMUL":
            continue
        if operator.kind in FINAL_ACTIVATIONS and not _gates(graph, operator):
            return MIXED
        waiting += set(operator.inputs) - seen
        seen.update(operator.inputs)
    return None


def _gates(graph: Graph, operator: Operator) -> bool:
    """Whether other activations are multiplied by it, as in swish and squeeze-excite."""
    return any(
        reader.kind == "MUL" and not any(graph.tensor(tensor).constant for tensor in reader.inputs)
        for reader in graph.consumers.get(operator.output, ())
    )


def logits_of(graph: Graph) -> int:
    """The tensor before the final softmax or sigmoid, or the output."""
    last = final_activation(graph)
    return last.inputs[0] if last is not None else graph.output


def cut_at_logits(graph: Graph) -> Graph:
    """A copy of the graph that ends before its final softmax or sigmoid, if it has one."""
    last, cut = final_activation(graph), graph.copy()
    if last is not None:
        cut.cut(outputs=[last.inputs[0]])
    return cut
