"""Float files as ``convert`` leaves them, and what becomes of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeeff.pictures.preprocessing import of_family
from edgeeff.pipeline import conversion
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.manifest import describe, path_of
from tests.pipeline.quantizing import quantize


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 255, (48, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def source(tiny_float: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network with the manifest that `convert` would leave beside it."""
    copy = tmp_path_factory.mktemp("source") / "tiny-float32.tflite"
    copy.write_bytes(tiny_float.read_bytes())
    manifest = describe(
        copy.name,
        copy.read_bytes(),
        "float32",
        FloatModel(copy.read_bytes(), of_family("imagenet", 32)),
    )
    path_of(copy).write_text(manifest.document())
    return copy


@pytest.fixture(scope="session")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> conversion.Conversion:
    """The tiny network in int8, as nothing but its file asks for."""
    return quantize(source, tmp_path_factory.mktemp("made"))
