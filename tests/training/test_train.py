import csv
import signal
import subprocess
import sys
import weakref

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.progress import Progress
from edgeeff.training import runs
from edgeeff.training.runs import read_run
from edgeeff.training.train import resume_training, train
from tests.documents import validated
from tests.training.folders import class_folders


class StoppedError(Exception):
    """Ends a training as a kill would, between two epochs."""


def stopped_after(epochs):
    def on_epoch(run, left):
        if len(run.epochs) == epochs:
            raise StoppedError

    return on_epoch


def figures(run):
    return [(one.loss, one.accuracy, one.val_loss, one.val_top1) for one in run.epochs]


@pytest.mark.slow
def test_a_run_holds_its_weights_figures_and_everything_that_made_them(finished):
    there = {path.name for path in finished.folder.iterdir() if "tfevents" not in path.name}
    assert there == {
        *("run.json", "results.csv", "settings.toml", "labels.txt", "model.txt", "curve.svg"),
        *("best.safetensors", "last.safetensors"),
    }


def test_the_document_is_what_its_schema_says(finished):
    document = validated((finished.folder / "run.json").read_text())
    assert document["finished"]
    assert document["test_top1"] is not None
    assert document["labels"] == list(map(str, range(10)))


def test_a_run_that_is_read_is_the_run_that_was_written(finished):
    assert read_run(finished.folder) == finished


def test_the_loss_falls(finished):
    losses = [one.loss for one in finished.epochs]
    assert losses == sorted(losses, reverse=True)


def test_the_table_has_a_line_for_each_epoch(finished):
    with (finished.folder / "results.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["loss"]) == pytest.approx(finished.epochs[-1].loss, rel=1e-4)


def test_tensorboard_gets_the_same_figures(finished):
    import tensorflow as tf

    (path,) = finished.folder.glob("*tfevents*")
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for one in finished.epochs:
        assert found["train/loss", one.epoch] == pytest.approx(one.loss)
        assert found["val/top1", one.epoch] == pytest.approx(one.val_top1)


def test_the_line_that_is_written_down_makes_the_run_again(finished):
    from edgeeff.training.settings import read_settings, settings_of

    words = finished.command.split()
    path = finished.folder / "settings.toml"
    assert words[:4] == ["edgeeff", "train", "--config", str(path)]
    again = settings_of(read_settings(path), str(path))
    assert again == finished.settings


@pytest.mark.slow
def test_a_killed_run_loses_no_finished_epoch_and_ends_in_the_same_bits(
    settings, finished, tmp_path
):
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from edgeeff.training.train import train\n"
        "from edgeeff.training.settings import read_settings, settings_of\n"
        "from edgeeff.progress import Progress\n"
        "import contextlib\n"
        "class Killed(Progress):\n"
        "    @contextlib.contextmanager\n"
        "    def shown(self, name, steps):\n"
        "        left = [40]\n"
        "        def advance(count):\n"
        "            left[0] -= count if name == 'train' else 0\n"
        "            if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield advance\n"
        "path = Path(sys.argv[1])\n"
        "train(settings_of(read_settings(path), 'test'), path.parent / 'run', progress=Killed())\n"
    )
    (tmp_path / "settings.toml").write_text(settings().to_toml())
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "settings.toml")])
    assert done.returncode == -signal.SIGKILL
    assert 0 < len(read_run(tmp_path / "run").epochs) < 3
    run = resume_training(tmp_path / "run")
    assert figures(run) == figures(finished)
    for name in (runs.BEST, runs.LAST):
        assert (run.folder / name).read_bytes() == (finished.folder / name).read_bytes()


@pytest.fixture
def few(settings, tmp_path):
    """Settings of a training on few pictures, some of them changed: its epochs take no time."""
    photos = class_folders(tmp_path / "photos", {"bright": 24, "dark": 24})

    def changed(**changes):
        usual = {"epochs": 2, "head_epochs": 1, "batch": 4}
        return settings(dataset=None, data=photos, **{**usual, **changes})

    return changed


