"""Whatever lies in the folder: it is shown, or named and refused, and the page is whole."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest

import edgeeff
from tests import mutants
from tests.reporting import folders
from tests.tflite import tiny

MUTANTS = int(os.environ.get("EDGEEFF_REPORT_MUTANTS", "12"))
"""Of each kind of file."""

KINDS = {
    "evaluation-tiny-int8.json": mutants.json_of,
    "latency-1.json": mutants.json_of,
    "layers.json": mutants.json_of,
    "verified.json": mutants.json_of,
    "tiny-int8.json": mutants.json_of,
    "first/run.json": mutants.json_of,
    "app.zip": mutants.bytes_of,
    "tiny-int8.tflite": mutants.bytes_of,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_mutant_is_shown_or_refused(name: str, full_folder: Path, tmp_path: Path) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    if name == "tiny-int8.json":
        shutil.copy(full_folder / "tiny-int8.tflite", tmp_path)
    whole = (full_folder / name).read_bytes()
    for number in range(MUTANTS):
        draw = random.Random(f"{name} {number}")  # noqa: S311 - not for secrets
        place.write_bytes(KINDS[name](whole, draw))
        made = edgeeff.report(tmp_path)
        assert made.html.endswith("</html>"), number
        assert all(refused.reason for refused in made.refused)


def refusals(folder: Path) -> dict[str, str]:
    made = edgeeff.report(folder)
    assert all(name in made.html for name in (refused.path for refused in made.refused))
    return {refused.path: refused.reason for refused in made.refused}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.tflite", tiny.INT8.read_bytes()[:5000], ""),
        ("empty.tflite", b"", "empty"),
        ("page.tflite", b"<html>", "web page"),
        ("cut.json", b'{"schema": "edgeeff.evaluation/1", "model":', "not a JSON document"),
        ("newer.json", b'{"schema": "edgeeff.evaluation/9"}', "does not know"),
        ("less.json", b'{"schema": "edgeeff.evaluation/1"}', "not a whole evaluation"),
        ("other.json", b'{"schema": "edgeeff.horoscope/1"}', "does not know"),
        ("deep.json", b'{"schema": "edgeeff.evaluation/1", "a": ' + b"[" * 99999, "deep"),
        ("no.zip", b"PK\x03\x04 and no more", "not a whole zip"),
        ("run.json", b'{"schema": "edgeeff.run/1"}', "malformed"),
        ("fit.json", b'{"schema": "edgeeff.fit/1"}', "not a whole search"),
        ("search.json", b'{"schema": "edgeeff.search/1", "settings": 3}', "malformed"),
        ("bundle.json", b'{"schema": "edgeeff.bundle/1"}', "SHA256SUMS"),
        ("a.json", b'{"schema": "edgeeff.benchmark/1", "measurements": null}', "malformed"),
        ("b.json", b'{"schema": "edgeeff.benchmark/1", "failures": 3}', "malformed"),
        ("d.json", b'{"schema": "edgeeff.benchmark/1"}', "no measurements"),
        ("e.json", b'{"schema": "edgeeff.manifest/1", "model": "a"}', "it lacks 'sha256', "),
        ("c.json", b'{"schema": "edgeeff.comparison/1", "comparisons": null}', "malformed"),
    ],
)
def test_a_broken_file_is_named_with_the_reason(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.tflite").write_bytes(tiny.INT8.read_bytes())
    found = refusals(tmp_path)
    assert len(found) == 1
    assert reason in next(iter(found.values()))


def test_a_manifest_of_another_file_is_refused_and_the_model_shown(tmp_path: Path) -> None:
    folders.with_models(tmp_path)
    (tmp_path / "tiny-int8.tflite").write_bytes(tiny.FLOAT16.read_bytes() + b"more")
    made = edgeeff.report(tmp_path)
    assert [refused.path for refused in made.refused] == ["tiny-int8.json"]
    subject = next(one for one in made.gathered.subjects if one.name == "tiny-int8.tflite")
    assert subject.manifest is None
    assert subject.facts is not None


def described_otherwise(folder: Path, **fields: object) -> None:
    """The manifest of the int8 model with other fields; the model is not there."""
    folders.with_models(folder)
    (folder / "tiny-int8.tflite").unlink()
    place = folder / "tiny-int8.json"
    place.write_text(json.dumps(json.loads(place.read_text("utf-8")) | fields), "utf-8")


def test_a_model_of_less_than_no_bytes_is_shown_and_gets_no_mark(tmp_path: Path) -> None:
    described_otherwise(tmp_path, bytes=-5)
    subjects = {one.name: one for one in edgeeff.report(tmp_path).gathered.subjects}
    assert subjects["tiny-int8.tflite"].marks == ()


def test_a_recipe_of_no_bytes_is_refused(tmp_path: Path) -> None:
    one = {"agreement": 1.0, "sqnr_db": 20.0, "drop": None, "failed": []}
    described_otherwise(
        tmp_path, tried=[{"recipe": "a", "bytes": 0, **one}, {"recipe": "b", "bytes": 5, **one}]
    )
    assert "a file of 0 bytes" in refusals(tmp_path)["tiny-int8.json"]


def test_a_figure_that_is_no_number_is_refused(full_folder: Path, tmp_path: Path) -> None:
    fields = json.loads((full_folder / "latency-1.json").read_text("utf-8"))
    fields["measurements"][0]["latency_ms"]["median"] = float("nan")
    (tmp_path / "latency.json").write_text(json.dumps(fields), "utf-8")
    assert set(refusals(tmp_path)) == {"latency.json"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_links_and_pipes_are_named_and_not_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.tflite").write_bytes(tiny.INT8.read_bytes())
    (inside / "link.tflite").symlink_to(outside / "secret.tflite")
    (inside / "folder").symlink_to(outside)
    os.mkfifo(inside / "pipe.json")
    made = edgeeff.report(inside)
    assert {refused.path for refused in made.refused} == {"link.tflite", "folder", "pipe.json"}
    assert made.gathered.subjects == []


def test_a_document_cannot_bring_a_picture_from_elsewhere(
    full_folder: Path, photos: Path, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    shutil.copy(full_folder / "evaluation-tiny-int8.json", inside)
    assert "data:image" not in edgeeff.report(inside).html
    assert "data:image" in edgeeff.report(inside, pictures=[photos]).html


def test_a_picture_of_the_name_and_another_content_is_not_shown(
    full_folder: Path, photos: Path, tmp_path: Path
) -> None:
    shutil.copy(full_folder / "evaluation-tiny-int8.json", tmp_path)
    for photo in photos.rglob("*.png"):
        (tmp_path / photo.name).write_bytes(photo.read_bytes() + b"changed")
    made = edgeeff.report(tmp_path)
    assert "data:image" not in made.html
    assert "no picture of this name and hash here" in made.html


def test_a_verification_that_contradicts_itself_is_refused(
    full_folder: Path, tmp_path: Path
) -> None:
    fields = json.loads((full_folder / "verified.json").read_text("utf-8"))
    fields["faults"] = ["it computes something else"]
    (tmp_path / "verified.json").write_text(json.dumps(fields), "utf-8")
    assert "contradict" in refusals(tmp_path)["verified.json"]


def test_words_of_any_length_are_cut(tmp_path: Path) -> None:
    fields = {"schema": "edgeeff.evaluation/1", "model": "m" * 200_000}
    fields |= dict.fromkeys(("reference", "reference_accuracy", "top1", "top5", "top1_drop"))
    fields |= {"images": 1, "fidelity": None, "data": "d" * 200_000, "sha256": ""}
    (tmp_path / "evaluation.json").write_text(json.dumps(fields), "utf-8")
    made = edgeeff.report(tmp_path)
    assert made.refused == ()
    assert len(made.html) < 60_000
