"""No name of unknown origin steers the terminal, wherever it stands and whoever says it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import edgeeff
from edgeeff.control_characters import STEERING
from edgeeff.tflite.metadata_writer import Texts, write_metadata
from tests.cli.command_lines import NAME as PLACE
from tests.cli.command_lines import WORDS
from tests.commands import run
from tests.fitting.searches import a_search
from tests.reporting import folders
from tests.tflite import objects, tiny

NAME = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.\x7f\u2028b"
"""Clears the screen, names the window, colours, turns the direction of text, breaks a line."""


CUSTOM = objects.schema.BuiltinOperator.CUSTOM


def assert_does_not_steer(capfd: pytest.CaptureFixture[str], *words: object) -> None:
    """``edgeeff WORDS`` ends as it should, and none of what it says steers the terminal."""
    status = run(*words)
    said = "".join(capfd.readouterr())
    assert status in (0, 2, 3, 4), said
    assert "Traceback" not in said
    assert not [char for char in said if ord(char) in STEERING and char != "\n"], said


def named(path: Path) -> bytes:
    """A model whose tensors and texts have the name."""

    def name(model: Any) -> None:
        model.description = NAME
        for graph in model.subgraphs:
            graph.name = NAME
            for number, tensor in enumerate(graph.tensors):
                tensor.name = f"{NAME}{number}"
        objects.attach(model, NAME, b"\0" * 16)

    texts = Texts(NAME, NAME, "1", NAME, NAME)
    return write_metadata(tiny.changed(path, name), folders.LITE, texts=texts)


def of_an_operator(path: Path) -> bytes:
    """A model with an operator that only its maker knows, by the name."""

    def name(model: Any) -> None:
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = CUSTOM
        code.customCode = NAME

    return tiny.changed(path, name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, pictures, labels, a list, a recipe and a program that all say the name."""
    folder = tmp_path_factory.mktemp("names")
    for name, path in {"int8": tiny.INT8, "float32": tiny.FLOAT32}.items():
        (folder / f"{name}.tflite").write_bytes(named(path))
    (folder / "custom.tflite").write_bytes(of_an_operator(tiny.INT8))
    for place in ("photos/0", "photos/1", f"classes/0{NAME}"):
        (folder / place).mkdir(parents=True)
        picture = folder / place / f"{NAME}.png"
        Image.effect_noise((32, 32), 50).convert("RGB").save(picture)
        picture.with_name(f"{NAME}broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "labels.txt").write_text("\n".join(f"{n}{NAME}" for n in range(10)), "utf-8")
    (folder / "list.csv").write_text(f"path,label\nphotos/0/{NAME}.png,{NAME}\n", "utf-8")
    (folder / "absent.csv").write_text(f"path,label\n{NAME}.png,0\n", "utf-8")
    (folder / "recipe.toml").write_text(f'[{json.dumps(NAME)}]\nkind = "a"\n')
    (folder / "summary.toml").write_text(f"summary = {json.dumps(NAME)}\n")
    program = folder / "compiler"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' 'ERROR: {NAME}'; exit 1\n", "utf-8")
    program.chmod(0o755)
    return folder


LINES = (
    "inspect int8.tflite --tensors",
    "inspect int8.tflite --tensors --json",
    "inspect int8.tflite --check gpu --check edgetpu -v",
    "inspect int8.tflite --layers --reference float32.tflite",
    "inspect custom.tflite --check gpu --check edgetpu -v",
    "evaluate custom.tflite --data photos",
    "evaluate int8.tflite --data photos --reference float32.tflite -v",
    "evaluate int8.tflite --data photos --reference float32.tflite --json",
    "evaluate int8.tflite --data photos --labels labels.txt",
    "evaluate int8.tflite --data classes",
    "evaluate int8.tflite --data list.csv",
    "evaluate int8.tflite --data absent.csv",
    "quantize float32.tflite --recipe recipe.toml --force",
    "quantize custom.tflite --force",
    "recipes summary.toml",
    "recipes recipe.toml",
    "bundle custom.tflite --output made --force",
    "compile int8.tflite --compiler ./compiler",
    "train --data classes --output run",
    "train --data photos --labels labels.txt --output run",
    "report . --force -v",
)
SLOW = (
    "bundle int8.tflite float32.tflite --output made --force",
    "quantize float32.tflite --calibration photos --recipe int8 --force -v",
    "benchmark int8.tflite float32.tflite --quick --profile",
    "benchmark custom.tflite --quick",
    "compare float32.tflite int8.tflite --quick --data photos",
)


@pytest.mark.parametrize(
    "line", [*LINES, *(pytest.param(line, marks=pytest.mark.slow) for line in SLOW)]
)
def test_names_in_files_do_not_steer(line, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    assert_does_not_steer(capfd, *line.split())


NAMELESS = {"variants", "doctor"}
"""Commands that take no files."""


@pytest.mark.parametrize("command", [name for name in WORDS if name not in NAMELESS])
def test_names_of_files_do_not_steer(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    places = {"FLOAT": f"{NAME}float32.tflite", "INT8": f"{NAME}int8.tflite", "PICTURES": NAME}
    for number in range(2):
        (tmp_path / NAME / str(number)).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / NAME / str(number) / f"{NAME}.png")
    (tmp_path / places["FLOAT"]).write_bytes(tiny.FLOAT32.read_bytes())
    (tmp_path / places["INT8"]).write_bytes(tiny.INT8.read_bytes())
    words = [places.get(word, word.replace(PLACE, NAME)) for word in WORDS[command]]
    assert_does_not_steer(capfd, command, *words)


DOCUMENTS = {
    "tiny-int8.json": ("report . --force", "evaluate tiny-int8.tflite --data photos --limit 1"),
    "latency-1.json": ("report . --force", "compare ../latency-1.json latency-1.json --anyway"),
    "evaluation-tiny-int8.json": ("report . --force",),
    "layers.json": ("report . --force",),
    "verified.json": ("report . --force",),
    "first/run.json": ("report . --force", "convert --weights first --dry-run"),
    "app/bundle.json": ("report . --force", "verify app"),
    "search.json": ("report . --force",),
}
"""JSON documents, and command lines that read them."""


def texts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (object or list, key) in a JSON value where a text stands."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(inner, str):
            yield value, key
        elif isinstance(inner, (dict, list)):
            yield from texts(inner)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A folder with one document of each kind."""
    made = folders.with_models(tmp_path_factory.mktemp("documents"))
    shutil.copytree(folder / "photos", made / "photos")
    folders.add_evaluation(made, made / "photos")
    folders.add_latency(made, ["tiny-int8.tflite"], "latency-1.json")
    folders.add_layers(made)
    folders.add_run(made, "first")
    edgeeff.bundle([made / "tiny-int8.tflite"], made / "app", texts=edgeeff.Texts("tiny"))
    (made / "verified.json").write_text(edgeeff.verify(made / "app").text(), "utf-8")
    (made / "search.json").write_text(a_search(made).document(), "utf-8")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_texts_in_a_document_do_not_steer(name, documents, tmp_path, monkeypatch, capfd):
    """One text of it after the other is the name."""
    made = shutil.copytree(documents, tmp_path / "made")
    shutil.copy(documents / "latency-1.json", tmp_path)
    for other in set(DOCUMENTS) - {name}:
        (made / other).unlink()
    monkeypatch.chdir(made)
    content = json.loads((documents / name).read_text("utf-8"))
    for holder, key in texts(content):
        kept, holder[key] = holder[key], NAME
        (made / name).write_text(json.dumps(content), "utf-8")
        holder[key] = kept
        for line in DOCUMENTS[name]:
            assert_does_not_steer(capfd, *line.split())
