import json

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from edgeeff.cli import main
from edgeeff.errors import EdgeeffError, InputError
from edgeeff.training import runs
from edgeeff.training.learner import Learner
from edgeeff.training.train import train
from tests.training.folders import class_folders


def last(run):
    return safetensors.numpy.load_file(run.folder / runs.LAST)


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(settings, finished, tmp_path):
    run = train(settings(weights=str(finished.folder), epochs=1, learning_rate=1e-8), tmp_path)
    assert run.weights.source == str(finished.folder / runs.BEST)
    assert run.weights.trained
    best = safetensors.numpy.load_file(finished.folder / runs.BEST)
    assert np.allclose(last(run)["stem_conv/kernel"], best["stem_conv/kernel"], atol=1e-4)


def test_a_run_of_another_variant_is_no_beginning(settings, finished, tmp_path):
    with pytest.raises(InputError, match="is a run of b0-phi-8, not of lite0"):
        train(settings(variant="lite0", weights=str(finished.folder)), tmp_path)


@pytest.fixture(scope="module")
def from_digits(settings, finished):
    """Makes a run on other pictures that begins with what was learned on digits."""

    def begin(data, folder, **changes):
        chosen = {"epochs": 6, "head_epochs": 4, "weights": str(finished.folder), **changes}
        return train(settings(dataset=None, data=data, **chosen), folder)

    return begin


@pytest.fixture(scope="module")
def of_twenty(from_digits, tmp_path_factory):
    """A run on twenty pictures of two classes."""
    folder = tmp_path_factory.mktemp("twenty")
    photos = class_folders(folder / "photos", {"bright": 10, "dark": 10})
    return from_digits(photos, folder / "run")


@pytest.fixture(scope="module")
def of_uneven_classes(from_digits, tmp_path_factory):
    """A run on four times as many pictures of one class, two of which cannot be read."""
    folder = tmp_path_factory.mktemp("uneven")
    photos = class_folders(folder / "photos", {"bright": 20, "dark": 5})
    for name in ("000", "001"):
        (photos / "bright" / f"{name}.png").write_bytes(b"no picture")
    return from_digits(photos, folder / "run", epochs=1)


@pytest.mark.slow
def test_twenty_pictures_of_two_classes_work_and_are_said_to_be_few(of_twenty):
    run = of_twenty
    assert run.labels == ("bright", "dark")
    assert run.pictures == {"train": 16, "val": 4, "test": 0, "skipped": 0}
    assert run.best.val_top1 == 1.0
    told = " ".join(run.notes)
    assert "the data is small: 20 pictures of 2 classes" in told
    assert "a step takes 2 pictures" in told
    assert "for 10 classes, not 2: their head was dropped" in told


@pytest.mark.slow
def test_steps_of_few_pictures_leave_batchnorm_as_it_was(of_twenty, finished):
    assert any("leave BatchNorm as the weights have it" in note for note in of_twenty.notes)
    before, after = safetensors.numpy.load_file(finished.folder / runs.BEST), last(of_twenty)
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert any("_conv/" in name for name in changed)
    assert not any("_bn/" in name for name in changed)


@pytest.mark.slow
def test_untrained_weights_have_no_batchnorm_to_leave_as_it_was(settings, tmp_path):
    photos = class_folders(tmp_path / "photos", {"bright": 10, "dark": 10})
    run = train(settings(dataset=None, data=photos, epochs=1), tmp_path / "run")
    assert run.plan["batch"] == 2
    assert any('batchnorm = "frozen" in --config' in note for note in run.notes)
    means = {name: values for name, values in last(run).items() if name.endswith("/moving_mean")}
    assert means
    assert all(values.any() for values in means.values())


@pytest.mark.slow
def test_classes_of_other_names_begin_with_a_new_classifier(from_digits, tmp_path):
    counts = {f"class{number}": 4 for number in range(10)}
    photos = class_folders(tmp_path / "ten", counts)
    run = from_digits(photos, tmp_path / "run", epochs=1, head_epochs=1)
    assert any("for other classes" in note for note in run.notes)
    assert not run.weights.trained


@pytest.mark.slow
def test_pictures_that_cannot_be_read_are_left_out_and_counted(of_uneven_classes):
    assert of_uneven_classes.pictures["skipped"] == 2
    told = [note for note in of_uneven_classes.notes if "2 pictures cannot be read" in note]
    assert len(told) == 1
    assert "000.png" in told[0]


@pytest.mark.slow
def test_rare_classes_count_more(of_uneven_classes):
    assert any("classes are uneven" in note for note in of_uneven_classes.notes)


def test_a_class_of_which_no_picture_can_be_read_is_refused(settings, tmp_path):
    photos = class_folders(tmp_path / "photos", {"bright": 10, "dark": 10})
    for path in (photos / "dark").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match="no training picture of the class 'dark'"):
        train(settings(dataset=None, data=photos), tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume", "RUN", "--epochs", "3"], "--resume goes alone"),
        (["--variant", "lite99", "--dataset", "digits"], "unknown variant"),
        (["--dataset", "digits", "--weights", "nowhere.h5"], "no such weight file or run"),
        ([], "one of --data and --dataset is needed"),
        (["--data", "nowhere"], "no folder or file nowhere"),
    ],
)
def test_a_wrong_line_is_one_clear_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["train", *words, "--json"])
    assert left.value.code == 2
    assert said in json.loads(capsys.readouterr().out)["error"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_options_come_before_the_file_of_settings(settings, tmp_path, capsys):
    photos = tmp_path / "photos"
    for name in ("a", "b"):
        (photos / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8)).save(photos / name / f"{number}.png")
    (tmp_path / "mine.toml").write_text(settings().to_toml())
    words = ["--config", str(tmp_path / "mine.toml"), "--data", str(photos), "--epochs", "1"]
    with pytest.raises(SystemExit) as left:
        main(["train", *words, "--output", str(tmp_path / "run"), "--json", "-q"])
    found = capsys.readouterr()
    assert left.value.code in (0, None), found.err
    written = json.loads(found.out)
    assert written["settings"]["data"] == str(photos)
    assert written["settings"]["dataset"] is None
    assert written["plan"]["epochs"] == 1
    assert written["settings"]["variant"] == "b0-phi-8"


@pytest.mark.slow
def test_a_device_without_memory_is_told_of_in_a_line(settings, tmp_path, monkeypatch):
    import tensorflow as tf

    def exhausted(self, images, targets):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Learner, "step", exhausted)
    with pytest.raises(EdgeeffError, match="no memory for a step of 64 pictures") as refused:
        train(settings(), tmp_path)
    assert "--batch 32" in refused.value.hint
