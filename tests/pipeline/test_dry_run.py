"""What ``convert --dry-run`` says, and that it refuses what would fail."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest

from edgeeff.cli import main
from edgeeff.errors import OutputError
from edgeeff.pipeline import conversion
from tests.commands import run, said


def test_contradicting_precisions_are_refused(capsys):
    words = ("convert", "--variant", "b0", "--int8", "--dynamic", "--json")
    status, out, error = said(capsys, *words)
    assert status == 2
    assert "--int8 and --dynamic contradict" in error
    assert json.loads(out)["schema"] == "edgeeff.error/1"


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    words = ("convert", "--variant", "b0", "--dry-run", "--json", "--output", tmp_path)
    status, out, _ = said(capsys, *words)
    assert status == 0
    assert json.loads(out)["recipe"] == "int8-swish"
    assert not list(tmp_path.iterdir())


def test_a_dry_run_calibrates_nothing_where_no_ranges_are_needed(tmp_path, capsys):
    words = ("--variant", "b0", "--float16", "--dry-run", "--json", "--output", tmp_path)
    assert run("convert", *words) == 0
    assert json.loads(capsys.readouterr().out)["calibration"] == "not needed"


@pytest.mark.parametrize(("weights", "mark"), [("imagenet", ""), ("none", "-untrained")])
def test_a_dry_run_names_the_file_that_would_be_written(weights, mark, tmp_path):
    settings = conversion.Settings(weights=weights, output=tmp_path)
    assert conversion.prepare("b0", settings).model.name == f"efficientnet-b0{mark}-int8.tflite"


@pytest.mark.parametrize(
    ("there", "settings", "refused"),
    [
        ("b0-untrained", {"weights": "imagenet"}, False),
        ("b0-untrained", {"weights": "imagenet", "classes": 5}, True),
        ("b0-untrained", {"weights": "none"}, True),
        ("b0-untrained", {"weights": "auto"}, True),
        ("b0", {"weights": "imagenet"}, True),
        ("b0", {"weights": "none"}, False),
    ],
)
def test_a_file_is_in_the_way_only_of_what_may_be_called_so(there, settings, refused, tmp_path):
    (tmp_path / f"efficientnet-{there}-int8.tflite").touch()
    wanted = pytest.raises(OutputError, match="exists already") if refused else nullcontext()
    with wanted:
        conversion.prepare("b0", conversion.Settings(output=tmp_path, **settings))


def test_a_dry_run_says_that_no_weights_are_for_so_many_classes(tmp_path, capsys):
    words = ("--variant", "b0", "--classes", 5, "--dry-run", "--json", "--output", tmp_path)
    status, out, err = said(capsys, "convert", *words)
    assert status == 0
    assert "warning: ImageNet's weights have 1000 classes, not 5" in err
    assert json.loads(out)["model"] == str(tmp_path / "efficientnet-b0-untrained-int8.tflite")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "taken"], "exists already"),
        (["--output", "file"], "is a file"),
        (["--output", "file/below"], "is a file"),
        (["--labels", "absent.txt"], "cannot read absent.txt"),
        (["--labels", "file"], "file: 1 class name for a model of 1000 classes"),
        (["--eval-data", "absent"], "no folder or file absent"),
        (["--calibration", "empty"], "no pictures in empty"),
        (["--max-drop", "1"], "--max-drop needs labelled pictures"),
        (["--weights", "absent.h5"], "absent.h5: no such weight file"),
        (["--weights", "/dev/zero"], "/dev/zero is not a regular file"),
        (["--batch", "100000"], "--batch 100000"),
        (["--int8", "--recipe", "float16"], "recipe float16 gives float16, not int8"),
        (["--float32", "--input-type", "uint8"], "their input and output are float32"),
        (["--qat", "--weights", "none"], "an untrained network has no answers to keep"),
        (["--allow-code"], "--allow-code goes with --model"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_a_dry_run_refuses_what_would_fail(words, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "efficientnet-b0-int8.tflite").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("cat\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["convert", "--variant", "b0", "--dry-run", *words])
    assert left.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "taken"]
