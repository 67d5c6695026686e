"""What options and files tell is missed before TensorFlow, which takes seconds, is imported."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from edgeeff.pipeline import conversion, early, network_process, sources
from tests.commands import assert_one_error
from tests.pipeline.narrow import NARROW, state_dict
from tests.tflite import tiny

MODEL = ("convert", "--model", "own.keras")
VARIANT = ("convert", "--variant", "b0", "--weights", "own.h5")
QUANTIZE = ("quantize", tiny.FLOAT32, "--mean", "0", "--std", "1")
TRAIN = ("train", "--data", "photos")
MAKES_NETWORKS = ("edgeeff.training.aware.operators", "edgeeff.training.session")


def archive() -> bytes:
    """A zip archive, as a file of Keras begins."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("config.json", "{}")
    return content.getvalue()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that can be meant, in a process in which no network can be made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(network_process, "begun", None)
    for name in MAKES_NETWORKS:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("photos/cat", "photos/dog", "empty", "network"):
        Path(name).mkdir(parents=True)
    for name in ("cat", "dog"):
        for number in range(2):
            Image.new("RGB", (8, 8)).save(f"photos/{name}/{number}.png")
    Path("own.keras").write_bytes(archive())
    Path("own.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    Path("network/saved_model.pb").touch()
    Path("text").write_text("text")


@pytest.mark.parametrize("command", [MODEL, VARIANT, QUANTIZE], ids=["model", "variant", "tflite"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--calibration", "absent"], "no folder or file absent"),
        (["--calibration", "empty"], "no pictures in empty"),
        (["--qat", "--data", "absent"], "no folder or file absent"),
        (["--qat", "--data", "empty"], "no pictures in empty"),
        (["--eval-data", "empty"], "no pictures in empty"),
        (["--labels", "absent.txt"], "cannot read absent.txt"),
        (["--recipe", "absent.toml"], "cannot read absent.toml"),
        (["--max-drop", "1"], "--max-drop needs labelled pictures"),
        (["--resize", "cubic"], "cubic"),
        (["--output", "text"], "text is a file"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_an_option_that_cannot_be_met(
    command: tuple[str, ...], words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(capsys, 2, told, *command, *words)


def test_a_mean_without_its_std(capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_error(capsys, 2, "--mean 1 without --std", *MODEL, "--mean", "1")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("own.txt", b"words", "own.txt is not a file of Keras"),
        ("own.keras", b"words", "own.keras is not a file of Keras"),
        ("own.pth", archive(), "own.pth is not a file of Keras"),
        ("own.zip", archive(), "own.zip may be a model, but is not called .keras"),
        ("own.h5", archive(), "rename it to own.keras"),
        ("own.keras", b"\x89HDF\r\n\x1a\n", "rename it to own.h5"),
        ("own.tflite", tiny.FLOAT32.read_bytes(), "edgeeff quantize own.tflite"),
    ],
)
def test_a_file_that_is_no_model(
    name: str, content: bytes, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    assert_one_error(capsys, 2, told, "convert", "--model", name)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("absent.h5", "absent.h5: no such weight file or run"),
        ("text", "text is not a kind of weight file"),
        ("photos", "photos is not a kind of weight file"),
        ("network", "network is a SavedModel: a whole network"),
    ],
)
@pytest.mark.parametrize("command", [("convert", "--variant", "b0"), TRAIN], ids=lambda it: it[0])
def test_a_file_that_holds_no_weights(
    command: tuple[str, ...], weights: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(capsys, 2, told, *command, "--weights", weights)


class Said(Exception):  # noqa: N818 - not an error: what was waited for
    """What a conversion warned of."""


def said(why: str) -> None:
    raise Said(why)


def test_imagenet_weights_for_other_classes() -> None:
    settings = conversion.Settings(classes=5)
    with pytest.raises(Said, match="ImageNet's weights have 1000 classes, not 5: the network stay"):
        conversion.convert("b0", settings, warn=said)


@pytest.mark.parametrize(("classes", "untrained"), [(None, False), (7, False), (5, True)])
def test_a_state_dict_for_other_classes(classes: int | None, untrained: bool) -> None:
    settings = conversion.Settings(weights=state_dict(Path(), 7), classes=classes)
    why = early.untrained(sources.find(NARROW, settings), settings)
    assert why == (f"{settings.weights} has 7 classes, not 5" if untrained else None)


def test_quantization_aware_training_of_an_untrained_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("convert", "--variant", "b0", "--classes", "5", "--qat")
    assert_one_error(capsys, 2, "no answers to keep: ImageNet's weights have 1000", *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--resize", "cubic"], "cubic"),
        (["--val-data", "absent"], "no folder or file absent"),
        (["--output", "text"], "text is a file"),
        (["--config", "absent.toml"], "cannot read absent.toml"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_an_option_of_a_training_that_cannot_be_met(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_one_error(capsys, 2, told, *TRAIN, *words)
