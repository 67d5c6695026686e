"""The examples of ``docs/api.md`` run as they are, each by itself."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgeeff

PAGE = (Path(__file__).parent.parent / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def used_by(example: str) -> set[str]:
    """The names of edgeeff that an example uses."""
    return {
        node.attr
        for node in ast.walk(ast.parse(example))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "edgeeff"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: "-".join(sorted(used_by(example)))
)
def test_an_example_runs_as_it_is(example, user_folder):
    shutil.rmtree(user_folder / "models", ignore_errors=True)
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=user_folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_public_function_and_error_is_shown():
    shown = set().union(*map(used_by, EXAMPLES)) | set(re.findall(r"^\| `(\w+)`", PAGE, re.M))
    shown |= set(re.findall(r", `(\w+Failed)`", PAGE))
    typed_only = {"Budget", "Plan", "Recipe", "Report"}
    assert set(edgeeff.__all__) - shown == typed_only
