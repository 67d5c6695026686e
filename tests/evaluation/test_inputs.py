"""Where preprocessing is found: the manifest first, then TFLite metadata, else it must be told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgeeff.errors import InputError
from edgeeff.evaluation.inputs import find_preprocessing, input_resolution
from edgeeff.files import document
from edgeeff.preprocessing import of_family
from tests.litert import tiny


@pytest.fixture
def model(tmp_path) -> Path:
    return Path(shutil.copy(tiny.INT8, tmp_path / "model.tflite"))


def test_manifest_beside_the_model(model):
    wanted = of_family("imagenet", 32)
    text = document("edgeeff.manifest/1", {"preprocessing": wanted.to_json()})
    model.with_suffix(".json").write_text(text)
    assert find_preprocessing(model) == wanted
    assert find_preprocessing(model, otherwise=of_family("lite", 32)) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a JSON document"),
        (document("edgeeff.manifest/2", {}), "manifest/2"),
        (document("edgeeff.manifest/1", {}), "no preprocessing"),
        (document("edgeeff.manifest/1", {"preprocessing": {"mean": 1}}), "preprocessing without"),
    ],
)
def test_damaged_manifest_is_an_error_and_not_passed_over(model, text, words):
    model.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=words):
        find_preprocessing(model)


def test_metadata_says_mean_and_std():
    found = find_preprocessing(tiny.DATA / "tiny-int8-metadata.tflite")
    assert found == of_family("lite", 32)


def test_silent_model_needs_to_be_told(model):
    with pytest.raises(InputError, match="does not say"):
        find_preprocessing(model)
    told = of_family("lite", 32)
    assert find_preprocessing(model, otherwise=told) == told


def test_resolution_is_that_of_the_input(model):
    assert input_resolution(model) == 32
