"""Whole evaluations of real files on real pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.evaluate import evaluate
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.images import ImageSet, read_images
from edgeeff.pictures.preprocessing import of_family
from edgeeff.tflite.metadata_writer import write_metadata
from tests.recorded import Recorded
from tests.tflite import tiny

LITE = of_family("lite", 32)
COUNT = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs) -> Path:
    """Windows of photographs, one of them damaged."""
    made = tmp_path_factory.mktemp("pictures")
    source = photographs["chelsea"]
    for n in range(COUNT):
        source.crop((n * 20, n * 10, n * 20 + 90, n * 10 + 80)).save(made / f"{n:02}.png")
    (made / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return made


@pytest.fixture(scope="module")
def answers(folder) -> np.ndarray:
    """The float network's most likely class of each picture."""
    return evaluate_top1(tiny.FLOAT32, read_images(folder))


def evaluate_top1(model: Path, images: ImageSet) -> np.ndarray:
    found = evaluate(model, images, preprocessing=LITE, top=1)
    return np.array([prediction.classes[0] for prediction in found.predictions])


def test_fidelity_is_that_of_the_logits_of_both_files(folder):
    found = evaluate(
        tiny.INT8, read_images(folder), reference=tiny.FLOAT32, preprocessing=LITE
    ).fidelity
    logits = []
    for path in (tiny.FLOAT32, tiny.INT8):
        classifier = Classifier(path, LITE)
        pictures = (Image.open(p.path) for p in read_images(folder).pictures[:COUNT])
        logits.append(np.concatenate([classifier(LITE.pixels(p)[None]).logits for p in pictures]))
    assert found == fidelity(*logits)
    assert found is not None
    assert 0 < found.sqnr_db < 60


def test_damaged_picture_is_left_out_and_counted(folder):
    found = evaluate(tiny.INT8, read_images(folder), preprocessing=LITE, top=1)
    assert found.images == COUNT
    assert [skipped.path.name for skipped in found.skipped] == ["broken.jpg"]


def test_a_model_compared_with_itself_is_perfect_and_its_ratio_null_in_json(folder):
    found = evaluate(tiny.FLOAT32, read_images(folder), reference=tiny.FLOAT32, preprocessing=LITE)
    document = json.loads(found.document())
    assert document["schema"] == "edgeeff.evaluation/1"
    assert document["images"] == COUNT
    assert document["top1"] is None
    assert document["top5"] is None
    assert document["fidelity"] == {
        "images": COUNT,
        "agreement": 1.0,
        "agreement_ci95": [wilson(COUNT, COUNT).low, 1.0],
        "sqnr_db": None,
        "median_image_sqnr_db": None,
        "kl": 0.0,
        "note": None,
    }


def test_answers_are_judged_by_their_labels(folder, answers, tmp_path):
    wrong = 3
    listed = tmp_path / "list.csv"
    right = [(int(a) + 1) % 10 if n < wrong else int(a) for n, a in enumerate(answers)]
    listed.write_text("".join(f"{folder}/{n:02}.png,{label}\n" for n, label in enumerate(right)))
    found = evaluate(tiny.FLOAT32, read_images(listed), preprocessing=LITE)
    assert found.fidelity is None
    assert found.accuracy is not None
    assert found.accuracy.top1.value == pytest.approx((COUNT - wrong) / COUNT)
    document = json.loads(found.document())
    assert document["top1"]["value"] == found.accuracy.top1.value
    low, high = document["top1"]["ci95"]
    assert low < document["top1"]["value"] < high


def test_class_names_are_those_that_the_model_knows(folder, answers, tmp_path):
    """Sorted they would have other indices: the labels of a model are in any order."""
    own = tuple(f"class {(7 * index) % 10}" for index in range(10))
    model, listed = tmp_path / "named.tflite", tmp_path / "list.csv"
    model.write_bytes(write_metadata(tiny.FLOAT32.read_bytes(), LITE, labels=own))
    listed.write_text("".join(f"{folder}/{n:02}.png,{own[a]}\n" for n, a in enumerate(answers)))
    found = evaluate(model, read_images(listed))
    assert found.accuracy is not None
    assert found.accuracy.top1.value == 1
    assert found.classes == own


def test_a_preprocessing_that_is_said_holds_for_the_reference_too(folder, tmp_path):
    """Whatever its own metadata says."""
    other = replace(LITE, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
    described = tmp_path / "described.tflite"
    described.write_bytes(write_metadata(tiny.FLOAT32.read_bytes(), other))
    found = evaluate(tiny.FLOAT32, read_images(folder), reference=described, preprocessing=LITE)
    assert found.fidelity is not None
    assert found.fidelity.sqnr_db == np.inf


def test_reference_is_judged_on_the_same_labels(folder, answers, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("".join(f"{folder}/{n:02}.png,{a}\n" for n, a in enumerate(answers)))
    images = read_images(listed)
    found = evaluate(tiny.INT8, images, reference=tiny.FLOAT32, preprocessing=LITE)
    assert found.reference_accuracy is not None
    assert found.reference_accuracy.top1.value == 1
    assert json.loads(found.document())["reference_accuracy"]["top1"]["value"] == 1


def test_progress_counts_every_file(folder):
    progress = Recorded()
    evaluate(tiny.FLOAT32, read_images(folder), preprocessing=LITE, top=1, progress=progress)
    assert progress.announced == progress.done == {"evaluation": COUNT + 1}


def test_without_labels_and_reference_there_is_nothing_to_measure(folder):
    with pytest.raises(UsageError, match="no labels"):
        evaluate(tiny.FLOAT32, read_images(folder), preprocessing=LITE)


def test_class_folders_of_another_number_than_the_model_has_are_refused(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (40, 40)).save(tmp_path / name / "a.png")
    images = read_images(tmp_path)
    with pytest.raises(InputError, match="2 class names for a model of 10"):
        evaluate(tiny.FLOAT32, images, preprocessing=LITE)
    bare = images.without_labels()
    assert evaluate(tiny.INT8, bare, reference=tiny.FLOAT32, preprocessing=LITE).accuracy is None


def test_a_model_that_does_not_say_its_preprocessing_is_refused(folder):
    with pytest.raises(InputError) as caught:
        evaluate(tiny.FLOAT32, read_images(folder), reference=tiny.FLOAT32)
    assert "preprocess" in caught.value.message
    assert "--mean" in caught.value.hint
