"""What the report needs of a model file, without keeping the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edgeeff.prediction.check import CHECKS, Check, check_model
from edgeeff.tflite.inspection import Inspection
from edgeeff.tflite.model import Model

PREDICTED = "predicted"
COMPILER = "the compiler"


@dataclass(frozen=True)
class Group:
    """Operators of one kind that have the same place.

    Attributes:
        reason: why the accelerator does not take them; empty if it does.
    """

    operator: str
    count: int
    taken: bool
    reason: str


@dataclass(frozen=True)
class Placement:
    """Which operators an accelerator takes.

    Attributes:
        target: its name.
        said_by: ``PREDICTED`` from tables, or ``COMPILER``.
        groups: what is not taken first.
        notes: what else a reader should know.
    """

    target: str
    said_by: str
    taken: int
    operators: int
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A model file, as far as it can be read without running it.

    Attributes:
        parameters: weights and biases of convolutions and dense layers, counted.
        macs: multiply-accumulates of one run.
        activation_bytes: alive at once, at the least.
        operators: how many of each kind.
        input: type and shape, in words.
        output: likewise.
        classes: size of the output's last axis.
        integer_only: no operator computes in float.
        placements: predicted, for each accelerator with a table.
    """

    sha256: str
    bytes: int
    parameters: int
    macs: int
    activation_bytes: int
    operators: Mapping[str, int]
    input: str
    output: str
    classes: int | None
    integer_only: bool
    placements: tuple[Placement, ...]


def facts(inspection: Inspection) -> Facts:
    """The facts of a file that was taken apart."""
    model = inspection.model
    return Facts(
        sha256=model.sha256,
        bytes=model.bytes,
        parameters=_parameters(model),
        macs=inspection.macs,
        activation_bytes=inspection.activation_bytes,
        operators=model.operator_counts,
        input=", ".join(f"{t.dtype} {list(t.shape)}" for t in model.inputs),
        output=", ".join(f"{t.dtype} {list(t.shape)}" for t in model.outputs),
        classes=model.classes or None,
        integer_only=model.integer_only,
        placements=tuple(placement(check_model(target, model)) for target in CHECKS),
    )


def placement(check: Check) -> Placement:
    """A prediction as the report shows it."""
    return Placement(
        check.target,
        PREDICTED,
        check.mapped,
        len(check.verdicts),
        tuple(Group(g.operator, g.count, g.taken, g.reason) for g in check.groups),
        check.notes,
    )


def _parameters(model: Model) -> int:
    """Values of the constants that convolutions and dense layers read, each counted once.

    Weights in half precision are made float by an operator before.
    """
    unpacked = {
        operator.output: operator.inputs[0]
        for operator in model.operators
        if operator.kind == "DEQUANTIZE" and operator.inputs and operator.outputs
    }
    read = {
        unpacked.get(tensor, tensor)
        for operator in model.operators
        if operator.weighted
        for tensor in operator.inputs
        if tensor >= 0
    }
    constants = [model.tensors[tensor] for tensor in read if model.tensors[tensor].constant]
    return sum(math.prod(tensor.shape) for tensor in constants)
