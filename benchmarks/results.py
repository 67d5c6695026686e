"""The JSON documents in benchmarks/results/: what was measured, by which command, where and when.

A benchmark writes its rows with ``save``; ``publish.py`` makes the tables of the documentation and
``calibration/measured.toml`` from them. ``results.schema.json`` describes the fields.
"""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from edgeeff.accelerators.machine import processor_name

SCHEMA = "edgeeff.results/1"
FOLDER = Path(__file__).parent / "results"
SAVE = "--save"

IDENTITY = ("network", "method", "calibration", "given", "seed", "judged")
"""The fields that tell a row from others; a later row replaces an earlier one with the same."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """One document.

    Attributes:
        command: makes the figures.
        machine: where it ran.
        notes: what a reader of the figures has to know, one sentence or two each.
        rows: the figures.
        pictures: ``count`` and ``kind`` of those judged, and what ``calibration`` with data used.
        latency_to: the method whose time per run is 1.
    """

    command: str
    machine: str
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    pictures: Mapping[str, Any] | None = None
    latency_to: str | None = None


def read(path: Path) -> Results:
    """A document. Raises ``ValueError`` for one of another schema."""
    fields = json.loads(path.read_text("utf-8"))
    if fields.pop("schema") != SCHEMA:
        raise ValueError(f"{path} is no {SCHEMA}")
    notes, rows = tuple(fields.pop("notes")), tuple(fields.pop("rows"))
    return Results(**fields, notes=notes, rows=rows)


def save(path: Path, found: Results) -> None:
    """Write a document, or put its rows in the place of the same ones of an existing document.

    An existing document keeps its command and notes; rows of another machine say so.
    """
    if path.exists():
        old = read(path)
        machine = {} if old.machine == found.machine else {"machine": found.machine}
        rows = _joined(old.rows, [{**row, **machine} for row in found.rows])
        found = replace(old, rows=rows, latency_to=old.latency_to or found.latency_to)
    path.write_text(text(found), "utf-8")


def text(found: Results) -> str:
    """A document with one row a line, so that a difference shows which figures changed."""
    told = {key: value for key, value in asdict(found).items() if value is not None}
    head = {"schema": SCHEMA, **told}
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in head.pop("rows"))
    start = json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}")
    return f'{start},\n  "rows": [\n{rows}\n  ]\n}}\n'


def of_this_run(rows: Iterable[Row]) -> Results:
    """Rows with the command and the machine that made them; pictures and notes are for a person.

    ``--save FILE`` is no part of the command: it changes no figure.
    """
    words = sys.argv[1:]
    if SAVE in words:
        place = words.index(SAVE)
        words = [*words[:place], *words[place + 2 :]]
    cores = psutil.cpu_count() or 1
    return Results(
        command=shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words]),
        machine=f"{cores} cores of {processor_name()}",
        notes=(),
        rows=tuple({**row, "date": datetime.date.today().isoformat()} for row in rows),
    )


def _identity(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in IDENTITY)


def _joined(old: Iterable[Row], new: Iterable[Row]) -> tuple[Row, ...]:
    rows = {_identity(row): row for row in old}
    rows.update((_identity(row), row) for row in new)
    return tuple(rows.values())
