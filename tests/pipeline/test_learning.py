"""Quantization-aware training within a conversion."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import edgeeff
from edgeeff.errors import InputError, UsageError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import learning, policy
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import folder_pair, synthetic_pair
from edgeeff.tflite.float_model import FloatModel, Provenance
from tests import networks

PREPROCESSING = Preprocessing.of(networks.tiny_variant())


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(30):
        noise = random.integers(0, 256, (4, 4, 3), np.uint8)
        picture = Image.fromarray(noise).resize((40, 40), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:02}.png")
    return folder


@pytest.mark.slow
def test_the_manifest_says_what_was_learned_from(user_folder, photos, tmp_path, monkeypatch):
    from edgeeff.training.aware import training

    monkeypatch.setattr(training, "MOST_VALUES", 1)
    settings = Settings(recipe="int8-plain", qat=True, qat_steps=2, data=photos, output=tmp_path)
    made = edgeeff.quantize(user_folder / "float32.tflite", settings)
    said = json.loads(made.model.with_suffix(".json").read_text("utf-8"))
    assert said["integer_only"]
    assert said["qat"]["steps"] == 2
    assert said["qat"]["source"] == said["calibration"]["source"] == str(photos)
    assert said["qat"]["count"] + said["fidelity"]["images"] == 30
    assert np.isfinite(said["qat"]["end_db"])


def test_no_picture_that_verifies_is_learned_from(photos):
    pair = folder_pair(photos, PREPROCESSING, count=10)
    found = learning.lessons(Settings(qat=True, data=photos), PREPROCESSING, pair, Progress())
    assert set(found.digests).isdisjoint(pair.held_out.digests)
    assert len(found.digests) + len(pair.held_out.digests) == 30


def test_without_data_synthetic_pictures_are_learned_from_that_do_not_verify():
    pair = synthetic_pair(8, PREPROCESSING)
    found = learning.lessons(Settings(qat=True), PREPROCESSING, pair, Progress())
    assert found.synthetic
    assert set(found.digests).isdisjoint({*pair.used.digests, *pair.held_out.digests})


def test_calibration_pictures_are_learned_from_if_no_others_are_given(photos):
    pair = folder_pair(photos, PREPROCESSING)
    found = learning.lessons(Settings(qat=True), PREPROCESSING, pair, Progress())
    assert found == pair.used


def test_an_untrained_network_is_refused(tiny_float):
    weights = Provenance("none", trained=False)
    network = FloatModel(tiny_float.read_bytes(), PREPROCESSING, weights=weights)
    with pytest.raises(InputError, match="untrained"):
        learning.check(network)
    learning.check(replace(network, weights=None))


@pytest.mark.parametrize("recipe", ["int8-mixed", "int16x8", "dynamic"])
def test_recipes_that_do_not_compute_in_int8_alone_are_refused(recipe):
    with pytest.raises(UsageError, match=recipe):
        policy.plan(Settings(qat=True, recipe=recipe), frozenset())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": "photos"}, "--data without --qat"),
        ({"qat": True, "mixed": object()}, "--qat and --mixed contradict"),
    ],
)
def test_contradicting_settings_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Settings(**fields)
