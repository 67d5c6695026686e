"""Searches for real: networks of 32 pixels are built, timed and converted on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from edgeeff import errors, files
from edgeeff.cli import main
from edgeeff.fitting.building import Builder, Order
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.fit import fit
from edgeeff.fitting.fitted import DOCUMENT, Fitted, read_fitted
from edgeeff.fitting.measured import SURVEY, Measured, Timing
from edgeeff.fitting.winning import win
from edgeeff.progress import Progress
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.reader import read_model
from tests.documents import validated
from tests.fitting.small import SMALL

pytestmark = pytest.mark.slow


class Told(list[Measured]):
    """What a search measured while it was listened to; interrupts it after so many."""

    def __init__(self, stop_after: int = 1000) -> None:
        self.stop_after = stop_after

    def __call__(self, one: Measured, found: Fitted) -> None:
        self.append(one)
        if len(self) == self.stop_after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was interrupted after its first network, and went on."""
    folder = tmp_path_factory.mktemp("fit")
    before, after = Told(stop_after=1), Told()
    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, folder, on_measured=before)
    assert [one.candidate for one in read_fitted(folder).measured] == [before[0].candidate]
    found = fit(SMALL, folder, on_measured=after)
    assert [*before, *after] == list(found.measured)
    return folder


def test_a_search_that_was_interrupted_measures_nothing_twice(folder):
    found = read_fitted(folder)
    assert len({one.candidate for one in found.measured}) == len(found.measured) <= 3


def test_the_document_is_as_its_schema_says(folder):
    validated((folder / DOCUMENT).read_text("utf-8"))


def test_the_winner_is_inside_by_a_measurement_of_its_own(folder):
    found = read_fitted(folder)
    (candidate,) = [one for one in found.measured if one.candidate == found.winner.candidate]
    assert found.winner.timing != candidate.timing
    assert found.winner.timing.median <= 1000
    assert found.winner.timing.provenance == "hardware"


def test_nothing_that_was_measured_inside_is_better_than_the_winner(folder):
    found = read_fitted(folder)
    inside = [one for one in found.measured if one.bytes <= SMALL.max_bytes]
    best = max(one.candidate.expected.top1 for one in inside)
    assert found.winner.candidate.expected.top1 == best


def test_the_winners_files_are_there_with_the_command_that_makes_them(folder):
    winner = read_fitted(folder).winner
    assert sorted(winner.files) == sorted(
        path.name for path in folder.iterdir() if path.name.startswith("efficientnet")
    )
    model = folder / winner.files[0]
    assert files.sha256(model) == winner.sha256
    assert read_manifest(model).command == winner.command
    assert f"--variant {winner.candidate.variant}" in winner.command
    assert "--resolution 32" in winner.command


def test_nothing_else_is_left(folder):
    kept = {path.suffix for path in folder.iterdir()}
    assert kept == {".json", ".svg", ".tflite"}
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_the_same_search_again_measures_nothing(folder):
    told = Told()
    assert fit(SMALL, folder, on_measured=told).winner == read_fitted(folder).winner
    assert told == []


def test_a_search_on_another_device_is_refused(folder):
    with pytest.raises(errors.OutputError, match="holds a search of threads 1, now 2"):
        fit(replace(SMALL, threads=2), folder)


def test_a_budget_that_nothing_keeps_names_the_cheapest(folder, capsys):
    small = ["--family", "lite", "--precision", "dynamic", "--resolution", "32", "--classes", "4"]
    rest = ["--networks", "3", "--weights", "none", "--output", str(folder.with_name("none"))]
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--max-bytes", "1000", *small, *rest, "--json"])
    assert ended.value.code == 3
    error = json.loads(capsys.readouterr().out)["error"]
    assert error.startswith("no network is inside 1,000 bytes: the cheapest measured, lite0-phi-3")


def test_a_builder_that_is_killed_is_one_line_and_another_one_builds_the_next(tmp_path):
    order = Order("lite0-phi-3", 32, 4, {"int8": tmp_path / "network.tflite"})
    others = set(psutil.Process().children())
    with Builder() as builder:
        with pytest.raises(errors.UsageError, match="unknown variant"):
            builder.build(replace(order, variant="b99"))
        (child,) = set(psutil.Process().children()) - others
        child.kill()
        with pytest.raises(errors.InputError, match=r"builds lite0-phi-3 crashed \(SIGKILL\)"):
            builder.build(order)
        builder.build(order)
    assert read_model(tmp_path / "network.tflite").outputs[0].shape == (1, 4)
    assert set(psutil.Process().children()) <= others


def test_what_is_outside_when_it_is_measured_again_gives_way_to_the_next(tmp_path):
    best, next_best = (Candidate(f"lite0-phi{phi}", 32, "dynamic") for phi in ("-2.75", "-3"))
    timing = Timing(1.0, 1.0, (1.0, 1.0), 30, "test-double", "", "")
    # By what the best one was slower, this one would be outside: it is not even tried.
    hopeless = Measured(
        Candidate("lite0-phi-3", 40, "dynamic"), SURVEY, 10**6, replace(timing, median=1.2)
    )
    networks = (hopeless, *(Measured(one, SURVEY, 10**6, timing) for one in (next_best, best)))
    times = iter([replace(timing, median=1000.1), timing])
    (tmp_path / "scratch").mkdir()
    found = win(
        Fitted(tmp_path, replace(SMALL, resolution=None), measured=networks),
        lambda model: next(times),
        tmp_path / "scratch",
        Progress(),
    )
    assert [one.candidate for one in found.rejected] == [best]
    assert found.winner.candidate == next_best
    assert {path.name for path in tmp_path.glob("efficientnet*")} == set(found.winner.files)
