from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.reporting import folders


@pytest.fixture(scope="session")
def photos(photographs: dict[str, Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of photographs, one folder for each of ten made-up classes."""
    made = tmp_path_factory.mktemp("photos")
    for number, (name, picture) in enumerate(photographs.items()):
        place = made / f"{number % 10}"
        place.mkdir(exist_ok=True)
        for left in (0, 40, 80):
            picture.crop((left, 10, left + 90, 100)).save(place / f"{name}-{left}.png")
    return made


@pytest.fixture(scope="session")
def full_folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the report shows; not to be changed."""
    return folders.full(tmp_path_factory.mktemp("report") / "models", photos)
