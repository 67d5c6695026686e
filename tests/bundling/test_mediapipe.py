"""A bundle in the hands of an app: MediaPipe's ImageClassifier, from the files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgeeff
from edgeeff.bundling.build import Bundled
from edgeeff.pictures.imagenet import imagenet_labels
from edgeeff.pictures.preprocessing import of_family
from edgeeff.tflite.metadata_writer import write_metadata

PACKAGE = "mediapipe==1.2.2"
LITE0 = of_family("lite", 224)

APP = """
import json, sys
from pathlib import Path
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.components.containers.rect import RectF
from mediapipe.tasks.python.vision.core.image_processing_options import ImageProcessingOptions

def middle(image, crop=0.875):
    side = int(crop * min(image.width, image.height))
    left, top = ((size - side + 1) // 2 for size in (image.width, image.height))
    return RectF(  # by name: their order is left, top, bottom, right
        left=left / image.width,
        top=top / image.height,
        right=(left + side) / image.width,
        bottom=(top + side) / image.height,
    )

model, *pictures = sys.argv[1:]
options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=model), max_results=1)
with vision.ImageClassifier.create_from_options(options) as classifier:
    found = {}
    for picture in pictures:
        image = mediapipe.Image.create_from_file(picture)
        result = classifier.classify(image, ImageProcessingOptions(middle(image)))
        best = result.classifications[0].categories[0]
        found[Path(picture).stem] = [best.index, best.category_name]
print(json.dumps(found))
"""

pytestmark = [pytest.mark.mediapipe, pytest.mark.slow]


@pytest.fixture(scope="module")
def mediapipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment of its own: MediaPipe is large, and brings its own runtime."""
    folder = tmp_path_factory.mktemp("mediapipe")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", PACKAGE]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"MediaPipe cannot be installed: {done.stderr.strip()[-200:]}")
    loaded = subprocess.run([python, "-c", "from mediapipe.tasks.python import vision"])
    if loaded.returncode:
        pytest.skip("MediaPipe cannot be loaded: install libegl1 and libgles2")
    return python


@pytest.fixture(scope="module")
def lite0(lite0_float: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """Lite0 with ImageNet's weights and names, as uint8 and float32."""
    folder = tmp_path_factory.mktemp("lite0")
    source = folder / "lite0-float32.tflite"
    content = lite0_float.read_bytes()
    source.write_bytes(write_metadata(content, LITE0, labels=imagenet_labels(1000)))
    made = edgeeff.quantize(source, edgeeff.Settings(recipe="int8-plain", output=folder / "out"))
    return edgeeff.bundle([made.model, source], folder / "bundle")


@pytest.fixture(scope="module")
def whole(photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs as files, as they are."""
    folder = tmp_path_factory.mktemp("photographs")
    for name, picture in photographs.items():
        picture.save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("number", [0, 1], ids=["uint8", "float32"])
def test_names_the_class_that_edgeeff_names(
    mediapipe: Path, lite0: Bundled, whole: Path, number: int
) -> None:
    model = lite0.path / lite0.document.models[number].file
    done = subprocess.run(
        [mediapipe, "-c", APP, model, *sorted(whole.iterdir())],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    found = edgeeff.evaluate(model, edgeeff.read_images(whole), top=1)
    names = (lite0.path / "labels.txt").read_text().splitlines()
    expected = {
        prediction.path.stem: [prediction.classes[0], names[prediction.classes[0]]]
        for prediction in found.predictions
    }
    same = sum(said[name] == expected[name] for name in expected)
    assert len(expected) == 20
    assert same >= 19, {n: (said[n], expected[n]) for n in expected if said[n] != expected[n]}
