"""The examples of ``docs/api.md`` run as they are, each by itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgeeff
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.manifest import describe, path_of
from tests import networks

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

SLOW = {"convert", "benchmark", "compare", "Limits"}
"""What takes some seconds to do."""


def used_by(example: str) -> set[str]:
    """The names of edgeeff that an example uses."""
    return {
        node.attr
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "edgeeff"
    }


def marked(example: str) -> object:
    """An example by the names it uses."""
    used = used_by(example)
    marks = [] if used.isdisjoint(SLOW) else [pytest.mark.slow]
    return pytest.param(example, id="-".join(sorted(used)), marks=marks)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_float, photographs):
    """What the page says that a reader has: a float model, its int8 file, labelled pictures."""
    place = tmp_path_factory.mktemp("api")
    for number, (name, picture) in enumerate(photographs.items()):
        path = place / "photos" / str(number % 10) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.resize((48, 48)).save(path)
    source = place / "float32.tflite"
    source.write_bytes(tiny_float.read_bytes())
    preprocessing = edgeeff.Preprocessing.of(networks.tiny_variant())
    network = FloatModel(source.read_bytes(), preprocessing)
    manifest = describe(source, "float32", network)
    path_of(source).write_text(manifest.document())
    made = edgeeff.quantize(source, edgeeff.Settings(recipe="int8", output=place / "made"))
    for file in (made.model, path_of(made.model)):
        file.rename(place / f"int8{file.suffix}")
    return place


@pytest.mark.parametrize("example", [marked(example) for example in EXAMPLES])
def test_an_example_runs_as_it_is(example, folder, monkeypatch):
    for left in folder.glob("models/*"):
        left.unlink()
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_public_function_and_error_is_shown():
    shown = set().union(*map(used_by, EXAMPLES)) | set(re.findall(r"^\| `(\w+)`", PAGE, re.M))
    shown |= set(re.findall(r", `(\w+Failed)`", PAGE))
    typed_only = {"Budget", "Plan", "Recipe", "Variant"}
    assert set(edgeeff.__all__) - shown == typed_only
