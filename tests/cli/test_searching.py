"""What ``edgeeff fit --data`` says: where it cannot begin, and of a search that is done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeeff.architectures.variants import find_variant, scaling_grid
from edgeeff.cli import main
from edgeeff.fitting.search.found import DOCUMENT
from edgeeff.fitting.search.halving import halved, rungs
from edgeeff.fitting.search.settings import SearchSettings
from edgeeff.fitting.search.sharing import Outcome, Task, share
from edgeeff.fitting.search.space import Candidate, candidates
from edgeeff.fitting.search.storage import JOURNAL, open_storage
from edgeeff.training.settings import TrainingSettings
from edgeeff.training.train import digest, read
from tests.commands import assert_one_error
from tests.documents import validated

pytestmark = pytest.mark.timeout(120)
"""A search that does not know what was done would train for hours."""

DIGITS = ["--dataset", "digits", "--weights", "none"]

BAD = {
    "what scales a network without pictures": (["--phi", "1"], 2, "--phi needs --data"),
    "a study without pictures": (["--study", "here.journal"], 2, "--study needs --data"),
    "a family": ([*DIGITS, "--family", "lite"], 2, "--family has no meaning with --data"),
    "an option of the target": ([*DIGITS, "--option", "a=b"], 2, "--option has no meaning"),
    "two precisions": (
        [*DIGITS, "--precision", "int8", "--precision", "float32"],
        2,
        "takes one --precision",
    ),
    "a precision there is not": ([*DIGITS, "--precision", "int7"], 2, "did you mean int8"),
    "a data set there is not": (["--dataset", "digit"], 2, "did you mean digits"),
    "pictures in two places": ([*DIGITS, "--data", "photos"], 2, "contradict"),
    "a folder that is not there": (["--data", "nowhere"], 2, "nowhere"),
    "a network there is not": ([*DIGITS, "--variant", "b9"], 2, "unknown variant 'b9'"),
    "a network too small to scale": (
        [*DIGITS, "--variant", "b0-phi1-0.1-0.05-0.05"],
        2,
        "rounded too coarsely",
    ),
    "a study of others begun anew": (
        [*DIGITS, "--study", "here.journal", "--force"],
        2,
        "--force forgets the journal of --output alone",
    ),
    "a device there is not": ([*DIGITS, "--device", "moon"], 2, "unknown device"),
    "no compiler for the Edge TPU": (
        [*DIGITS, "--target", "edgetpu"],
        4,
        "no edgetpu_compiler on PATH",
    ),
}


@pytest.mark.parametrize(("words", "status", "said"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_done_is_one_line_before_any_training(
    words, status, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "fit"
    assert_one_error(capsys, status, said, "fit", *words, "--output", output)
    assert list(tmp_path.iterdir()) == []


BASE = "b0-phi1-0.3-0.25-0.2"
SETTINGS = SearchSettings(
    TrainingSettings(variant=BASE, dataset="digits", weights="none", epochs=9),
    networks=4,
    max_bytes=600_000,
)
COMMAND = [
    *("fit", *DIGITS, "--variant", BASE, "--epochs", "9"),
    *("--networks", "4", "--max-bytes", "600000"),
]


def made_up(one: Candidate, epochs: int) -> Outcome:
    """A training that nobody made: what is wider learns better, and the widest not at all."""
    if one.factors[1] >= 1.4:
        return Outcome(None, "the loss is no number")
    return Outcome(one.factors[1] / 2 + epochs / 100)


def search_done(folder: Path, size: int) -> Candidate:
    """Write the journal of a search that is finished, as its processes would have left it.

    Args:
        folder: of the search.
        size: bytes of the winner's file.
    """
    data = read(SETTINGS.training)
    base = replace(find_variant(BASE), classes=len(data.classes))
    pool = candidates(base, scaling_grid(), most=SETTINGS.networks)
    storage, name = open_storage(folder / JOURNAL), SETTINGS.study_name(digest(data))
    tasks = tuple(Task(one.variant.name) for one in pool)
    cost = {"bytes": 500_000, "latency_ms": None}
    share(storage, f"{name}, measured", tasks, lambda task, claim: Outcome(-5e5, notes=cost))
    chosen, _ = halved(
        storage, name, pool, rungs(len(pool), 9), lambda one, epochs, claim: made_up(one, epochs)
    )
    winner = {
        **{"machine": "another", "folder": str(folder), "run": "run", "model": "m-int8.tflite"},
        **{"sha256": "0" * 64, "precision": "int8", "weights": "none", "epochs": 9},
        **{"val_top1": 0.75, "test_top1": 0.72, "inside": size <= 600_000, "notes": ["a note"]},
        **{"bytes": size, "latency_ms": None},
    }
    task = Task(chosen.variant.name)
    share(storage, f"{name}, winner", (task,), lambda task, claim: Outcome(0.75, notes=winner))
    return chosen


def test_a_search_that_is_done_is_shown_without_training_anything(tmp_path, capsys):
    chosen = search_done(tmp_path, 512_345)
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, "--output", str(tmp_path)])
    said = capsys.readouterr()
    assert ended.value.code == 0
    (line,) = [one for one in said.out.splitlines() if "<- chosen" in one]
    for factor in chosen.factors:
        assert f"{factor:g}" in line
    for part in (chosen.variant.name, "75.00% of val, 72.00% of test", "512,345", "another"):
        assert part in said.out.replace("\n", "")
    assert "note: a note" in said.err


def test_the_document_of_a_search_says_what_became_of_every_candidate(tmp_path, capsys):
    chosen = search_done(tmp_path, 512_345)
    with pytest.raises(SystemExit):
        main([*COMMAND, "--output", str(tmp_path), "--json"])
    document = validated(capsys.readouterr().out)
    assert document == json.loads((tmp_path / DOCUMENT).read_text("utf-8"))
    assert document["winner"]["variant"] == chosen.variant.name
    assert len(document["candidates"]) == 4
    for one in document["candidates"]:
        trained = one["trained"][0]
        assert (trained["val_top1"] is None) == (one["beta"] >= 1.4) == bool(trained["error"])


def test_a_winner_outside_the_budget_ends_with_status_3_and_its_figures_are_kept(tmp_path, capsys):
    chosen = search_done(tmp_path, 612_345)
    with pytest.raises(SystemExit) as ended:
        main([*COMMAND, "--output", str(tmp_path)])
    assert ended.value.code == 3
    error = " ".join(capsys.readouterr().err.split())
    assert f"{chosen.variant.name} won, but measured again it has 612,345 bytes" in error
    assert json.loads((tmp_path / DOCUMENT).read_text("utf-8"))["winner"]["inside"] is False
