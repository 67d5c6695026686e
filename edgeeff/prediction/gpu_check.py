"""What LiteRT's GPU delegate would take of a model, predicted from its table of operators."""

from __future__ import annotations

from collections import Counter

from edgeeff.prediction.check import Check, parameter_bytes, partition, verdicts
from edgeeff.prediction.gpu_rules import CONDITIONS, GENERAL, NEWEST_VERSIONS, REFUSED, TAKEN
from edgeeff.prediction.operator_rules import Node, broken
from edgeeff.tflite.model import Model

_ELSEWHERE = "is in another piece of the graph; the delegate takes the largest one"


def check(model: Model) -> Check:
    """Predict which operators the GPU delegate takes.

    The delegate takes one piece of the graph, the one with the most operators; everything else
    runs on the CPU, and every border between them copies tensors.
    """
    graph = model.graphs[0]
    reasons = [_reason(Node(graph, operator)) for operator in graph.operators]
    pieces = partition(graph, [not reason for reason in reasons])
    sizes = Counter(piece for piece, why in zip(pieces, reasons, strict=True) if not why)
    largest = max(sizes, key=lambda piece: (sizes[piece], -piece), default=-1)
    reasons = [
        why or ("" if piece == largest else _ELSEWHERE)
        for piece, why in zip(pieces, reasons, strict=True)
    ]
    notes = []
    if model.integer_only:
        notes.append(
            "int8 is computed in floating point on the GPU: close to the CPU's result, not equal"
        )
    if len(model.graphs) > 1:
        notes.append(f"only the main one of {len(model.graphs)} graphs was looked at")
    return Check(
        target="gpu",
        verdicts=verdicts(graph, reasons),
        partitions=len(sizes),
        parameter_bytes=parameter_bytes(graph, [not reason for reason in reasons]),
        notes=tuple(notes),
    )


def _reason(node: Node) -> str:
    name, version = node.operator.kind, node.operator.version
    if name in REFUSED:
        return "the delegate does not take this operator"
    if name not in TAKEN:
        return "not known to be taken"
    if version > NEWEST_VERSIONS.get(name, version):
        return f"version {version}; the delegate takes up to {NEWEST_VERSIONS[name]}"
    return broken(node, (*GENERAL, *CONDITIONS.get(name, ()))) or ""
