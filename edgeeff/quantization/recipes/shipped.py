"""Where the named recipes are: inside an installed package, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[2]


def folder() -> Path:
    """The folder of the named recipes and their measured figures.

    A wheel holds it as ``edgeeff/calibration``. In a checkout, whether it is installed as editable
    or found on the path, it is ``calibration`` at the root, where users read it. A symbolic link
    would do for both, but Windows checkouts make none.
    """
    inside = PACKAGE / "calibration"
    return inside if inside.is_dir() else PACKAGE.parent / "calibration"
