"""The samples that a bundle carries: programs that load its models, to copy into an app."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Traversable

FOLDER = "samples"


def app_samples() -> dict[str, bytes]:
    """The files by their place in a bundle, such as ``samples/web/index.html``."""
    return _below(importlib.resources.files("edgeeff.bundling").joinpath(FOLDER), FOLDER)


def _below(folder: Traversable, place: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        name = f"{place}/{entry.name}"
        if entry.is_dir():
            found |= {} if entry.name == "__pycache__" else _below(entry, name)
        elif entry.name != "__init__.py":
            found[name] = entry.read_bytes()
    return found
