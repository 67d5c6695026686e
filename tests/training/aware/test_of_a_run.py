"""A run's own pictures are what its integer network learns from."""

import pytest

import edgeeff
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


def test_a_run_is_converted_with_training_in_one_command(finished, tmp_path, monkeypatch):
    from edgeeff.training.aware import training

    # The last block alone: it is ready at once.
    monkeypatch.setattr(training, "MOST_VALUES", 1)
    settings = Settings(weights=str(finished.folder), qat=True, qat_steps=60, output=tmp_path)
    made = edgeeff.convert(None, settings).manifest
    assert made.integer_only
    assert made.qat["source"] == str(finished.folder)
    assert made.qat["end_db"] > made.qat["start_db"]
