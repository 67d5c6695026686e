"""Where a classifier's logits are: before what makes probabilities of them, if it ends in that."""

from __future__ import annotations

import math

from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

FINAL_ACTIVATIONS = ("SOFTMAX", "LOGISTIC")
"""Operators that turn logits into probabilities of classes, or of each class by itself."""

ARRANGING = ("RESHAPE", "SQUEEZE")
"""Operators that hand on the same values in another shape."""

MIXED = "MIXED"
"""In place of one of them, where an answer is worked out of what several or others made, or is
clipped to 0..1 as a hard sigmoid does it."""

CONVERTING = ("QUANTIZE", "DEQUANTIZE")
"""Operators by which a quantized model gives its caller another type."""

CEILINGS = {"RELU6": 6.0, "RELU_0_TO_1": 1.0}
"""Where operators clip what is above 0."""

STEP = 0.01
"""A constant that is quantized may be off by a step of an 8-bit grid."""

ADDING = ("ADD", "ADD_N", "CONCATENATION", "MAXIMUM", "MEAN", "MUL", "PACK", "SUM")
"""Operators of which a class gets the more, the more each softmax gave it."""


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

    ``MIXED`` where the answer is neither: what softmaxes or sigmoids made, joined, scaled, added or
    multiplied, as the mean of an ensemble, or whether there is an object times of which class; or
    what a hard sigmoid made.
    """
    last = final_activation(graph)
    if last is not None:
        return last.kind
    return MIXED if graph.output in _of_probabilities(graph) or _hard_sigmoid(graph) else None


def _hard_sigmoid(graph: Graph) -> bool:
    """Whether the answer is clipped to 0..1: as ``RELU6`` times 1/6, or ``RELU`` of ``MINIMUM``.

    The former is of Keras 3 and PyTorch, the latter of tf_keras.
    """
    tensor, factor, floor = graph.output, 1.0, False
    while (operator := graph.producer.get(tensor)) is not None:
        kind = operator.kind if operator.activation == "NONE" else operator.activation
        value = _constant(graph, operator)
        if kind in CEILINGS:
            return math.isclose(factor * CEILINGS[kind], 1, rel_tol=STEP)
        if kind == "MINIMUM" and value is not None and floor:
            return math.isclose(factor * value, 1, rel_tol=STEP)
        if kind == "MUL" and value is not None:
            factor *= value
        elif operator.kind == "RELU":
            floor = True
        elif kind not in (*ARRANGING, *CONVERTING):
            return False
        tensor = next((it for it in operator.inputs if not graph.tensor(it).constant), -1)
    return False


def _constant(graph: Graph, operator: Operator) -> float | None:
    """The real value of an operator's only constant, if that is one number."""
    constants = [graph.tensor(source) for source in operator.inputs if source >= 0]
    constants = [tensor for tensor in constants if tensor.constant]
    values = graph.values(constants[0].index) if len(constants) == 1 else None
    if values is None or values.size != 1:
        return None
    scale, zero_point = (*constants[0].scales, 1.0)[0], (*constants[0].zero_points, 0)[0]
    return float((values.item() - zero_point) * scale)


def _of_probabilities(graph: Graph) -> set[int]:
    """The tensors that are worked out of what softmaxes or sigmoids made, without layers between.

    A product is one of them only if all that is multiplied is: else they gate other activations, as
    in swish and squeeze-excite.
    """
    constant = {-1, *(tensor.index for tensor in graph.tensors if tensor.constant)}
    found: set[int] = set()
    for operator in graph.operators:
        sources = set(operator.inputs) - constant
        if not sources:
            constant.update(operator.outputs)
        elif operator.kind in FINAL_ACTIVATIONS:
            found.update(operator.outputs)
        elif operator.weighted or operator.kind == "BATCH_MATMUL":
            continue
        elif (sources <= found) if operator.kind == "MUL" else (sources & found):
            found.update(operator.outputs)
    return found


def classes_compete(graph: Graph) -> bool:
    """Whether one class excludes the others in an answer whose kind is ``MIXED``.

    It is worked out of softmaxes over these classes alone, as the mean of an ensemble, perhaps
    times one value for all of them, such as whether there is an object. Softmaxes side by side
    answer one question each, and sigmoids exclude nothing.
    """
    classes = graph.shape(graph.output)[-1]
    activations = {tensor.index for tensor in graph.tensors if not tensor.constant}
    found: set[int] = set()
    for operator in graph.operators:
        sources = activations.intersection(operator.inputs)
        if operator.kind == "MUL":
            sources = {source for source in sources if graph.shape(source)[-1:] not in ((), (1,))}
        if operator.kind == "SOFTMAX":
            competing = graph.shape(operator.output)[-1] == classes
        else:
            handed_on = operator.kind in (*ARRANGING, *CONVERTING, *ADDING)
            competing = handed_on and bool(sources) and sources <= found
        if competing:
            found.update(operator.outputs)
    return classes > 1 and graph.output in found


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
