from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import edgeeff
from edgeeff.bundling.build import Bundled
from edgeeff.pictures import images
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.runner import Runner
from tests import chromium
from tests.bundling.exif import ORIENTATION

LITERTJS = "@litertjs/core@2.5.3"


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


@pytest.fixture(scope="session")
def litertjs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``node_modules`` with LiteRT.js, for Chromium."""
    chromium.needs("chromium", "npm")
    return chromium.npm(LITERTJS, tmp_path_factory.mktemp("litertjs"))


@pytest.fixture(scope="session")
def pictures(photographs: dict[str, Image.Image], tmp_path_factory) -> list[Path]:
    """Photographs: lying, standing, turned as its EXIF says, and one that is transparent around."""
    folder = tmp_path_factory.mktemp("pictures")
    photographs["chelsea"].save(folder / "lying.png")
    photographs["chelsea"].rotate(90, expand=True).save(folder / "standing.png")
    round_ = Image.new("L", photographs["chelsea"].size)
    ImageDraw.Draw(round_).ellipse((0, 0, *round_.size), fill=255)
    cut_out = photographs["chelsea"].copy()
    cut_out.putalpha(round_)
    cut_out.save(folder / "transparent.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = photographs["coffee"].transpose(Image.Transpose.ROTATE_90)
    turned.save(folder / "turned.jpg", exif=exif, quality=95, subsampling=0)
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def answers(bundled: Bundled, pictures: list[Path], tmp_path_factory) -> Path:
    """What each model gives for each picture and each golden input: all that the double knows."""
    folder = tmp_path_factory.mktemp("answers")
    for model in bundled.document.models:
        runner = Runner(bundled.path / model.file)
        info, how = runner.inputs[0], Preprocessing.from_json(model.preprocessing)
        golden = [(bundled.path / vector.input).read_bytes() for vector in model.vectors]
        known = [np.frombuffer(raw, info.dtype).reshape(info.shape) for raw in golden]
        feed = feeding(info, how)
        known += [feed(how.pixels(images.open_rgb(path))[None]) for path in pictures]
        for number, raw in enumerate(known):
            place = folder / f"{Path(model.file).stem}-{number}"
            place.with_suffix(".input").write_bytes(np.ascontiguousarray(raw).tobytes())
            place.with_suffix(".output").write_bytes(runner.run(raw)[0].tobytes())
        for vector in model.vectors:
            shutil.copy(bundled.path / vector.output, folder / f"{Path(model.file).stem}-0.output")
    return folder
