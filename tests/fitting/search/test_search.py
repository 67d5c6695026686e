"""The whole search on pictures: trained, quantized, measured; stopped and gone on with."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.errors import GateFailed, UsageError
from edgeeff.fitting.search.found import DOCUMENT
from edgeeff.fitting.search.search import fit_to_data
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.storage import JOURNAL, open_storage
from edgeeff.training.settings import TrainingSettings
from tests.documents import validated
from tests.waiting import wait_until

BASE = "b0-phi1-0.3-0.25-0.2"
"""8 blocks at 48 pixels."""

TRAINING = TrainingSettings(variant=BASE, dataset="digits", weights="none", epochs=1)
SETTINGS = SearchSettings(TRAINING, networks=2)


@pytest.mark.slow
def test_a_network_is_found_trained_quantized_and_measured(tmp_path):
    trials = []
    found = fit_to_data(
        replace(SETTINGS, max_latency=1000.0),
        tmp_path,
        on_trial=lambda one, rung, outcome: trials.append(one.variant.name),
    )
    document = validated((tmp_path / DOCUMENT).read_text())
    assert document["winner"]["variant"] == found.chosen.variant.name
    assert sorted(trials) == sorted(one.variant.name for one in found.pool)
    assert all(one["measured"]["latency_ms"]["median"] > 0 for one in document["candidates"])
    assert (tmp_path / document["winner"]["model"]).exists()
    assert document["winner"]["inside"]
    assert 0 < document["winner"]["test_top1"] <= 1

    def never(one, rung, outcome):
        raise AssertionError(one)

    again = fit_to_data(replace(SETTINGS, max_latency=1000.0), tmp_path, on_trial=never)
    assert again.winner == found.winner


@pytest.mark.slow
def test_a_budget_that_nothing_keeps_is_refused_before_any_training(tmp_path):
    def never(one, rung, outcome):
        raise AssertionError(one)

    with pytest.raises(GateFailed, match="no network is inside the budget"):
        fit_to_data(replace(SETTINGS, networks=1, max_bytes=1000), tmp_path, on_trial=never)


WORKER = f"""
import sys
from pathlib import Path
from edgeeff.fitting.search.claims import Pulse
from edgeeff.fitting.search.search import fit_to_data
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.training.settings import TrainingSettings
training = TrainingSettings(variant={BASE!r}, dataset="digits", weights="none", epochs=1)
folder = Path(sys.argv[1])
fit_to_data(
    SearchSettings(training, networks=2),
    folder / sys.argv[2],
    storage=str(folder / "study.journal"),
    on_trial=lambda one, rung, outcome: print(one.variant.name, flush=True),
    pulse=Pulse(beat=0.5, grace=8.0),
)
"""


def running(journal: Path) -> int:
    """How many trials run now."""
    from optuna import get_all_study_names, load_study

    storage = open_storage(journal)
    states = [
        trial.state.name
        for name in get_all_study_names(storage)
        if "rung" in name
        for trial in load_study(study_name=name, storage=storage).get_trials()
    ]
    return states.count("RUNNING")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_two_workers_one_is_killed_and_its_trial_is_done_by_the_other(tmp_path):
    words = [sys.executable, "-c", WORKER, str(tmp_path)]
    one = subprocess.Popen([*words, "one"])
    journal = tmp_path / JOURNAL
    wait_until(lambda: journal.exists() and running(journal), "a trial runs", seconds=240)
    other = subprocess.Popen([*words, "other"], stdout=subprocess.PIPE, text=True)
    try:
        os.kill(one.pid, signal.SIGKILL)
        one.wait()
        said, _ = other.communicate(timeout=600)
    finally:
        other.kill()
    assert other.returncode == 0
    document = json.loads((tmp_path / "other" / DOCUMENT).read_text())
    assert sorted(said.split()) == sorted(one["variant"] for one in document["candidates"])
    assert [len(one["trained"]) for one in document["candidates"]] == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phi": 9.0}, "--phi 9"),
        ({"networks": 0}, "--networks 0"),
        ({"precision": "int7"}, "unknown precision"),
        ({"training": replace(TRAINING, resolution=64)}, "--resolution"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        replace(SETTINGS, **changes)


def test_a_search_has_one_name_wherever_its_pictures_lie():
    here, there = (
        SearchSettings(TrainingSettings(data=Path(folder))) for folder in ("a/flowers", "b/flowers")
    )
    assert here.study_name("digest") == there.study_name("digest")
    assert here.study_name("digest") != here.study_name("of others")
    assert replace(here, phi=2.0).study_name("digest") != here.study_name("digest")
