"""Small real models (see data/make.py and make_metadata.py), and changed ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.tflite import objects

DATA = Path(__file__).parent / "data"
FLOAT32 = DATA / "tiny-float32.tflite"
FLOAT16 = DATA / "tiny-float16.tflite"
INT8 = DATA / "tiny-int8.tflite"
INT8_FLOAT_ENDS = DATA / "tiny-int8-float-ends.tflite"
INT8_METADATA = DATA / "tiny-int8-metadata.tflite"
ALL = (FLOAT32, FLOAT16, INT8, INT8_FLOAT_ENDS)


def changed(path: Path, change: Callable[[Any], None]) -> bytes:
    """The file's content with ``change`` applied to its objects."""
    model = objects.unpack(path.read_bytes())
    change(model)
    return objects.pack(model)
