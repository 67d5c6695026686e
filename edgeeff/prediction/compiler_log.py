"""What Google's ``edgetpu_compiler`` prints, as values, with its words explained.

The layout is that of versions 2 to 16 (the last one): a block of ``key: value`` lines, then a
table of operators, counts and statuses.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAPPED = "Mapped to Edge TPU"

STATUSES = {
    MAPPED: "runs on the Edge TPU",
    "More than one subgraph is not supported": (
        "comes after an operator that was not mapped: make that one mappable first"
    ),
    "Operation is otherwise supported, but not mapped due to some unspecified limitation": (
        "the operator is known, but not with this shape, size or quantization; often the last "
        "QUANTIZE or RESIZE of a graph, or a tensor too large for the on-chip memory"
    ),
    "Operation not supported": "the Edge TPU has no such operator",
    "Operation version not supported": (
        "the file's version of the operator is newer than the compiler: write it with an older "
        "converter, or raise --min-runtime"
    ),
    "Operation is working on an unsupported data type": (
        "a tensor is not int8 or uint8: quantize inputs and outputs too"
    ),
    "Tensor has unsupported rank (up to 3 innermost dimensions mapped)": (
        "only the three innermost dimensions may be larger than 1: batch 1, no 5-D tensors"
    ),
}
"""The compiler's verdicts on an operator to what they mean for the model."""


@dataclass(frozen=True)
class Failure:
    """Why nothing was compiled: the compiler's words, what they mean, what to do."""

    words: str
    meaning: str
    fix: str


_FAILURES = (
    (
        r"Model not quantized",
        "the model has float tensors; the compiler takes integer models only",
        "quantize it first: edgeeff convert --int8, or edgeeff quantize MODEL.tflite",
    ),
    (
        r"Didn't find op for builtin opcode '(?P<operator>\w+)' version '(?P<version>\d+)'",
        "{operator} version {version} is newer than this compiler knows",
        "update edgetpu_compiler (16.0 is the last), or write the model with an older converter",
    ),
    (
        r"Op builtin_code out of range: (?P<code>\d+)",
        "the model has an operator (number {code}) that came after this compiler",
        "update edgetpu_compiler (16.0 is the last), or build the network without that operator",
    ),
    (
        r"Encountered unresolved custom op: (?P<operator>[\w-]+)",
        "the compiler does not take the custom operator {operator}",
        "compile a model without it; a file that holds edgetpu-custom-op is compiled already",
    ),
    (
        r"only supports static-sized tensors",
        "a tensor's size is not fixed, such as an open batch dimension",
        "export with a fixed shape: edgeeff convert does (--batch 1)",
    ),
    (
        r"large activation tensors in model",
        "an activation does not fit the on-chip memory",
        "lower --resolution, or let the compiler map only the part that fits: --search",
    ),
    (
        r"Compilation timeout\.|did not complete within",
        "the compiler gave up after its own time limit; usually an activation is too large",
        "raise --timeout, lower --resolution, or use --search",
    ),
    (
        r"Internal compiler error",
        "the compiler met a model it cannot take and does not say why; known causes are "
        "activations too large for the on-chip memory, a batch larger than 1, biases outside "
        "their range and operators of newer versions",
        "try --search, a lower --resolution, or an older runtime: --min-runtime 13; "
        "some versions fail by chance, so run it once more",
    ),
    (
        r"terminating with uncaught exception of type (?P<exception>.+)",
        "the compiler itself crashed ({exception})",
        "try --search, which compiles the longest part that works",
    ),
    (
        r"Model failed in Tflite interpreter",
        "the model does not run in the compiler's own interpreter, which is of 2021",
        "see whether edgeeff evaluate runs it; if so, the file is newer than the compiler",
    ),
    (
        r"Model could not be parsed",
        "the file is no model for this compiler",
        "see what edgeeff inspect says of it; if it is whole, it is newer than the compiler",
    ),
    (
        r"Invalid model",
        "the compiler refuses the model without a reason",
        "see edgeeff inspect MODEL.tflite --check edgetpu",
    ),
    (
        r"Compilation failed!",
        "the compiler failed without a reason",
        "try --search, which compiles the longest part that works, or --min-runtime 13",
    ),
)
"""Patterns of failures, the most telling first, with what they mean and what to do."""


