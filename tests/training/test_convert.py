"""A training's folder is a source like any other: its classes and pictures come with it."""

import json
import shutil

import numpy as np
import pytest

import edgeeff
from edgeeff.cli import main
from edgeeff.errors import InputError
from edgeeff.pipeline.conversion import convert, prepare
from edgeeff.training.data.named import named_data_set


def given(run, place, **options):
    return edgeeff.Settings(weights=str(run.folder), output=place, **options)


@pytest.fixture(scope="module")
def converted(finished, tmp_path_factory):
    place = tmp_path_factory.mktemp("converted")
    return convert(None, given(finished, place, precision="float32"))


@pytest.mark.slow
def test_the_model_has_the_classes_labels_and_pictures_of_its_run(finished, converted):
    manifest = converted.manifest
    assert manifest.variant == finished.settings.variant
    assert tuple(manifest.labels) == finished.labels
    assert manifest.classes == len(finished.labels)
    assert manifest.preprocessing == finished.preprocessing
    assert manifest.resolution == 32


def test_the_manifest_names_the_run_and_its_weights(finished, converted):
    weights = converted.manifest.weights
    assert weights.source == str(finished.folder / "best.safetensors")
    assert weights.sha256 == finished.sha256["best.safetensors"]
    assert weights.trained


def test_the_file_names_as_many_right_as_the_run_says(finished, converted, tmp_path):
    from PIL import Image

    test = named_data_set("digits").test
    for place, label in enumerate(test.labels):
        path = tmp_path / str(label) / f"{place:04d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(test.pixels[place]).save(path)
    found = edgeeff.evaluate(converted.model, edgeeff.read_images(tmp_path))
    assert found.weights == str(finished.folder / "best.safetensors")
    assert found.accuracy.top1.value == pytest.approx(finished.test_top1, abs=1e-9)


@pytest.mark.slow
def test_a_training_that_was_stopped_is_said_to_be(finished, converted, tmp_path):
    assert "was stopped" not in " ".join(converted.notes)
    folder = tmp_path / "stopped"
    shutil.copytree(finished.folder, folder)
    document = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(document | {"finished": False}))
    made = convert(
        None, edgeeff.Settings(weights=str(folder), output=tmp_path, precision="float32")
    )
    assert "was stopped after" in " ".join(made.notes)
    assert "was stopped after" in " ".join(made.manifest.weights.notes)


def test_another_variant_than_the_run_s_is_refused(finished, tmp_path):
    with pytest.raises(InputError, match="is a run of b0-phi-8, not of lite0"):
        prepare("lite0", given(finished, tmp_path))


def test_other_classes_than_the_run_s_are_refused(finished, tmp_path):
    with pytest.raises(InputError, match="trained on 10 classes, not 7"):
        prepare(None, given(finished, tmp_path, classes=7))


def test_labels_that_do_not_match_the_weights_are_refused(finished, tmp_path):
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"labels\.txt: 2 class names for a model of 10 classes"):
        prepare(None, given(finished, tmp_path, labels=tmp_path / "labels.txt"))


def test_weights_that_the_run_did_not_write_are_refused(finished, tmp_path):
    copied = tmp_path / "run"
    shutil.copytree(finished.folder, copied)
    content = bytearray((copied / "best.safetensors").read_bytes())
    content[-1] ^= 1
    (copied / "best.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not the file that the run wrote"):
        prepare(None, edgeeff.Settings(weights=str(copied), output=tmp_path / "out"))


def test_the_command_needs_no_variant(finished, tmp_path, capsys):
    place = ["--weights", str(finished.folder), "--output", str(tmp_path)]
    with pytest.raises(SystemExit) as left:
        main(["convert", *place, "--dry-run", "--json"])
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["classes"] == 10


def test_answers_are_those_of_the_averaged_network(finished, converted):
    """The file and the weights of the run are the same function of a picture."""
    from edgeeff.network.builder import build
    from edgeeff.network.weights import load
    from edgeeff.tflite.runner import Runner

    model = build(finished.variant, classes=10, resolution=32)
    load(model, finished.variant, finished.folder / "best.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    picture = finished.preprocessing.normalised(pixels)
    logits = np.asarray(model(picture, training=False))[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert np.allclose(Runner(converted.model).run(picture)[0][0], expected, atol=1e-5)