@pytest.mark.slow
def test_between_two_phases_the_bits_are_the_same_too(few, tmp_path):
    chosen = few()
    whole = train(chosen, tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(chosen, tmp_path / "stopped", on_epoch=stopped_after(1))
    run = resume_training(tmp_path / "stopped")
    assert [one.phase for one in run.epochs] == ["head", "all"]
    assert figures(run) == figures(whole)


@pytest.mark.slow
def test_the_first_epochs_leave_all_but_the_classifier_alone(settings, finished, tmp_path):
    run = train(
        settings(weights=str(finished.folder), epochs=1, head_epochs=1, average=0.0), tmp_path
    )
    before, after = (safetensors.numpy.load_file(one.folder / runs.BEST) for one in (finished, run))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"logits/kernel", "logits/bias"}


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_loses_nothing(few, tmp_path, monkeypatch):
    from edgeeff import files

    real, calls = files.write_together, []

    def full(contents):
        calls.append(contents)
        if len(calls) == 3:
            raise OutputError("cannot write: No space left on device")
        real(contents)

    monkeypatch.setattr(files, "write_together", full)
    run = tmp_path / "run"
    with pytest.raises(OutputError, match="No space left"):
        train(few(head_epochs=0), run)
    monkeypatch.setattr(files, "write_together", real)
    assert len(read_run(run).epochs) == 1
    assert len(resume_training(run).epochs) == 2


@pytest.mark.slow
def test_the_pictures_of_a_run_that_ended_leave_the_memory(few, tmp_path, monkeypatch):
    from edgeeff.training import session

    read, kept = session.kept_whole, []

    def watched(*given, **named):
        pixels = read(*given, **named)
        kept.append(weakref.ref(pixels.squares))
        return pixels

    monkeypatch.setattr(session, "kept_whole", watched)
    train(few(), tmp_path / "run")
    assert [one() for one in kept] == [None]


def test_a_run_that_is_there_is_not_begun_anew_unasked(settings, finished):
    with pytest.raises(OutputError, match="holds a run already"):
        train(settings(), finished.folder)


def test_a_finished_run_has_nowhere_to_go_on_to(finished):
    with pytest.raises(InputError, match="is finished: 3 of 3 epochs"):
        resume_training(finished.folder)


@pytest.mark.slow
def test_a_run_whose_pictures_have_changed_does_not_go_on(few, tmp_path):
    with pytest.raises(StoppedError):
        train(few(), tmp_path / "run", on_epoch=stopped_after(1))
    picture = next((tmp_path / "photos" / "dark").iterdir())
    Image.new("RGB", (90, 70)).save(picture)
    with pytest.raises(InputError, match="are not those that"):
        resume_training(tmp_path / "run")


def test_a_folder_without_a_run_cannot_go_on(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        resume_training(tmp_path)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_there(few, tmp_path):
    # Decay of so much makes weights nine times as large in each of 38 steps.
    growing = {"learning_rate": 10.0, "weight_decay": 1.0, "warmup": 0.0, "batch": 1}
    run = tmp_path / "run"
    with pytest.raises(InputError, match=r"loss of epoch 2 is no number.*best.safetensors"):
        train(few(**growing), run)
    kept = safetensors.numpy.load_file(run / runs.BEST)
    assert all(np.isfinite(value).all() for value in kept.values())


@pytest.mark.slow
def test_a_step_that_memory_has_no_room_for_is_refused_with_one_that_fits(
    settings, tmp_path, monkeypatch
):
    import psutil

    progress = Progress()
    free = psutil.virtual_memory()._replace(available=60_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(UsageError, match="a step of 64 pictures") as refused:
        train(settings(), tmp_path, progress=progress)
    assert "read pictures" not in progress.seconds
    fits = int(refused.value.hint.split()[1])
    assert 0 < fits < 64
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("numbers", ["mixed_bfloat16", "mixed_float16"])
def test_lower_precision_learns_as_well(settings, finished, tmp_path, numbers):
    with pytest.raises(StoppedError):
        train(settings(numbers=numbers), tmp_path, on_epoch=stopped_after(1))
    run = read_run(tmp_path)
    assert run.epochs[0].loss == pytest.approx(finished.epochs[0].loss, rel=0.1)
    dtypes = {value.dtype for value in safetensors.numpy.load_file(tmp_path / runs.BEST).values()}
    assert dtypes == {np.dtype(np.float32)}