@dataclass(frozen=True)
class OperatorStatus:
    """One line of the compiler's table: so many operators of a kind, and their verdict."""

    operator: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether these operators run on the Edge TPU."""
        return self.status == MAPPED

    @property
    def meaning(self) -> str:
        """The verdict in terms of the model."""
        return STATUSES.get(self.status, "a status that edgeeff does not know")


@dataclass(frozen=True)
class CompilerLog:
    """What one compilation said. Numbers it did not say are ``None``; sizes are in bytes.

    Attributes:
        version: of the compiler, such as ``16.0.384591198``.
        milliseconds: how long it took.
        model_bytes: of the file that was compiled.
        compiled_bytes: of what became of it.
        on_chip_used: parameters kept on the chip.
        on_chip_remaining: room left for parameters on the chip.
        streamed: parameters that are sent again for every inference.
        subgraphs: parts that run on the Edge TPU.
        total: operators of the model.
        operators: the table; empty if the compiler printed none.
        failure: why nothing was compiled; ``None`` if it was.
    """

    version: str | None = None
    milliseconds: int | None = None
    model_bytes: int | None = None
    compiled_bytes: int | None = None
    on_chip_used: int | None = None
    on_chip_remaining: int | None = None
    streamed: int | None = None
    subgraphs: int | None = None
    total: int | None = None
    operators: tuple[OperatorStatus, ...] = ()
    failure: Failure | None = None

    @property
    def mapped(self) -> int:
        """How many operators run on the Edge TPU."""
        return sum(line.count for line in self.operators if line.mapped)

    @property
    def on_cpu(self) -> int:
        """How many operators stay on the CPU."""
        return sum(line.count for line in self.operators if not line.mapped)

    @property
    def mapped_share(self) -> float | None:
        """The share of operators on the Edge TPU, 0 to 1; ``None`` without a table."""
        counted = self.mapped + self.on_cpu
        return self.mapped / counted if counted else None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, each operator line with its meaning."""
        lines = [
            {**dataclasses.asdict(line), "mapped": line.mapped, "meaning": line.meaning}
            for line in self.operators
        ]
        summary = {"mapped": self.mapped, "on_cpu": self.on_cpu, "mapped_share": self.mapped_share}
        return {**dataclasses.asdict(self), "operators": lines, **summary}


_NUMBERS = {
    "milliseconds": r"compiled successfully in (\d+) ms",
    "subgraphs": r"Number of Edge TPU subgraphs: (\d+)",
    "total": r"Total number of operations: (\d+)",
}
_SIZES = {
    "model_bytes": "Input size",
    "compiled_bytes": "Output size",
    "on_chip_used": "On-chip memory used for caching model parameters",
    "on_chip_remaining": "On-chip memory remaining for caching model parameters",
    "streamed": "Off-chip memory used for streaming uncached model parameters",
}
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TABLE_LINE = re.compile(r"^ *([A-Za-z][\w-]*) {2,}(\d+) {2,}(\S.*?) *$", re.MULTILINE)
_ATTEMPT = re.compile(r"^Try to compile segment", re.MULTILINE)


def parse(text: str) -> CompilerLog:
    """Read what the compiler printed (or its ``.log`` file, which has only the table).

    With ``-d`` the compiler tries several cuts of the model: the last one counts.

    Args:
        text: standard output and standard error together.

    Returns:
        The log; ``failure`` is set if it tells of one, or if it has neither a success nor a
        table.
    """
    version = re.search(r"Edge TPU Compiler version (\S+)", text)
    attempt = _ATTEMPT.split(text)[-1]
    numbers = {name: _number(pattern, attempt) for name, pattern in _NUMBERS.items()}
    sizes = {name: _size(label, attempt) for name, label in _SIZES.items()}
    operators = _merged(_TABLE_LINE.findall(attempt))
    compiled = numbers["milliseconds"] is not None or bool(operators)
    return CompilerLog(
        version=version.group(1) if version else None,
        **numbers,
        **sizes,
        operators=operators,
        failure=None if compiled else _failure(attempt),
    )


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else None


def _size(label: str, text: str) -> int | None:
    found = re.search(rf"{label}: ([\d.]+)({'|'.join(_UNITS)})\b", text)
    return round(float(found.group(1)) * _UNITS[found.group(2)]) if found else None


def _merged(lines: Iterable[tuple[str, str, str]]) -> tuple[OperatorStatus, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for operator, count, status in lines:
        counts[operator, status] += int(count)
    return tuple(OperatorStatus(name, count, status) for (name, status), count in counts.items())


def _failure(text: str) -> Failure:
    for pattern, meaning, fix in _FAILURES:
        found = re.search(pattern, text)
        if found:
            return Failure(found.group(0).strip(), meaning.format(**found.groupdict()), fix)
    return Failure("", "the compiler said nothing that edgeeff understands", "read what it said")
