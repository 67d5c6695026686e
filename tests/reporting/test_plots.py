"""Quality against cost: what is drawn together, and what never is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import edgeeff
from edgeeff.architectures.plot import BEHIND
from edgeeff.drawing.svg import SERIES
from edgeeff.reporting.plots import quality_plots
from tests.reporting import folders


@pytest.fixture
def folder(full_folder: Path, tmp_path: Path) -> Path:
    """Two models that were judged on the same labelled pictures."""
    for name in ("tiny-int8", "tiny-float16"):
        for file in (f"{name}.tflite", f"{name}.json", f"evaluation-{name}.json"):
            (tmp_path / file).write_bytes((full_folder / file).read_bytes())
    return tmp_path


def drawn(folder: Path) -> dict[str, str]:
    """The plots by their titles."""
    subjects = edgeeff.report(folder).gathered.subjects
    return {plot.title: plot.svg for plot in quality_plots(subjects)}


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")


def test_accuracy_is_drawn_where_it_was_measured(folder: Path) -> None:
    assert set(drawn(folder)) == {"Accuracy by size", "Accuracy by parameters", "Accuracy by work"}


def test_fidelity_is_drawn_where_it_was_not(folder: Path) -> None:
    for path in folder.glob("evaluation-*.json"):
        path.unlink()
    assert set(drawn(folder)) == {"Fidelity by size", "Fidelity by parameters", "Fidelity by work"}


def test_nothing_is_drawn_where_nothing_was_measured(folder: Path) -> None:
    for path in folder.glob("*.json"):
        path.unlink()
    assert drawn(folder) == {}


def test_models_judged_on_other_pictures_have_another_colour(folder: Path) -> None:
    together = drawn(folder)["Accuracy by size"]
    change(folder / "evaluation-tiny-int8.json", data="elsewhere")
    apart = drawn(folder)["Accuracy by size"]
    colours = [
        {c for c in SERIES if re.search(rf'fill="{c}" stroke=', svg)} for svg in (together, apart)
    ]
    assert [len(found) for found in colours] == [1, 2]
    assert "pictures, elsewhere" in apart


def test_a_colour_means_the_same_pictures_in_every_plot(folder: Path) -> None:
    change(folder / "evaluation-tiny-int8.json", data="elsewhere")
    folders.add_latency(folder, ["tiny-int8.tflite"], "latency.json")
    found = drawn(folder)

    def colour(svg: str) -> str:
        point = svg[svg.index("<title>tiny-int8.tflite") :]
        return next(iter(re.findall(r'fill="(#\w+)" stroke', point)))

    assert colour(found["Accuracy by latency"]) == colour(found["Accuracy by size"])


@pytest.mark.parametrize(
    ("provenance", "drawn_once"),
    [("hardware", 1), *((it, 0) for it in ("software", "emulated", "test-double", "predicted"))],
)
def test_only_latencies_of_hardware_are_drawn(
    folder: Path, provenance: str, drawn_once: int
) -> None:
    folders.add_latency(folder, ["tiny-int8.tflite"], "latency.json", provenance=provenance)
    assert list(drawn(folder)).count("Accuracy by latency") == drawn_once


def test_each_place_of_a_latency_is_a_plot_of_its_own(folder: Path) -> None:
    folders.add_latency(folder, ["tiny-int8.tflite"], "one.json")
    folders.add_latency(folder, ["tiny-int8.tflite"], "two.json")
    document = json.loads((folder / "two.json").read_text("utf-8"))
    document["measurements"][0]["threads"] = 4
    (folder / "two.json").write_text(json.dumps(document), "utf-8")
    subjects = edgeeff.report(folder).gathered.subjects
    titles = [plot.title for plot in quality_plots(subjects)]
    assert titles.count("Accuracy by latency") == 2


@pytest.mark.parametrize("classes", [10, 1000])
def test_published_networks_stand_only_behind_networks_for_imagenet(
    folder: Path, classes: int
) -> None:
    for name in ("tiny-int8", "tiny-float16"):
        change(folder / f"{name}.json", classes=classes)
    found = drawn(folder)
    assert (BEHIND in found["Accuracy by parameters"]) == (classes == 1000)
    assert BEHIND not in found["Accuracy by size"]
