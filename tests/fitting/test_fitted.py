"""A search as its document keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeeff import errors
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.fitted import DOCUMENT, PLOT, Fitted, changed_place, read_fitted
from edgeeff.fitting.measured import SURVEY, Measured
from tests.documents import validated
from tests.fitting.searches import FAILED, SETTINGS, a_search, measured


@pytest.fixture
def found(tmp_path: Path) -> Fitted:
    return a_search(tmp_path)


def test_what_is_written_is_as_its_schema_says_and_is_read_back(found):
    found.write()
    validated((found.folder / DOCUMENT).read_text("utf-8"))
    assert read_fitted(found.folder) == found
    assert "<svg" in (found.folder / PLOT).read_text("utf-8")


def test_the_frontier_has_what_nothing_is_better_and_cheaper_than(found):
    names = [one.candidate.variant for one in found.frontier]
    # EdgeTPU-S is as good as Lite2 on this machine, and takes longer.
    assert names == ["lite0", "lite1", "lite2"]


def test_a_failure_is_kept_and_told(found):
    entry = found.to_json()["measured"][-1]
    assert (entry["bytes"], entry["latency_ms"], entry["error"]) == (None, None, FAILED.error)


def test_accuracy_is_labelled_as_predicted_and_latency_as_it_was_measured(found):
    winner = found.to_json()["winner"]
    assert winner["expected_top1"]["provenance"] == "predicted"
    assert winner["latency_ms"]["provenance"] == "test-double"
    assert "predicted" in found.plot().svg
    assert "test-double" in found.plot().svg


def test_another_budget_takes_over_what_was_measured_and_forgets_what_won(found):
    other = found.with_settings(replace(SETTINGS, max_latency=20.0))
    assert (other.measured, other.taken_over) == (found.measured, 5)
    assert (other.winner, other.finished) == (None, False)
    assert other.earlier_files == found.winner.files


def test_networks_that_may_not_win_under_new_settings_are_out_of_the_frontier(found):
    other = found.with_settings(replace(SETTINGS, families=("edgetpu",)))
    assert [one.candidate.variant for one in other.frontier] == ["edgetpu-s"]


def test_latencies_are_steadied_by_what_was_timed_in_turn():
    slow = measured("lite0", 224)
    timings = [replace(slow.timing, median=9.0, reference=r) for r in (1.0, 1.5, 1.0)]
    variants = ("lite0", "lite1", "lite2")
    networks = tuple(
        Measured(Candidate(name, 224, "int8"), SURVEY, 1, timing)
        for name, timing in zip(variants, timings, strict=True)
    )
    costs = Fitted(Path(), SETTINGS, {}, networks).limits.costs
    # The second one was timed while the device was half as fast again as usual slow.
    assert list(costs.values()) == [9.0, 6.0, 9.0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "android"}, "device local, now android"),
        ({"threads": 4}, "threads 1, now 4"),
        ({"classes": 10}, "classes None, now 10"),
        ({"max_latency": None, "max_bytes": 9}, "latency, now of bytes"),
    ],
)
def test_what_figures_depend_on_may_not_change(changes, said):
    assert changed_place(SETTINGS, replace(SETTINGS, **changes)) == [said]


@pytest.mark.parametrize("changes", [{"max_latency": 5.0}, {"networks": 9}, {"published": True}])
def test_what_they_do_not_depend_on_may(changes):
    assert changed_place(SETTINGS, replace(SETTINGS, **changes)) == []


DAMAGE: dict[str, Any] = {
    "a network that is none": ("measured", 0, "variant", "b99"),
    "one too large to be listed": ("measured", 0, "variant", "b0-phi40"),
    "a resolution of no picture": ("measured", 0, "resolution", 10**9),
    "another kind of number": ("measured", 0, "bytes", "many"),
    "a precision there is not": ("measured", 0, "precision", "int4"),
    "no latency": ("measured", 0, "latency_ms", {"median": 1}),
    "a winner of no file": ("winner", "files", None),
    "no budget": ("settings", "max_latency", None),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_document_is_refused_in_one_line(found, damage):
    found.write()
    fields = json.loads((found.folder / DOCUMENT).read_text("utf-8"))
    *places, name, value = damage
    part = fields
    for place in places:
        part = part[place]
    part[name] = value
    (found.folder / DOCUMENT).write_text(json.dumps(fields), "utf-8")
    with pytest.raises(errors.EdgeeffError) as raised:
        read_fitted(found.folder)
    assert "\n" not in raised.value.message
