"""A bundle that was changed is found out, and verify says where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgeeff
from edgeeff.bundling import golden, storage
from edgeeff.bundling.build import Bundled
from edgeeff.bundling.golden import Difference
from edgeeff.bundling.verification import Verification
from edgeeff.cli import main
from edgeeff.errors import InputError
from edgeeff.tflite.graph import Graph
from tests.documents import validated

Change = Callable[[Path], None]


@pytest.fixture
def copy(bundled: Bundled, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled.path, tmp_path / "copy"))


def resealed(folder: Path) -> Path:
    """The folder with checksums of what is in it, as one who means harm would leave it."""
    (folder / storage.CHECKSUMS).unlink()
    files = (path for path in folder.rglob("*") if path.is_file())
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    (folder / storage.CHECKSUMS).write_bytes(storage.checksums(contents))
    return folder


def edit(folder: Path, change: Callable[[dict], None], name: str = "bundle.json") -> None:
    document = json.loads((folder / name).read_text())
    change(document)
    (folder / name).write_text(json.dumps(document))


def flip_weight(folder: Path) -> None:
    """One bit in the middle of the weights."""
    place = folder / "models/int8.tflite"
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 0x40
    place.write_bytes(content)


def swap_labels(folder: Path) -> None:
    place = folder / "labels.txt"
    lines = place.read_text().splitlines()
    lines[2], lines[3] = lines[3], lines[2]
    place.write_text("\n".join(lines) + "\n")


def change_mean(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0]["preprocessing"]["mean"].__setitem__(1, 100.0))


def change_normalization(folder: Path) -> None:
    edit(folder, lambda it: it["models"][1]["normalization"]["std"].__setitem__(0, 1.0))


def change_feeding(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0].__setitem__("takes_bytes", False))


def change_scale(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0]["output"].__setitem__("scale", 0.5))


def vector_of_another_model(folder: Path) -> None:
    shutil.copy(folder / "golden/float32/00.input", folder / "golden/int8/00.input")


def answer_of_another_picture(folder: Path) -> None:
    place = folder / "golden/int8/00.input"
    place.write_bytes(place.read_bytes()[::-1])


def change_scores(folder: Path) -> None:
    place = folder / "golden/int8/00.scores"
    place.write_bytes(place.read_bytes()[::-1])


def manifest_of_another_model(folder: Path) -> None:
    shutil.copy(folder / "models/float32.json", folder / "models/int8.json")


def no_vectors(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0].__setitem__("vectors", []))


def no_vectors_for_a_reason(folder: Path) -> None:
    no_vectors(folder)
    edit(folder, lambda it: it["models"][0].__setitem__("without_vectors", "so it is"))


def change_arithmetic(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0].__setitem__("integer_only", False))


def change_precision(folder: Path) -> None:
    edit(folder, lambda it: it["models"][0].__setitem__("precision", "float16"))


def no_labels(folder: Path) -> None:
    edit(folder, lambda it: it.__setitem__("labels", None))


def swap_labels_of_a_manifest(folder: Path) -> None:
    def swapped(manifest: dict) -> None:
        manifest["labels"] = manifest["labels"][::-1]

    edit(folder, swapped, "models/int8.json")


CHANGES: dict[Change, tuple[str, str]] = {
    flip_weight: ("models/int8.tflite", "models/int8.tflite: bundle.json says sha256"),
    swap_labels: (
        "labels.txt",
        "labels.txt: class 2 is 'thing 3', in models/int8.tflite 'thing 2'",
    ),
    change_mean: ("bundle.json", "models/int8.tflite: bundle.json says mean"),
    change_normalization: ("bundle.json", "models/float32.tflite: bundle.json says normalization"),
    change_feeding: ("bundle.json", "bundle.json says that its input takes no bytes as they are"),
    change_scale: ("bundle.json", "models/int8.tflite: bundle.json describes another output"),
    vector_of_another_model: ("golden/int8/00.input", "it is a vector of another model"),
    answer_of_another_picture: ("golden/int8/00.input", "quantization steps"),
    change_scores: ("golden/int8/00.scores", "does not hold the real values"),
    manifest_of_another_model: ("models/int8.json", "models/int8.json is of another file"),
    no_vectors: ("bundle.json", "models/int8.tflite has no golden vectors"),
    no_vectors_for_a_reason: ("bundle.json", "models/int8.tflite has no golden vectors"),
    change_arithmetic: ("bundle.json", "bundle.json says that it computes in float, too"),
    change_precision: ("bundle.json", "models/int8.json: bundle.json says float16, here int8"),
    no_labels: ("bundle.json", "has class names, bundle.json names no file of them"),
    swap_labels_of_a_manifest: ("models/int8.json", "has other class names than labels.txt"),
}
"""Changes to a bundle: the file that is no longer as listed, and what is said if the list is
changed with it."""


@pytest.mark.slow
def test_a_model_that_the_document_does_not_know_is_found(copy: Path) -> None:
    shutil.copy(copy / "models/int8.tflite", copy / "models/more.tflite")
    found = edgeeff.verify(resealed(copy))
    assert "models/more.tflite is a model that bundle.json does not list" in found.faults


@pytest.mark.parametrize("faults", [["SQNR 3 dB"], 7], ids=["list", "malformed"])
def test_a_model_that_was_measured_as_ruined_is_said_to_be(copy: Path, faults: object) -> None:
    name = json.loads((copy / "bundle.json").read_text())["models"][0]["manifest"]
    verdict = {"good": False, "faults": faults, "try": None}
    edit(copy, lambda it: it.__setitem__("verdict", verdict), name)
    found = edgeeff.verify(resealed(copy))
    assert any("models/int8.tflite WAS MEASURED AS RUINED" in note for note in found.notes)


def test_a_whole_bundle_is_good_and_equal(bundled: Bundled) -> None:
    found = edgeeff.verify(bundled.path)
    assert found.good
    assert list(found.differences) == ["models/int8.tflite", "models/float32.tflite"]
    (integer,), (floating,) = found.differences.values()
    assert (integer.differing, integer.steps, integer.allowed) == (0, 0, 0)
    assert floating.within


def test_folder_and_zip_have_the_same_sha256(user_folder: Path, tmp_path: Path) -> None:
    found: list[Verification] = []
    for place in (tmp_path / "bundle", tmp_path / "bundle.zip"):
        edgeeff.bundle([user_folder / "int8.tflite"], place)
        found.append(edgeeff.verify(place))
    assert found[0].sha256 == found[1].sha256


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_file_is_named(change: Change, copy: Path) -> None:
    change(copy)
    with pytest.raises(InputError, match="changed: ") as raised:
        edgeeff.verify(copy)
    assert CHANGES[change][0] in raised.value.message


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_that_was_sealed_is_found_all_the_same(change: Change, copy: Path) -> None:
    change(copy)
    found = edgeeff.verify(resealed(copy))
    assert not found.good
    assert any(CHANGES[change][1] in fault for fault in found.faults), found.faults
    validated(found.text())


def test_the_fault_names_tensor_picture_and_steps(copy: Path) -> None:
    answer_of_another_picture(copy)
    (fault,) = edgeeff.verify(resealed(copy)).faults
    assert fault.startswith(
        "models/int8.tflite: output 'probabilities' for coffee.png is off by up"
    )


@pytest.mark.slow
def test_steps_that_are_allowed_pass(copy: Path) -> None:
    answer_of_another_picture(copy)
    (difference, *_) = edgeeff.verify(resealed(copy)).differences["models/int8.tflite"]
    assert difference.steps is not None
    assert edgeeff.verify(copy, steps=difference.steps).good
    assert not edgeeff.verify(copy, steps=difference.steps - 1).good


def test_a_float_answer_may_be_off_by_a_rounding(copy: Path) -> None:
    place = copy / "golden/float32/00.output"
    values = np.frombuffer(place.read_bytes(), np.float32)
    place.write_bytes((values + np.float32(0.9 * golden.FLOAT_TOLERANCE)).tobytes())
    assert edgeeff.verify(resealed(copy)).good
    place.write_bytes((values + np.float32(1.1 * golden.FLOAT_TOLERANCE)).tobytes())
    assert not edgeeff.verify(resealed(copy)).good


def test_a_document_that_names_what_is_not_there_is_refused(copy: Path) -> None:
    edit(copy, lambda it: it["models"][0].__setitem__("file", "../../etc/passwd"))
    with pytest.raises(InputError, match="which the bundle does not have"):
        edgeeff.verify(resealed(copy))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", "edgeeff.bundle/2"),
        ("models", 3),
        ("models", [{}]),
        ("name", None),
        ("models", {}),
    ],
)
def test_a_malformed_document_is_refused(field: str, value: object, copy: Path) -> None:
    def change(document: dict) -> None:
        document[field] = value
        if value is None:
            del document[field]

    edit(copy, change)
    with pytest.raises(InputError, match=r"bundle\.json"):
        edgeeff.verify(resealed(copy))


def test_a_document_that_lists_a_file_twice_is_refused(copy: Path) -> None:
    """An app takes the first entry; the vectors of the other one would speak for it."""
    edit(copy, lambda it: it["models"].insert(0, {**it["models"][0], "vectors": []}))
    with pytest.raises(InputError, match=r"lists models/int8\.tflite twice"):
        edgeeff.verify(resealed(copy))


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_a_golden_answer_that_is_no_number_is_a_fault(number: float, copy: Path) -> None:
    place = copy / "golden/float32/00.output"
    answer = np.frombuffer(place.read_bytes(), "<f4").copy()
    answer[0] = number
    place.write_bytes(answer.tobytes())
    found = edgeeff.verify(resealed(copy))
    assert "golden/float32/00.output holds values that are no numbers" in " ".join(found.faults)
    validated(found.text())


def test_a_document_without_an_end_is_refused(copy: Path) -> None:
    (copy / "bundle.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not a JSON document"):
        edgeeff.verify(resealed(copy))


def test_a_manifest_that_is_no_name_is_refused(copy: Path) -> None:
    edit(copy, lambda it: it["models"][0].__setitem__("manifest", ["x"]))
    with pytest.raises(InputError, match="which the bundle does not have"):
        edgeeff.verify(resealed(copy))


def test_a_model_without_inputs_is_refused_by_its_place(copy: Path) -> None:
    graph = Graph.of((copy / "models/int8.tflite").read_bytes())
    graph.cut(inputs=[], outputs=[graph.output])
    graph._operators = []
    (copy / "models/int8.tflite").write_bytes(graph.content())
    with pytest.raises(InputError, match=r"models/int8\.tflite has these inputs and outputs: "):
        edgeeff.verify(resealed(copy))


class TestTheCommand:
    def run(self, *words: object) -> object:
        with pytest.raises(SystemExit) as left:
            main(["verify", *map(str, words)])
        return left.value.code

    def test_says_good(self, bundled: Bundled, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(bundled.path) == 0
        assert "good: all as it should be" in capsys.readouterr().out

    def test_says_what_is_wrong_with_status_3(self, copy: Path, capsys) -> None:
        answer_of_another_picture(copy)
        assert self.run(resealed(copy), "--json") == 3
        streams = capsys.readouterr()
        assert validated(streams.out)["good"] is False
        assert "FAULT: models/int8.tflite" in streams.err

    def test_steps_are_of_a_cpu(self, bundled: Bundled, capsys) -> None:
        assert self.run(bundled.path, "--target", "gpu", "--steps", 2) == 2
        assert "--steps is for a CPU" in capsys.readouterr().err

    def test_a_damaged_bundle_has_status_2(self, copy: Path, capsys) -> None:
        (copy / "labels.txt").unlink()
        assert self.run(copy) == 2
        assert "missing: labels.txt" in capsys.readouterr().err


def test_a_result_that_is_no_number_is_said_in_json() -> None:
    broken = Difference("out", "cat", 1, 1, None, float("nan"), 1e-4, False)
    assert broken.to_json()["absolute"] is None
