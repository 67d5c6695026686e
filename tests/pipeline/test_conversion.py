"""Variants and float files become files that an app can take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeeff import files
from edgeeff.architectures.variants import find_variant
from edgeeff.cli.summary import summary
from edgeeff.cli.terminal import Terminal
from edgeeff.errors import EdgeeffError, InputError, UsageError
from edgeeff.evaluation.inputs import find_labels
from edgeeff.pictures.imagenet import imagenet_labels
from edgeeff.pipeline import conversion, policy
from edgeeff.quantization.calibration.pictures import HELD_OUT
from edgeeff.quantization.float_graph import float_graph
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.reader import read_model
from tests.commands import said
from tests.networks import SMALLEST
from tests.pipeline.quantizing import quantize


def test_quantize_makes_an_integer_only_file_that_takes_bytes(made):
    model = read_model(made.model)
    assert model.integer_only
    assert (model.inputs[0].dtype, model.outputs[0].dtype) == ("uint8", "uint8")
    assert (model.inputs[0].scales[0], model.inputs[0].zero_points[0]) == (1.0, 0)


def test_the_manifest_says_what_the_file_is(made):
    manifest = read_manifest(made.model)
    assert manifest is not None
    assert manifest.sha256 == files.sha256(made.model)
    assert manifest.integer_only
    assert manifest.recipe is not None
    assert manifest.recipe["name"] == "int8"
    assert manifest.calibration is not None
    assert manifest.calibration["source"] == "synthetic"
    assert manifest.fidelity is not None
    assert manifest.fidelity["images"] == HELD_OUT


@pytest.mark.slow
def test_without_a_recipe_the_network_itself_chooses_one(source, tmp_path):
    made = quantize(source, tmp_path, recipe=None)
    assert made.manifest.recipe is not None
    assert made.manifest.recipe["name"] == "int8-swish"


def test_the_seed_in_the_manifest_is_the_one_that_was_used(source, tmp_path):
    assert quantize(source, tmp_path, recipe="int8-plain", seed=7).manifest.seed == 7


@pytest.mark.slow
def test_the_same_command_twice_gives_the_same_bytes(source, tmp_path):
    first = quantize(source, tmp_path / "a").manifest.sha256
    assert quantize(source, tmp_path / "b").manifest.sha256 == first


def test_pictures_of_the_user_calibrate_and_are_listed(source, tmp_path, pictures):
    made = quantize(source, tmp_path / "out", recipe="int8-plain", calibration=pictures)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["count"] == 4
    assert len(made.manifest.calibration["pictures"]) == 4


def test_one_corrupt_picture_is_skipped_and_said(source, tmp_path, pictures):
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    made = quantize(source, tmp_path / "out", recipe="int8-plain", calibration=pictures)
    assert any("skipped" in note and "broken.png" in note for note in made.notes)


def test_an_empty_calibration_folder_is_an_error(source, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        quantize(source, tmp_path / "out", calibration=tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("bo", {}, "unknown variant"),
        ("lite0", {"recipe": "int9"}, "unknown recipe"),
        ("lite0", {"weights": "missing.h5"}, "missing.h5: no such weight file"),
    ],
)
def test_wrong_names_are_one_clear_error(name, settings, words, tmp_path):
    with pytest.raises(EdgeeffError, match=words):
        conversion.convert(name, conversion.Settings(output=tmp_path, **settings))


def test_labels_of_another_count_are_refused_before_any_work(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {i}" for i in range(999)))
    with pytest.raises(InputError, match=r"labels\.txt: 999 class names for a model"):
        conversion.convert("lite0", conversion.Settings(labels=labels, output=tmp_path / "out"))


def test_bytes_into_a_float_network_are_refused(source, tmp_path):
    settings = conversion.Settings(recipe="dynamic", output=tmp_path / "out", input_type="uint8")
    with pytest.raises(UsageError, match="float32"):
        conversion.quantize(source, settings)


def test_few_pictures_are_said_not_to_be_enough(source, tmp_path, pictures):
    made = quantize(source, tmp_path / "out", recipe="int8-plain", calibration=pictures)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["coverage"]["enough"] is False
    assert "the calibration pictures are not enough: only 4 calibrate; take about 20" in made.notes


def test_made_up_pictures_are_not_judged(made):
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["coverage"] is None
    assert made.notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("variant", SMALLEST)
def test_every_family_becomes_integer_only(variant, tmp_path):
    settings = conversion.Settings(
        weights="none", resolution=64, calibration_count=4, output=tmp_path
    )
    made = conversion.convert(variant, settings)
    assert made.manifest.integer_only
    assert "-untrained" in made.model.name
    assert made.manifest.input["dtype"] == "uint8"
    held = policy.held_by(float_graph(made.reference.read_bytes()))
    assert held == policy.expected_of(find_variant(variant))


class Said(Exception):  # noqa: N818 - not an error: what was waited for
    """What a conversion warned of."""


@pytest.mark.slow
def test_a_variant_without_weights_is_said_to_stay_untrained_once_it_is_known(tmp_path):
    def warned(why: str) -> None:
        raise Said(why)

    settings = conversion.Settings(resolution=32, output=tmp_path)
    with pytest.raises(Said, match=r"no ImageNet weights of edgetpu-s .*: the network stays untr"):
        conversion.convert("edgetpu-s", settings, warn=warned)


@pytest.mark.slow
def test_why_a_network_is_untrained_is_said_once_and_that_it_is_in_the_summary(tmp_path, capsys):
    words = ("--variant", "edgetpu-s", "--resolution", 32, "--float32", "--output", tmp_path)
    status, _, errors = said(capsys, "convert", *words)
    before, after = errors.split("WARNING: THIS NETWORK IS UNTRAINED")
    assert status == 0
    assert before.startswith("warning: there are no ImageNet weights of edgetpu-s")
    assert "note:" not in after
    assert errors.count("no ImageNet weights") == 1


def test_notes_that_were_said_before_the_work_are_not_said_again(made, capsys):
    reasons = ("no weights fit", "pictures are taken whole")
    summary(Terminal(), replace(made, notes=reasons), told=["no weights fit: it stays untrained"])
    assert capsys.readouterr().err == "note: pictures are taken whole\n"


@pytest.mark.slow
def test_imagenet_weights_bring_the_names_of_imagenet(tmp_path):
    settings = conversion.Settings(precision="float16", output=tmp_path)
    made = conversion.convert("lite0", settings)
    for path in (made.model, made.reference):
        assert find_labels(path) == imagenet_labels(1000)
