"""A run's own pictures are what its integer network learns from."""

import json
import shutil

import pytest

import edgeeff
from edgeeff.cli import main
from edgeeff.pipeline import learning
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import HELD_OUT
from edgeeff.training.data.named import named_data_set

pytestmark = pytest.mark.slow


def test_what_trained_the_weights_is_learned_from_and_what_chose_them_verifies(finished):
    pair = learning.pictures_of(finished, finished.preprocessing, Progress())
    data = named_data_set("digits")
    assert len(pair.used.pictures) == min(learning.MOST, len(data.train.labels))
    assert len(pair.held_out.pictures) == HELD_OUT
    assert not pair.used.synthetic
    assert set(pair.held_out.digests).isdisjoint(pair.used.digests)
    few = learning.calibrating(pair)
    assert len(few.used.pictures) == learning.CALIBRATING
    assert set(few.used.digests) <= set(pair.used.digests)
    assert few.held_out == pair.held_out


@pytest.fixture
def quick(monkeypatch):
    """The last block alone is trained: it is ready at once."""
    from edgeeff.training.aware import training

    monkeypatch.setattr(training, "MOST_VALUES", 1)


@pytest.fixture
def trainings(monkeypatch):
    """How many steps each integer network is trained for, in order."""
    from edgeeff.training.aware import training

    real, found = training.train, []

    def train(*given, **options):
        found.append(given[4].steps)
        return real(*given, **options)

    monkeypatch.setattr(training, "train", train)
    return found


def test_a_run_is_converted_with_training_in_one_command(finished, tmp_path, quick, trainings):
    settings = Settings(weights=str(finished.folder), qat=True, qat_steps=20, output=tmp_path)
    made = edgeeff.convert(None, settings).manifest
    # Networks that are only tried are not trained.
    assert trainings == [20]
    assert made.integer_only
    assert made.qat["source"] == str(finished.folder)
    assert made.qat["end_db"] >= made.qat["start_db"]
    assert (made.qat["kept"] > 0) == (made.qat["end_db"] > made.qat["start_db"])
    # Of 96 pictures one may lie between two classes.
    assert round((1 - made.qat["same_answers"]) * made.qat["judged"]) <= 1


def said(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main([*words, "--json"])
    found = capsys.readouterr()
    assert left.value.code in (0, None), found.err
    return json.loads(found.out)


def test_a_run_that_ended_before_its_integer_network_goes_on_with_it(
    finished, tmp_path, quick, capsys
):
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    manifest = said(capsys, "train", "--resume", str(run), "--qat", "--qat-steps", "2")
    assert manifest["qat"]["steps"] == 2
    assert manifest["qat"]["source"] == str(run)
    assert (run / manifest["model"]).exists()


def test_float_and_integer_network_are_trained_in_one_command(settings, tmp_path, quick, capsys):
    config, run = tmp_path / "settings.toml", tmp_path / "run"
    config.write_text(settings(epochs=1).to_toml())
    words = ("--config", str(config), "--output", str(run), "--qat", "--qat-steps", "2")
    manifest = said(capsys, "train", *words)
    assert manifest["integer_only"]
    assert manifest["weights"]["source"] == str(run / "best.safetensors")
    assert (run / "run.json").exists()


def test_a_network_is_distilled_on_pictures_without_labels(finished, tmp_path, quick, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    data = named_data_set("digits").train
    for place in range(24):
        data.open(place).save(photos / f"{place}.png")
    words = ("--weights", str(finished.folder), "--data", str(photos), "--output", str(out))
    manifest = said(capsys, "train", "--distill", "--qat-steps", "2", *words)
    assert manifest["qat"]["source"] == str(photos)
    assert (out / manifest["model"]).exists()


def test_options_that_distilling_has_no_use_for_are_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", "--distill", "--variant", "b0", "--epochs", "3", "--json"])
    assert left.value.code == 2
    assert "--distill and --epochs contradict" in capsys.readouterr().out
