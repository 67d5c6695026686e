"""Networks of grey pictures, and of pictures that are not square, all the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgeeff
from edgeeff.accelerators import cpu
from edgeeff.accelerators.plan import preset
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pictures.shapes import Shape, grey
from edgeeff.pictures.synthetic import synthetic_inputs, synthetic_pictures
from edgeeff.pipeline.conversion import Conversion
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.metadata import read_metadata
from edgeeff.tflite.reader import read_model
from edgeeff.worker.picture_times import picture_times
from tests.commands import said
from tests.small_classifiers import SmallClassifier

SHAPES: dict[str, tuple[Shape, str]] = {
    "grey": ((28, 28, 1), ""),
    "grey without channels": ((28, 28, 1), "RESHAPE"),
    "grey, channels first": ((20, 28, 1), "TRANSPOSE"),
    "wide": ((20, 36, 3), ""),
    "wide, channels first": ((20, 36, 3), "TRANSPOSE"),
    "tall and grey": ((40, 24, 1), ""),
}


def network(shape: Shape, leading: str = "") -> bytes:
    """A classifier of five classes."""
    net = SmallClassifier(shape, leading=leading)
    layer = net.convolution(net.picture, 8, stride=2, activation="RELU")
    layer = net.convolution(layer, 12, activation="RELU6")
    return net.content(net.alone(net.dense(net.mean(layer), 5), "SOFTMAX"))


@pytest.fixture(scope="module")
def photographs_in_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 50 x 40 pixels in five folders."""
    folder = tmp_path_factory.mktemp("classes")
    for number, picture in enumerate(synthetic_pictures(20, 50, seed=5)):
        (folder / f"class {number % 5}").mkdir(exist_ok=True)
        Image.fromarray(picture[:40]).save(folder / f"class {number % 5}" / f"{number}.png")
    return folder


Quantized = Callable[[str], tuple[Path, Conversion]]


@pytest.fixture(scope="module")
def quantized(photographs_in_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Quantized:
    """The float file of a shape, and what became of it: made once, and not to be changed."""

    @cache
    def made(name: str) -> tuple[Path, Conversion]:
        source = tmp_path_factory.mktemp("networks") / "net.tflite"
        source.write_bytes(network(*SHAPES[name]))
        settings = edgeeff.Settings(
            output=source.with_name("out"), calibration=photographs_in_classes
        )
        how = from_options(SHAPES[name][0], "127", "128")
        return source, edgeeff.quantize(source, settings, how)

    return made


@pytest.mark.parametrize("name", SHAPES)
def test_they_become_integers_that_answer_as_the_float_file(
    name: str, quantized: Quantized, photographs_in_classes: Path
) -> None:
    shape, _ = SHAPES[name]
    source, made = quantized(name)
    how = made.manifest.preprocessing
    assert made.manifest.integer_only
    assert made.manifest.input["shape"] == [1, *shape]
    assert made.manifest.input["dtype"] == "uint8"
    assert how.shape == shape
    assert made.manifest.fidelity is not None
    assert made.manifest.fidelity["sqnr_db"] > 15
    found = edgeeff.evaluate(
        made.model, edgeeff.read_images(photographs_in_classes), reference=source
    )
    assert found.fidelity is not None
    assert found.fidelity.agreement > 0.8
    assert found.images == 20


@pytest.mark.parametrize("name", ["grey", "wide"])
def test_what_is_said_of_the_pictures_is_in_the_file_and_beside_it(
    name: str, quantized: Quantized, tmp_path: Path, photographs_in_classes: Path
) -> None:
    shape, _ = SHAPES[name]
    _, made = quantized(name)
    manifest = read_manifest(made.model)
    assert manifest is not None
    assert manifest.preprocessing == made.manifest.preprocessing
    metadata = read_metadata(read_model(made.model))
    assert metadata is not None
    assert metadata.inputs[0].color_space == ("RGB" if shape[2] == 3 else "GRAYSCALE")
    assert len(metadata.inputs[0].mean) in (1, shape[2])
    # Without its manifest the file says the same.
    alone = Path(shutil.copy(made.model, tmp_path))
    assert find_preprocessing(alone) == manifest.preprocessing
    edgeeff.evaluate(alone, edgeeff.read_images(photographs_in_classes))


def test_the_bytes_of_grey_pictures_go_in_as_they_are(quantized: Quantized) -> None:
    source, made = quantized("grey")
    pictures, how = synthetic_inputs(4, (28, 28, 1), seed=3), made.manifest.preprocessing
    quantized_logits = Classifier(made.model, how)(pictures).logits
    np.testing.assert_allclose(quantized_logits, Classifier(source, how)(pictures).logits, atol=0.1)


def test_the_stages_of_an_app_are_timed(quantized: Quantized, photographs_in_classes: Path) -> None:
    _, made = quantized("tall and grey")
    session = cpu.open(made.model, preset("quick"))
    paths = sorted(photographs_in_classes.rglob("*.png"))[:3]
    times = picture_times(session, paths, made.manifest.preprocessing, report=lambda _: None)
    assert min(*times.preprocessing_ns, *times.invoke_ns) > 0


@pytest.mark.parametrize("name", ["tall and grey", "grey without channels", "wide, channels first"])
def test_their_layers_are_compared(
    name: str, quantized: Quantized, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what the quantized file says of the pictures: files of others say nothing."""
    source, made = quantized(name)
    given = ("inspect", made.model, "--layers", "--reference", source, "--json")
    status, out, _ = said(capsys, *given)
    assert status == 0
    assert min(layer["sqnr_db"] for layer in json.loads(out)["layers"]) > 10


def test_a_bundle_of_them_is_refused(quantized: Quantized, tmp_path: Path) -> None:
    _, made = quantized("grey")
    with pytest.raises(edgeeff.InputError, match=r"\[28, 28, 1\], which no sample"):
        edgeeff.bundle([made.model], tmp_path / "bundle")


def test_channels_that_no_picture_has_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "net.tflite"
    source.write_bytes(network((16, 16, 2)))
    with pytest.raises(edgeeff.InputError, match=r"\[1, 16, 16, 2\]"):
        edgeeff.quantize(source, edgeeff.Settings(output=tmp_path))


def test_grey_is_pillow_s() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    wanted = np.asarray(Image.fromarray(colours).convert("L"))[..., None]
    np.testing.assert_array_equal(grey(colours), wanted)
