"""``quantize`` as most tests of a conversion ask for it."""

from __future__ import annotations

from pathlib import Path

from edgeeff.pipeline import conversion


def quantize(source: Path, output: Path, **settings) -> conversion.Conversion:
    """In int8 unless another recipe is named."""
    settings = {"recipe": "int8", **settings}
    return conversion.quantize(source, conversion.Settings(output=output, **settings))
