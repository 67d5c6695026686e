from __future__ import annotations

from pathlib import Path

import pytest

import edgeeff
from edgeeff.bundling.build import Bundled


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "ten.txt"
    path.write_text("".join(f"thing {number}\n" for number in range(10)))
    return path


@pytest.fixture(scope="session")
def bundled(user_folder: Path, labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """The tiny network in int8 and float32, with labels and golden vectors of a photograph."""
    models = [user_folder / "int8.tflite", user_folder / "float32.tflite"]
    photo = next(iter(sorted(user_folder.glob("photos/*/coffee.png"))))
    return edgeeff.bundle(
        models,
        tmp_path_factory.mktemp("bundles") / "tiny",
        texts=edgeeff.Texts("tiny", version="1.2", author="me", license="MIT"),
        labels=labels,
        samples=[photo],
    )
