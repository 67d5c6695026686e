"""Accelerators: which one does the work. Each alone in its module, run in a process of its own."""

from __future__ import annotations

import importlib
from typing import cast

from edgeeff.accelerators.session import Target
from edgeeff.errors import unknown_name

TARGETS = {
    "cpu": "edgeeff.accelerators.cpu",
    "gpu": "edgeeff.accelerators.gpu",
    "edgetpu": "edgeeff.accelerators.edgetpu",
}
"""Target name to its module, imported when it is asked for (see ``session.Target``)."""


def find_target(name: str) -> Target:
    """The module of a target. Raises ``UsageError`` with the nearest names."""
    if name not in TARGETS:
        raise unknown_name("target", name, TARGETS)
    return cast(Target, importlib.import_module(TARGETS[name]))
