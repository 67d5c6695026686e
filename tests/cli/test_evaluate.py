"""``edgeeff evaluate`` as typed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from edgeeff.pictures.preprocessing import of_family
from edgeeff.tflite.metadata_writer import write_metadata
from tests.commands import run
from tests.tflite import tiny

LITE = ("--mean", "127", "--std", "128")


@pytest.fixture(scope="module")
def flat(tmp_path_factory, photographs) -> Path:
    folder = tmp_path_factory.mktemp("flat")
    for n in range(5):
        photographs["astronaut"].crop((n * 40, 0, n * 40 + 60, 60)).save(folder / f"{n}.jpg")
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory, photographs) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    for n in range(10):
        (folder / str(n)).mkdir()
        photographs["coffee"].crop((n * 30, 0, n * 30 + 60, 60)).save(folder / str(n) / "a.png")
    return folder


def test_fidelity_as_one_json_document(flat, capfd):
    words = (tiny.INT8, "--data", flat, "--reference", tiny.FLOAT32, *LITE, "--json")
    assert run("evaluate", *words) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["schema"] == "edgeeff.evaluation/1"
    assert document["images"] == 5
    assert document["top1"] is None
    names = {"agreement", "agreement_ci95", "sqnr_db", "median_image_sqnr_db", "kl"}
    assert names <= set(document["fidelity"])


@pytest.mark.parametrize(("reference", "quantized"), [(tiny.INT8, True), (tiny.FLOAT32, False)])
def test_a_reference_that_is_quantized_itself_is_a_note(reference, quantized, flat, capfd):
    words = (tiny.INT8_FLOAT_ENDS, "--data", flat, "--reference", reference, *LITE, "--json")
    assert run("evaluate", *words) == 0
    captured = capfd.readouterr()
    told = f"{reference} is quantized itself"
    assert any(doubt.startswith(told) for doubt in json.loads(captured.out)["doubts"]) == quantized
    assert (f"note: {told}" in captured.err) == quantized


def test_accuracy_as_a_table_with_its_interval(classes, capfd):
    assert run("evaluate", tiny.FLOAT32, "--data", classes, *LITE) == 0
    shown = capfd.readouterr().out
    assert re.search(rf"^pictures +10 of {re.escape(str(classes))}$", shown, re.MULTILINE)
    for name in ("top-1", "top-5"):
        assert re.search(rf"^{name} +\S+% of 10 pictures \(\S+% to \S+%\)$", shown, re.MULTILINE)
    assert "SQNR" not in shown


def test_equal_models_show_no_error_instead_of_an_infinite_ratio(flat, capfd):
    assert run("evaluate", tiny.FLOAT32, "--data", flat, "--reference", tiny.FLOAT32, *LITE) == 0
    shown = capfd.readouterr().out
    assert "no error" in shown
    assert "inf" not in shown


def test_labels_that_are_ignored_need_not_be_the_models(photographs, tmp_path, capfd):
    """One of the folders is called as a class of the model is, and one is not."""
    for name in ("cat", "unknown"):
        (tmp_path / "data" / name).mkdir(parents=True)
        photographs["coffee"].crop((0, 0, 60, 60)).save(tmp_path / "data" / name / "a.png")
    labelled = tmp_path / "labelled.tflite"
    labels = ("cat", *(f"thing{n}" for n in range(9)))
    content = write_metadata(tiny.FLOAT32.read_bytes(), of_family("lite", 32), labels=labels)
    labelled.write_bytes(content)
    words = ("evaluate", labelled, "--data", tmp_path / "data", "--reference", tiny.FLOAT32, *LITE)
    assert run(*words) == 2
    assert run(*words, "--ignore-labels") == 0
    assert "no error" in capfd.readouterr().out


def test_labels_name_the_predictions(flat, tmp_path, capfd):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"thing{n}" for n in range(10)))
    words = (tiny.INT8, "--data", flat, "--labels", labels, "--limit", 2, *LITE, "-v")
    assert run("evaluate", *words) == 0
    shown = capfd.readouterr().out
    assert "0.jpg: thing" in shown
    assert shown.count(".jpg:") == 2


def test_quiet_json_prints_nothing_else(classes, capfd):
    assert run("evaluate", tiny.FLOAT32, "--data", classes, *LITE, "--json", "-q") == 0
    captured = capfd.readouterr()
    json.loads(captured.out)
    assert captured.err == ""


def test_skipped_files_are_told_or_with_strict_an_error(flat, tmp_path, capfd):
    folder = tmp_path / "pictures"
    shutil.copytree(flat, folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    words = (tiny.INT8, "--data", folder, "--reference", tiny.FLOAT32, *LITE)
    assert run("evaluate", *words, "-q") == 0
    assert "1 file skipped: " in capfd.readouterr().err
    assert run("evaluate", *words, "--strict") == 2
    assert "broken.jpg" in capfd.readouterr().err


def test_model_that_does_not_say_its_preprocessing_is_told_it(flat, tmp_path, capfd):
    model = Path(shutil.copy(tiny.INT8, tmp_path / "model.tflite"))
    words = (model, "--data", flat, "--reference", tiny.FLOAT32)
    assert run("evaluate", *words) == 2
    assert "--mean" in capfd.readouterr().err
    assert run("evaluate", *words, *LITE) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "gone"), "no folder or file gone"),
        (("--data", ".", "--mean", "1"), "--mean 1 without --std"),
        ((), "Missing option '--data'"),
        (("--data", ".", "--limit", "0"), "--limit"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_a_hint(words, told, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("evaluate", tiny.INT8, *words, "--json") == 2
    captured = capfd.readouterr()
    assert told in captured.err
    assert json.loads(captured.out)["exit"] == 2


def test_wrong_number_of_classes_explains_the_background_class(flat, tmp_path, capfd):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"thing{n}" for n in range(11)))
    words = (tiny.INT8, "--data", flat, "--labels", labels, "--reference", tiny.FLOAT32, *LITE)
    assert run("evaluate", *words) == 2
    shown = capfd.readouterr().err
    assert "11 class names for a model of 10 classes" in shown
    assert "background" in shown


@pytest.mark.parametrize("content", [b"", b"no model", tiny.INT8.read_bytes()[:900]])
def test_file_that_is_no_model_is_an_error(content, flat, tmp_path, capfd):
    model = tmp_path / "model.tflite"
    model.write_bytes(content)
    assert run("evaluate", model, "--data", flat, *LITE) == 2
    assert "model.tflite" in capfd.readouterr().err


def test_grey_square_is_a_picture_too(tmp_path):
    Image.new("L", (9, 9), 77).save(tmp_path / "a.png")
    words = (tiny.INT8, "--data", tmp_path / "a.png", "--reference", tiny.FLOAT32, *LITE)
    assert run("evaluate", *words) == 0


def test_verbose_names_classes_as_the_file_does(flat, capsys):
    assert run("evaluate", tiny.INT8_METADATA, "--data", flat, "-v", *LITE) == 0
    assert "class " in capsys.readouterr().out.splitlines()[0]
