"""Every JSON document with a schema name has its JSON Schema, and is what that says."""

import dataclasses
import json
import re
from pathlib import Path

import jsonschema
import pytest

from edgeeff import files
from edgeeff.cli import main
from edgeeff.tflite.manifest import Manifest
from tests.documents import validated

SOURCES = Path(files.__file__).parent.rglob("*.py")
INSIDE_MODELS = {"edgeeff.statistics/1", "edgeeff.statistics.weights/1", "edgeeff.weights/1"}
INSIDE_MODELS |= {"edgeeff.preprocessing/1"}
"""Names of entries in .tflite and safetensors files."""

NAMED = {
    name
    for source in SOURCES
    for name in re.findall(r'"(edgeeff\.[a-z.]+/\d+)"', source.read_text("utf-8"))
} - INSIDE_MODELS

COMMANDS = (
    "recipes",
    "recipes int8",
    "convert --variant lite0 --dry-run",
    "convert --variant lite99",
    "inspect int8.tflite",
    "inspect float32.tflite --check gpu",
    "inspect int8.tflite --check edgetpu",
    "inspect int8.tflite --layers --reference float32.tflite --plot layers.svg --force",
    "inspect nowhere.tflite",
    "evaluate int8.tflite --reference float32.tflite --data photos",
    "evaluate int8.tflite --reference float32.tflite --data photos --ignore-labels",
    "evaluate int8.tflite --data photos",
    "bundle int8.tflite float32.tflite --output made/bundle --force",
    "verify bundle",
    "report . --output made/report.html --force",
    "quantize float32.tflite --recipe dynamic --output made --force",
    "quantize float32.tflite --calibration photos --output made --force",
    "quantize float32.tflite --eval-data photos --max-drop 100 --output made --force",
    "doctor",
    "benchmark float32.tflite int8.tflite --quick --profile --images photos",
    "compare float32.tflite int8.tflite --quick",
    "compare today.json today.json",
    "quantize float32.tflite --mixed --output made --force",
)


def printed(line, capfd):
    """What a command line prints, which is one document whatever its exit status is."""
    with pytest.raises(SystemExit):
        main([*line.split(), "--json", "-q"])
    return capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("line", COMMANDS)
def test_what_a_command_prints_is_as_its_schema_says(line, user_folder, monkeypatch, capfd):
    monkeypatch.chdir(user_folder)
    if "today.json" in line:
        text = printed("benchmark int8.tflite --quick", capfd)
        (user_folder / "today.json").write_text(text)
    if line == "verify bundle":
        validated(printed("bundle int8.tflite --output bundle --force", capfd))
    validated(printed(line, capfd))


def test_the_manifest_of_an_exported_model_is_as_its_schema_says(user_folder):
    validated((user_folder / "float32.json").read_text())


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_schema_name_has_a_schema(name):
    schema = json.loads(files.schema_file(name).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == schema["properties"]["schema"]["const"] == name


def test_no_schema_is_left_of_a_document_that_nothing_writes():
    assert {path.name for path in files.SCHEMAS.iterdir()} == {
        files.schema_file(name).name for name in NAMED
    }


def test_the_schema_of_the_manifest_has_its_fields():
    schema = json.loads(files.schema_file("edgeeff.manifest/1").read_text("utf-8"))
    fields = {field.name for field in dataclasses.fields(Manifest)}
    assert set(schema["properties"]) == set(schema["required"]) == {"schema", *fields}


def test_a_field_that_the_schema_does_not_name_is_found():
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        validated('{"schema": "edgeeff.error/1", "error": "", "hint": "", "exit": 2, "more": 1}')


def test_a_field_that_is_missing_is_found():
    with pytest.raises(jsonschema.ValidationError, match="'exit' is a required property"):
        validated('{"schema": "edgeeff.error/1", "error": "", "hint": ""}')
