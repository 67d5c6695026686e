"""Imports point only downward, and TensorFlow stays where networks are made."""

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeeff
from edgeeff import cli

PACKAGE = Path(edgeeff.__file__).parent
ROOT = PACKAGE.parent
DOCUMENTATION = [*ROOT.glob("README.md"), *sorted((ROOT / "docs").glob("*.md"))]

LAYERS = (
    {"errors"},
    {"files", "progress", "blocks"},
    {"variants"},
    {"preprocessing"},
    {"images", "synthetic"},
    {"litert", "network"},
    {"manifest"},
    {"targets", "export_names", "inspection"},
    {"devices", "export"},
    {"doctor", "evaluation", "quantization", "training"},
    {"benchmark", "gate", "mixed_precision"},
    {"settings"},
    {"candidates"},
    {"bundle", "conversion", "report"},
    {"cli"},
    {"__main__"},
)
"""Parts of the package from the lowest layer up; a part imports only from layers below its own."""

RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

TENSORFLOW = {"tensorflow", "tf_keras", "keras"}
MAKES_NETWORKS = {"network", "training", "export", "export_names"}
"""The parts that may import TensorFlow."""

WITHOUT_TENSORFLOW = (
    "quantize",
    "recipes",
    "evaluate",
    "inspect",
    "benchmark",
    "compare",
    "doctor",
)


def modules() -> Iterator[tuple[Path, str]]:
    """Every source file with the part of the package that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if part != "__init__":
            yield path, part


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "edgeeff":
                yield from (f"edgeeff.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=True, timeout=60
    )


def test_every_part_has_a_layer():
    assert {part for _, part in modules()} <= set(RANK)


def test_imports_point_only_downward():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, part in modules()
        for name in imports(path)
        if name.startswith("edgeeff.")
        and (other := name.split(".")[1]) not in {part, "__version__"}
        and RANK[other] >= RANK[part]
    ]
    assert upward == []


def test_only_the_parts_that_make_networks_name_tensorflow():
    named = {
        part
        for path, part in modules()
        for name in imports(path)
        if name.split(".")[0] in TENSORFLOW
    }
    assert named <= MAKES_NETWORKS


def test_help_answers_in_under_a_third_of_a_second():
    def seconds() -> float:
        begin = time.perf_counter()
        python("-m", "edgeeff", "--help")
        return time.perf_counter() - begin

    # The fastest of five: the others say how busy the machine is.
    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize("name", WITHOUT_TENSORFLOW)
def test_commands_right_of_the_float_file_never_import_tensorflow(name):
    program = f"""
import contextlib, importlib, io, json, sys
module = importlib.import_module({cli.COMMANDS[name]!r})
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    from edgeeff.cli import main
    main([{name!r}, "--help"])
print(json.dumps(sorted(sys.modules)))
"""
    loaded = set(json.loads(python("-c", program).stdout))
    assert f"edgeeff.cli.{name}" in loaded
    assert loaded.isdisjoint(TENSORFLOW)


@pytest.mark.parametrize("part", ["evaluation", "quantization", "benchmark", "targets", "devices"])
def test_parts_right_of_the_float_file_never_import_tensorflow(part):
    names = [
        ".".join(("edgeeff", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path, owner in modules()
        if owner == part and path.stem != "__init__"
    ]
    program = f"""
import importlib, json, sys
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""
    loaded = set(json.loads(python("-c", program).stdout))
    assert set(names) <= loaded
    assert loaded.isdisjoint(TENSORFLOW)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_an_example(name):
    assert "Example" in python("-m", "edgeeff", name, "--help").stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_documented(name):
    pages = [page.name for page in DOCUMENTATION if f"edgeeff {name}" in page.read_text("utf-8")]
    assert pages, f"no page of docs/ and not README.md shows `edgeeff {name}`"
