"""The pages for people: links lead somewhere, and every page can be found."""

import ast
import dataclasses
import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeeff.cli import COMMANDS, main
from edgeeff.quantization.recipes.recipe import CORRECTIONS, ORDER, Ranges
from edgeeff.tflite.runner import Runner, dequantize

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "artifacts/README.md"])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code, where brackets mean other things."""
    return re.sub(
        r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    names = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in names if f"({name}" not in index] == []


DATA_FLOW = (ROOT / "docs" / "data-flow.md").read_text("utf-8")
NAMES = sorted({
    name
    for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", DATA_FLOW)
    if not name.endswith((".py", ".md", ".tflite"))
})  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_data_flow_names_what_there_is(name):
    path, rest = ROOT / "edgeeff", name.split(".")
    while rest and (path / rest[0]).is_dir():
        path /= rest.pop(0)
    module = path / f"{rest[0]}.py" if rest else path / "__init__.py"
    if module.is_file():
        rest = rest[1:]
    else:
        module = path / "__init__.py"
    # Read, not imported: the modules of TensorFlow would take seconds.
    body = ast.parse(module.read_text("utf-8")).body
    for wanted in rest:
        found = [node for node in body if wanted in defined(node)]
        assert found, f"{module.relative_to(ROOT)} has no {wanted}"
        body = getattr(found[0], "body", [])


def defined(node: ast.stmt) -> set[str]:
    """The names that a statement of a module or class defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def row_of(page: str, name: str) -> str:
    """The row of a table whose first cell names something in code."""
    rows = (line for line in page.splitlines() if line.startswith("| "))
    return next(row for row in rows if f"`{name}`" in row.split("|")[1])


@pytest.mark.parametrize("field", dataclasses.fields(Ranges), ids=lambda field: field.name)
def test_the_page_of_recipes_has_the_default_of_each_key_of_ranges(field):
    row = row_of((ROOT / "docs" / "recipes.md").read_text("utf-8"), field.name)
    default = field.default if isinstance(field.default, str) else f"{field.default:g}"
    assert default in re.findall(r"[\w.]+", row.split("|")[2])


@pytest.mark.parametrize("kind", CORRECTIONS)
def test_the_page_of_recipes_has_the_keys_and_defaults_of_each_correction(kind):
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    table = page[page.index("| `[[corrections]]` | keys") :]
    said = row_of(table, kind).split("|")[2]
    for field in dataclasses.fields(CORRECTIONS[kind]):
        default = field.default if isinstance(field.default, str) else f"{field.default:g}"
        assert f"`{field.name}` {default}" in said


def test_the_page_of_recipes_has_the_corrections_in_their_order():
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    table = page[page.index("| `[[corrections]]` | keys") :].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == ORDER


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    lines = [line for page in PAGES if page.parent.name == "docs" for line in commands(page)]
    assert name in {line.split()[1] for line in lines}


def commands(page: Path) -> list[str]:
    """The command lines of edgeeff in a page, those in code and in running text."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`(?:\$ )?(edgeeff [^`\n]+)`", text)
    lines = [line for block in blocks for line in block.splitlines()]
    return [
        found[1]
        for line in [*lines, *inline]
        if (found := re.match(r"\s*\$?\s*(edgeeff .+)", line))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_have_only_options_that_there_are(page):
    wrong = []
    for line in commands(page):
        words = shlex.split(re.split(r"\s+#|[|>]", line)[0], comments=True)[1:]
        if not words or words[0].startswith("-") or words[0].isupper():
            continue
        if words[0] not in COMMANDS:
            wrong.append(line)
            continue
        command = importlib.import_module(COMMANDS[words[0]]).command
        known = {name for option in command.params for name in option.opts} | {"--help"}
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        if given - known:
            wrong.append(line)
    assert wrong == []


def python_lines(name: str) -> list[str]:
    """The blocks of Python on a page of docs/."""
    page = (ROOT / "docs" / name).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_lines_that_read_pictures_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.new("RGB", (300, 250), (10, 20, 30)).save("photos/one.png")
    names: dict[str, Any] = {}
    (code,) = python_lines("images.md")
    exec(code, names)  # noqa: S102 - the page's own lines
    assert names["array"].shape == (224, 224, 3)
    assert (names["array"] == (10, 20, 30)).all()


def test_the_lines_for_python_give_the_models_answer(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("artifacts").mkdir()
    model = Path("artifacts/efficientnet-lite0-int8.tflite")
    model.write_bytes((ROOT / "tests/tflite/data/tiny-int8-metadata.tflite").read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save("photo.jpg")
    names: dict[str, Any] = {}
    (code,) = python_lines("app.md")
    exec(code, names)  # noqa: S102 - the page's own lines
    runner = Runner(model)
    (raw,) = runner.run(np.asarray(names["square"], np.uint8)[None])
    expected = dequantize(raw, runner.outputs[0])[0]
    np.testing.assert_allclose(names["probabilities"], expected, atol=1e-6)
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{expected.argmax()} ")


def test_the_sample_of_inspect_is_what_it_prints(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "inspect.md").read_text("utf-8")
    line, sample = re.findall(r"^```\n\$ (edgeeff .*?)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[
        0
    ]
    with pytest.raises(SystemExit):
        main(line.split()[1:])
    assert capsys.readouterr().out == sample


@pytest.mark.slow
def test_the_quickstart_runs_and_prints_what_the_readme_shows(tmp_path, photographs):
    for name, picture in list(photographs.items())[:3]:
        (tmp_path / "YOUR_PICTURES").mkdir(exist_ok=True)
        picture.save(tmp_path / "YOUR_PICTURES" / f"{name}.png")
    page = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", page[page.index("## Quickstart") :], re.DOTALL | re.M)
    convert, sample, evaluate = blocks[:3]
    printed = [
        subprocess.run(
            [sys.executable, "-m", *shlex.split(line.replace("\\\n", " "))],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in (convert, evaluate)
    ]

    def names(text: str) -> list[str]:
        return [line.split("  ")[0] for line in text.splitlines() if re.match(r"\S.*  ", line)]

    assert names(printed[0]) == names(sample)
    assert "same top-1" in printed[1]
