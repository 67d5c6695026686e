"""The figures of the documentation are those in benchmarks/results/."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import publish  # noqa: E402 - the benchmarks are scripts beside the package
import results  # noqa: E402

DOCUMENTS = sorted(results.FOLDER.glob("*.json"))
AGAIN = "run `python benchmarks/publish.py`"


@pytest.mark.parametrize("page", publish.PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_results(page: Path) -> None:
    text = page.read_text("utf-8")
    assert publish.filled(text) == text, AGAIN


def test_the_figures_of_recipes_are_those_of_the_results() -> None:
    assert publish.FIGURES.read_text("utf-8") == publish.figures(), AGAIN


def test_every_table_is_on_a_page() -> None:
    pages = "".join(page.read_text("utf-8") for page in publish.PAGES)
    assert [name for name in publish.TABLES if f"<!-- table {name} -->" not in pages] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_document_is_published(path: Path) -> None:
    assert path.stem in {table.results for table in publish.TABLES.values()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_says_how_where_and_when_it_was_measured(path: Path) -> None:
    schema = json.loads((results.FOLDER.parent / "results.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads(path.read_text("utf-8")), schema)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_is_written_as_it_was_read(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    found = results.read(copy)
    results.save(copy, found)
    assert copy.read_bytes() == path.read_bytes()


def test_new_rows_replace_the_same_old_ones_and_say_their_machine(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    old = results.Results(
        command="command",
        machine="old machine",
        notes=("kept",),
        rows=({"network": "lite0", "method": "m", "kl": 1.0}, {"network": "b0", "method": "m"}),
    )
    results.save(file, old)
    new = results.Results(
        command="another",
        machine="new machine",
        notes=(),
        rows=({"network": "lite0", "method": "m", "kl": 0.5},),
    )
    results.save(file, new)
    found = results.read(file)
    assert (found.command, found.notes) == ("command", ("kept",))
    assert found.rows == (
        {"network": "lite0", "method": "m", "kl": 0.5, "machine": "new machine"},
        {"network": "b0", "method": "m"},
    )


def test_a_document_of_another_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"schema": "edgeeff.results/9"}))
    with pytest.raises(ValueError, match=re.escape(results.SCHEMA)):
        results.read(file)
