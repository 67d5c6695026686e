"""Where preprocessing is found: the manifest first, then TFLite metadata, else it must be told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgeeff.errors import InputError
from edgeeff.evaluation.inputs import find_labels, find_preprocessing, input_shape
from edgeeff.files import document
from edgeeff.pictures.preprocessing import of_family
from edgeeff.tflite import manifest
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from tests.tflite import tiny


@pytest.fixture
def model(tmp_path) -> Path:
    return Path(shutil.copy(tiny.INT8, tmp_path / "model.tflite"))


def write_manifest(model: Path, preprocessing: dict[str, Any]) -> None:
    network = FloatModel(model.read_bytes(), of_family("lite", 32))
    fields = json.loads(
        manifest.describe(model.name, model.read_bytes(), "int8", network).document()
    )
    model.with_suffix(".json").write_text(json.dumps({**fields, "preprocessing": preprocessing}))


def test_the_manifest_beside_the_model_counts_most(model):
    wanted = of_family("imagenet", 32)
    write_manifest(model, wanted.to_json())
    assert find_preprocessing(model) == wanted
    assert find_preprocessing(model, otherwise=of_family("lite", 32)) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (document("edgeeff.manifest/1", {})[:-4], "not a JSON document"),
        (document("edgeeff.manifest/2", {}), "manifest/2"),
        (document("edgeeff.manifest/1", {}), "incomplete"),
    ],
)
def test_damaged_manifest_is_an_error_and_not_passed_over(model, text, words):
    model.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=words):
        find_preprocessing(model)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", '{"labels": ["cat", "dog"]}', document("edgeeff.benchmark/1", {})],
)
def test_a_file_that_is_no_manifest_of_ours_says_nothing(model, text):
    model.with_suffix(".json").write_text(text)
    told = of_family("lite", 32)
    assert find_preprocessing(model, otherwise=told) == told


def test_manifest_with_a_damaged_preprocessing_is_an_error(model):
    write_manifest(model, {"mean": 1})
    with pytest.raises(InputError, match="preprocessing without"):
        find_preprocessing(model)


def test_manifest_of_another_file_is_refused(model):
    write_manifest(model, of_family("imagenet", 32).to_json())
    shutil.copy(tiny.FLOAT32, model)
    with pytest.raises(InputError, match="describes another file"):
        find_preprocessing(model, otherwise=of_family("lite", 32))


def test_metadata_says_mean_and_std():
    found = find_preprocessing(tiny.DATA / "tiny-int8-metadata.tflite")
    assert found == of_family("lite", 32)


def test_silent_model_needs_to_be_told(model):
    with pytest.raises(InputError, match="does not say"):
        find_preprocessing(model)
    told = of_family("lite", 32)
    assert find_preprocessing(model, otherwise=told) == told


def test_resolution_is_that_of_the_input(model):
    assert input_shape(model) == (32, 32, 3)


@pytest.mark.parametrize("shape", [None, ()], ids=["no output", "a single number"])
def test_labels_of_a_model_that_answers_no_classes_are_refused(tmp_path, shape):
    content = tiny.INT8_METADATA.read_bytes()
    graph, archive = Graph.of(content), content[content.rindex(b"PK\x03\x04") :]
    if shape is None:
        graph.expose(())
    else:
        graph.resize(graph.output, shape)
    path = tmp_path / "model.tflite"
    path.write_bytes(graph.content() + archive)
    with pytest.raises(InputError, match=": 10 class names for a model of 0 classes"):
        find_labels(path)
