"""What ``import edgeeff`` gives, and what it costs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgeeff
from edgeeff.cli import COMMANDS

SOURCE = ast.parse(Path(edgeeff.__file__).read_text("utf-8"))
WITHOUT_A_FUNCTION = {"variants", "recipes", "compile", "doctor"}
"""Commands that show something or drive a tool; nothing a program would call by that name."""


def seen_by_type_checkers() -> dict[str, str]:
    """Public names with their modules, as the block for type checkers imports them."""
    (block,) = (
        node for node in SOURCE.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    )
    return {
        alias.asname: f"{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh process has loaded after a program."""
    program += "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_public_names_are_sorted_and_what_type_checkers_see():
    assert edgeeff.__all__ == sorted(seen_by_type_checkers())


@pytest.mark.parametrize("name", edgeeff.__all__)
def test_a_public_name_comes_from_where_type_checkers_look_for_it(name):
    found = getattr(edgeeff, name)
    assert found.__module__ == seen_by_type_checkers()[name]
    assert found.__doc__


def test_importing_the_package_imports_nothing_but_its_version():
    new = loaded_by("import edgeeff") - loaded_by("import __future__")
    assert new == {"edgeeff", "edgeeff.version"}


def test_a_function_imports_what_it_needs_and_no_tensorflow():
    loaded = loaded_by("import edgeeff; edgeeff.inspect")
    assert "edgeeff.tflite.inspection" in loaded
    assert loaded.isdisjoint({"tensorflow", "litert_quantizer"})


def test_every_command_has_its_function():
    assert set(COMMANDS) - set(edgeeff.__all__) == WITHOUT_A_FUNCTION


def test_a_function_stays_a_function_when_its_rooms_are_imported():
    program = "import edgeeff.benchmarking.run, edgeeff.evaluation.evaluate, edgeeff"
    checks = (
        f"assert callable(edgeeff.{name}), {name!r}" for name in COMMANDS if name in edgeeff.__all__
    )
    loaded_by("\n".join((program, *checks)))


def test_an_unknown_name_is_an_attribute_error_that_says_it():
    with pytest.raises(AttributeError, match="has no attribute 'convrt'"):
        edgeeff.__getattr__("convrt")


def test_completion_offers_the_public_names_and_no_others():
    assert set(dir(edgeeff)) == {*edgeeff.__all__, "__version__"}
