"""Accelerators: which one does the work. Each alone in its module, run in a process of its own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from edgeeff.accelerators.session import Target
from edgeeff.errors import unknown_name

TARGETS = {
    "cpu": "edgeeff.accelerators.cpu",
    "gpu": "edgeeff.accelerators.gpu",
    "edgetpu": "edgeeff.accelerators.edgetpu",
}
"""Target name to its module, imported when it is asked for (see ``session.Target``)."""

OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "cpu": {"xnnpack": ("on", "off")},
    "gpu": {"precision": ("fp32", "fp16"), "reference": ()},
    "edgetpu": {"library": (), "device": (), "reference": ()},
}
"""What ``Plan.options`` may hold for a target, by name; its values, or none: any."""


def find_target(name: str) -> Target:
    """The module of a target. Raises ``UsageError`` with the nearest names."""
    if name not in TARGETS:
        raise unknown_name("target", name, TARGETS)
    return cast(Target, importlib.import_module(TARGETS[name]))
