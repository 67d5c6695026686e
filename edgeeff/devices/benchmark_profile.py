"""The time of every operator, as ``benchmark_model --enable_op_profiling=true`` prints it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeeff.accelerators.cpu_profile import layer_names
from edgeeff.accelerators.plan import OperatorTime, Profile
from edgeeff.devices.benchmark_model import SERIES, failure, read_series
from edgeeff.errors import TargetUnavailable
from edgeeff.tflite.model import Model

METHOD = "averages by benchmark_model of {runs} runs; what a delegate fused appears as one"

TABLE = re.compile(
    r"Operator-wise Profiling Info for Regular Benchmark Runs:.*?= Run Order =+\n"
    r"[^\n]*\[node type\][^\n]*\n(?P<rows>.*?)\n\s*\n",
    re.DOTALL,
)
ROW = re.compile(
    r"^\s*(?P<operator>\S.*?)"
    r"(?:\s+-?\d+\.\d+){2,3}"  # [start] of older versions, [first], [avg ms]
    r"\s+(?P<percent>\d+\.\d+)%\s+\d+\.\d+%"
    r"\s+-?\d+\.\d+\s+(?P<times>\d+)"  # [mem KB], [times called]
    r"\s+(?P<name>\S.*?)\s*$"
)
TIMINGS = re.compile(r"Timings \(microseconds\): ")

OUTPUTS = re.compile(r"\[(?P<tensors>.*)\]:\d+")
WITHIN = re.compile(r"Delegate/.*:(?P<index>\d+)")
"""A row's name: tensors that an operator of the file makes, or a kernel inside a delegate."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        operator: of the file, or a delegate's kernel.
        percent: of all operators' time, in every run together.
        times: how often it ran in one inference; kernels of several partitions share a line.
        name: tensors or kernel, see ``OUTPUTS`` and ``WITHIN``.
    """

    operator: str
    percent: float
    times: int
    name: str


def parse_profile(text: str, model: Model) -> Profile:
    """Read the table in order of execution.

    A line's milliseconds have three decimals, its percent are finer for most models, and they
    hold whatever the number of calls: so time is percent of the printed mean of all operators.

    Args:
        text: what the program printed.
        model: the file, for the names of layers.

    Raises:
        TargetUnavailable: there is no such table, or it has one line, a delegate's.
    """
    table = TABLE.search(text)
    timings = table and TIMINGS.search(text, table.end())
    total = timings and SERIES.search(text, timings.end())
    if table is None or total is None:
        raise failure(text)
    series = read_series(total)
    rows = [_row(line) for line in table["rows"].splitlines()]
    if len(rows) == 1 and rows[0].operator.startswith("TfLite"):
        hint = "a newer benchmark_model, or --option xnnpack=off for LiteRT's own kernels"
        raise TargetUnavailable(
            f"benchmark_model sees all operators in {rows[0].operator} as one",
            hint if "XNN" in rows[0].operator else "--target cpu has a profile per operator",
        )
    names = _layers(rows, model)
    operators = tuple(
        OperatorTime(row.operator, name, round(row.percent / 100 * series.mean * 1000))
        for row, name in zip(rows, names, strict=True)
    )
    return Profile(METHOD.format(runs=series.runs), operators)


def _row(line: str) -> Row:
    found = ROW.match(line)
    if found is None:
        raise TargetUnavailable(
            f"benchmark_model printed an operator's line that is not known: {line.strip()!r}",
            "please report this",
        )
    percent, times = float(found["percent"]), int(found["times"])
    return Row(found["operator"], percent, times, found["name"])


def _layers(rows: Sequence[Row], model: Model) -> list[str]:
    """What each row makes: as it says itself, else where it is without doubt the file's."""
    own = [OUTPUTS.fullmatch(row.name) for row in rows]
    indices = [int(found["index"]) for row in rows if (found := WITHIN.fullmatch(row.name))]
    if indices != sorted(set(indices)) or any(row.times != 1 for row in rows):
        # Several partitions: their kernels are numbered from 0 each, and share lines.
        return [found["tensors"] if found else "" for found in own]
    tensors = model.graphs[0].tensors
    outputs = [tensors[operator.outputs[0]].name for operator in model.operators]
    matched = layer_names(
        [row.operator for row in rows], [operator.kind for operator in model.operators], outputs
    )
    return [found["tensors"] if found else name for found, name in zip(own, matched, strict=True)]
