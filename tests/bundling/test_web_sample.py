"""The page of a bundle, with the real LiteRT.js in headless Chromium."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeeff
from edgeeff.bundling.build import Bundled
from edgeeff.pictures import images
from edgeeff.pictures.preprocessing import Preprocessing
from tests.bundling import browser

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

MODELS = ["models/int8.tflite", "models/float32.tflite"]


@pytest.fixture(scope="module")
def found(
    bundled: Bundled, litertjs: Path, pictures: list[Path], tmp_path_factory
) -> dict[str, Any]:
    """What a person sees who drops each picture and presses the button, for each model."""
    return browser.used(bundled.path, litertjs, tmp_path_factory.mktemp("browser"), pictures)


@pytest.mark.parametrize("model", MODELS)
def test_shows_the_classes_that_edgeeff_names(
    found: dict[str, Any], bundled: Bundled, pictures: list[Path], model: str
) -> None:
    labels = (bundled.path / "labels.txt").read_text().splitlines()
    for picture in pictures:
        read = edgeeff.read_images(picture)
        (expected,) = edgeeff.evaluate(bundled.path / model, read, top=5).predictions
        shown = found["answers"][model][picture.name]["classes"]
        assert shown == [labels[number] for number in expected.classes]


@pytest.mark.parametrize("model", MODELS)
def test_prepares_pictures_to_the_byte(
    found: dict[str, Any], bundled: Bundled, pictures: list[Path], model: str
) -> None:
    how = Preprocessing.from_json(bundled.document.models[0].preprocessing)
    for picture in pictures:
        raw = base64.b64decode(found["answers"][model][picture.name]["pixels"])
        seen = np.frombuffer(raw, np.uint8).reshape(how.resolution, how.resolution, 4)
        expected = how.pixels(images.open_rgb(picture))
        np.testing.assert_array_equal(seen[..., :3], expected, err_msg=picture.name)


def test_wasm_gives_the_golden_bytes_of_an_integer_model(found: dict[str, Any]) -> None:
    rows = [row for row in found["checks"][MODELS[0]] if row["accelerator"] == "wasm"]
    assert [(row["differing"], row["passes"], row["suspect"]) for row in rows] == [(0, True, None)]


def test_wasm_gives_float_scores_to_a_rounding(found: dict[str, Any]) -> None:
    (row,) = [row for row in found["checks"][MODELS[1]] if row["accelerator"] == "wasm"]
    assert row["passes"]
    assert row["steps"] is None


@pytest.mark.parametrize("model", MODELS)
def test_webgpu_on_a_program_is_close_and_not_taken_for_a_gpu(
    found: dict[str, Any], model: str
) -> None:
    (row,) = [row for row in found["checks"][model] if row["accelerator"] == "webgpu"]
    assert row["passes"], row
    assert row["suspect"], row
