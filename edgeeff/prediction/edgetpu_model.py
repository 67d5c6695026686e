"""What the Edge TPU makes of a model: the program in a compiled one, the mapping of another."""

from __future__ import annotations

from pathlib import Path

from edgeeff.errors import InputError
from edgeeff.prediction.check import Check, parameter_bytes, partition, verdicts
from edgeeff.prediction.edgetpu_rules import (
    GENERAL,
    NEWEST_VERSIONS,
    ON_CHIP_BYTES,
    RESERVED_BYTES,
    RULES,
    RUNTIMES,
    UP_TO_12,
)
from edgeeff.prediction.operator_rules import Node, broken
from edgeeff.shell import word
from edgeeff.tflite.model import Model

CUSTOM_OPERATOR = "edgetpu-custom-op"
PACKAGE = b"DWN1"
"""Identifier of the program in the custom operator (libedgetpu: executable/executable.fbs)."""

_LARGE = "large_custom_options"
"""What the fields are called that say where options are which lie behind the model."""

_LATER = "comes after an operator that is not mapped; the compiler maps one piece"


def require_compiled(model: Model) -> None:
    """Refuse a model that holds no program for the Edge TPU.

    Raises:
        InputError: it has no ``edgetpu-custom-op``, or one without Google's program in it.
    """
    if not any(operator.kind == CUSTOM_OPERATOR for operator in model.operators):
        raise InputError(
            f"{model.name} is not compiled for the Edge TPU: it has no {CUSTOM_OPERATOR}",
            f"compile it first: edgeeff compile {word(Path(model.name))}",
        )
    if not all(PACKAGE in options for options in _programs(model)):
        raise InputError(
            f"the {CUSTOM_OPERATOR} of {model.name} holds no program of Google's compiler",
            "it was written by something else; compile the int8 model: edgeeff compile",
        )


def check(model: Model, runtime: int = RUNTIMES[-1]) -> Check:
    """Predict what ``edgetpu_compiler`` would map, from Coral's table of operators.

    Args:
        model: a quantized model, before compiling.
        runtime: the oldest Edge TPU runtime it must run on (``--min-runtime``).

    Returns:
        The mapping: one piece of the graph on the Edge TPU, the rest on the CPU. The compiler
        has limits that it does not publish, so it may map less.
    """
    graph = model.graphs[0]
    nodes = [Node(graph, operator) for operator in graph.operators]
    reasons = [_reason(node, runtime) for node in nodes]
    pieces = partition(graph, [not reason for reason in reasons])
    mappable = sorted({piece for piece, why in zip(pieces, reasons, strict=True) if not why})
    reasons = [
        why or ("" if piece == mappable[0] else _LATER)
        for piece, why in zip(pieces, reasons, strict=True)
    ]
    refusals = _refusals(nodes)
    if refusals:
        reasons = [refusals[0]] * len(reasons)
    size = parameter_bytes(graph, [not reason for reason in reasons])
    streamed = max(0, size - ON_CHIP_BYTES)
    return Check(
        target="edgetpu",
        verdicts=verdicts(graph, reasons),
        partitions=len(mappable),
        parameter_bytes=size,
        cached_bytes=size - streamed,
        streamed_bytes=streamed,
        notes=(*refusals, *_notes(model, nodes, size)),
    )


def _reason(node: Node, runtime: int) -> str:
    name = node.operator.kind
    if name == CUSTOM_OPERATOR:
        return ""
    rule = RULES.get(name)
    if rule is None:
        return "the Edge TPU has no such operator"
    if runtime < rule.since:
        return f"needs Edge TPU runtime {rule.since}"
    older = UP_TO_12.get(name, ()) if runtime <= 12 else ()
    return broken(node, (*GENERAL, *rule.conditions, *older)) or ""


def _refusals(nodes: list[Node]) -> list[str]:
    """What makes the compiler refuse the whole file."""
    newer = {
        (node.operator.kind, node.operator.version)
        for node in nodes
        if node.operator.version > NEWEST_VERSIONS.get(node.operator.kind, node.operator.version)
    }
    return [
        f"compiler 16.0 refuses the file: {name} has version {version}, "
        f"it reads up to {NEWEST_VERSIONS[name]}"
        for name, version in sorted(newer)
    ]


def _notes(model: Model, nodes: list[Node], size: int) -> list[str]:
    names = {node.operator.kind for node in nodes}
    notes = [
        f"{name}: {RULES[name].uncertain}"
        for name in sorted(names & RULES.keys())
        if RULES[name].uncertain
    ]
    if CUSTOM_OPERATOR in names:
        notes.append("this file is compiled already: what is not in its program runs on the CPU")
    elif not any(tensor.dtype in ("int8", "uint8") for tensor in model.tensors):
        notes.append("the compiler refuses the file: nothing in it is quantized to 8 bits")
    if ON_CHIP_BYTES - RESERVED_BYTES < size <= ON_CHIP_BYTES:
        notes.append("the compiler keeps up to 1 MiB of the chip's memory: some may be streamed")
    if len(model.graphs) > 1:
        notes.append(f"only the main one of {len(model.graphs)} graphs was looked at")
    return notes


def _programs(model: Model) -> list[bytes]:
    """The custom options of every Edge TPU operator, which the reader's options leave out."""
    programs = []
    for operator in model.operators:
        if operator.kind != CUSTOM_OPERATOR:
            continue
        inside, start = operator.table["custom_options"], operator.table[f"{_LARGE}_offset"]
        end = start + operator.table[f"{_LARGE}_size"]
        programs.append(bytes(model.content[start:end] if inside is None else inside))
    return programs
