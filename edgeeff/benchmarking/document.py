"""The document edgeeff.benchmark/1: written with every sample, and read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import foreign
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.environment import Environment
from edgeeff.benchmarking.measurement import Figure, Measurement
from edgeeff.benchmarking.session import Failure
from edgeeff.errors import InputError
from edgeeff.files import document, read_document
from edgeeff.version import __version__

SCHEMA = "edgeeff.benchmark/1"
COMPARISON_SCHEMA = "edgeeff.comparison/1"


@dataclass(frozen=True)
class Benchmark:
    """A document read back: the figures, and the machines they were measured on by device."""

    figures: tuple[Figure, ...]
    machines: Mapping[str, Mapping[str, Any]]

    def machine(self, device: str) -> Mapping[str, Any]:
        """The machine behind a device before the measurement."""
        return self.machines.get(device, {})


def benchmark_document(
    environments: Sequence[Environment],
    measurements: Sequence[Measurement],
    failures: Sequence[Failure] = (),
    comparisons: Sequence[Comparison] = (),
) -> str:
    """The document's text.

    Args:
        environments: one per device.
        measurements: what was measured.
        failures: what could not be, and why.
        comparisons: of the measurements of this session.
    """
    text = document(
        SCHEMA,
        {
            "environment": _environment(environments),
            "measurements": [measurement.to_json() for measurement in measurements],
            "failures": [failure.to_json() for failure in failures],
            "comparisons": [comparison.to_json() for comparison in comparisons],
        },
    )
    return _rows_of_numbers(text)


def comparison_document(
    comparisons: Sequence[Comparison], environments: Sequence[Environment] = (), **fields: Any
) -> str:
    """The text of an edgeeff.comparison/1 document.

    Args:
        comparisons: what was found.
        environments: one per device; none where both sides are documents, which hold theirs.
        fields: what comes after the comparisons.
    """
    where = {"environment": _environment(environments)} if environments else {}
    found = [comparison.to_json() for comparison in comparisons]
    return _rows_of_numbers(document(COMPARISON_SCHEMA, {**where, "comparisons": found, **fields}))


def _environment(environments: Sequence[Environment]) -> dict[str, Any]:
    return {
        "edgeeff": __version__,
        "devices": [environment.to_json() for environment in environments],
    }


def read_benchmark(path: Path) -> Benchmark:
    """Read a document of version 1.

    Raises:
        InputError: not readable, not such a document, or a part that comparing needs is missing.
    """
    content = read_document(path, SCHEMA)
    hint = "was it edited, or cut short?"
    with foreign.parsing(f"{path} is not a whole benchmark document", hint):
        devices = content["environment"]["devices"]
        machines = {str(entry["device"]): dict(entry["before"]) for entry in devices}
        entries = list(content["measurements"])
    if not entries:
        raise InputError(f"{path} holds no measurement", "every model of that call failed")
    return Benchmark(tuple(Figure.of(entry, str(path)) for entry in entries), machines)


def _rows_of_numbers(text: str) -> str:
    """Put every list of plain numbers on one line: thousands of samples are not read singly."""

    def joined(found: re.Match[str]) -> str:
        return "[" + ", ".join(found.group(1).split(",")).replace("\n", "").replace("  ", "") + "]"

    return re.sub(r"\[\n\s*((?:-?[\d.eE+-]+,?\s*)+)\]", joined, text)
