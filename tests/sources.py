"""The source files of the package, and what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import edgeeff

PACKAGE = Path(edgeeff.__file__).parent


def modules() -> Iterator[tuple[Path, str]]:
    """Every source file with its dotted name below the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield path, ".".join(part for part in parts if part != "__init__")


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


def inside(path: Path) -> Iterator[str]:
    """The modules of edgeeff that a file imports, named from below the package."""
    for name in imports(path):
        if name.startswith("edgeeff."):
            yield name.removeprefix("edgeeff.")


@cache
def import_graph() -> dict[str, set[str]]:
    """The modules of edgeeff that each imports, all named from below the package."""
    paths = {name: path for path, name in modules()}
    return {
        name: {other if other in paths else other.rpartition(".")[0] for other in inside(path)}
        for name, path in paths.items()
    }


def needed_by(names: Iterable[str]) -> list[Path]:
    """The source files of modules and of all that they import, however indirectly."""
    paths = {name: path for path, name in modules()}
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += import_graph()[name]
    return sorted(paths[name] for name in found)
