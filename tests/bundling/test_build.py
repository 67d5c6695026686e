"""What an app team receives."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import edgeeff
from edgeeff.benchmarking.measurement import Figure
from edgeeff.bundling import card
from edgeeff.bundling.build import Bundled
from edgeeff.bundling.document import parse
from edgeeff.cli import main
from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.evaluation.inputs import find_labels, find_preprocessing
from edgeeff.pictures import images
from edgeeff.pictures.preprocessing import KERNELS, SQUASH, Preprocessing, of_family
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.metadata import read_metadata
from edgeeff.tflite.metadata_writer import write_metadata
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import Runner, dequantize
from tests.tflite import tiny


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def sample(bundled: Bundled) -> ModuleType:
    """The sample of the bundle, as a module."""
    spec = importlib.util.spec_from_file_location("sample", bundled.path / "samples/classify.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_that_the_samples_cannot_make_are_refused(user_folder: Path, tmp_path: Path):
    model = tmp_path / "whole.tflite"
    model.write_bytes((user_folder / "float32.tflite").read_bytes())
    manifest = read_manifest(user_folder / "float32.tflite")
    squashed = replace(manifest, preprocessing=manifest.preprocessing.resized(SQUASH))
    model.with_suffix(".json").write_text(squashed.document())
    with pytest.raises(InputError, match="--resize squash"):
        edgeeff.bundle([model], tmp_path / "bundle")


class TestABundle:
    def test_says_of_itself_what_its_document_says(self, bundled: Bundled) -> None:
        assert parse((bundled.path / "bundle.json").read_bytes()) == bundled.document

    @pytest.mark.parametrize("name", ["int8", "float32"])
    def test_has_models_that_say_all_by_themselves(self, bundled: Bundled, name: str) -> None:
        model = bundled.path / f"models/{name}.tflite"
        found = read_metadata(read_model(model))
        assert (found.name, found.version, found.author, found.license) == (
            *("tiny", "1.2", "me", "MIT"),
        )
        assert find_labels(model) == tuple(f"thing {number}" for number in range(10))

    @pytest.mark.parametrize("name", ["int8", "float32"])
    def test_has_the_manifest_of_each_model_as_it_is_there(
        self, bundled: Bundled, name: str
    ) -> None:
        manifest = read_manifest(bundled.path / f"models/{name}.tflite")
        assert manifest is not None
        assert manifest.labels[3] == "thing 3"

    @pytest.mark.parametrize("number", [0, 1])
    def test_has_golden_vectors_that_are_the_models_answers(
        self, bundled: Bundled, number: int
    ) -> None:
        model = bundled.document.models[number]
        runner = Runner(bundled.path / model.file)
        info, result = runner.inputs[0], runner.outputs[0]
        (vector,) = model.vectors
        raw = np.frombuffer((bundled.path / vector.input).read_bytes(), info.dtype)
        (answer,) = runner.run(raw.reshape(info.shape))
        stored = np.frombuffer((bundled.path / vector.output).read_bytes(), result.dtype)
        scores = np.frombuffer((bundled.path / vector.scores).read_bytes(), np.float32)
        np.testing.assert_allclose(stored, answer[0], atol=1e-6)
        np.testing.assert_array_equal(scores, dequantize(stored, result))
        assert vector.picture == "coffee.png"

    def test_has_samples_for_phones_browsers_and_python(self, bundled: Bundled) -> None:
        samples = {name for name in contents(bundled.path) if name.startswith("samples/")}
        assert {
            "samples/classify.py",
            "samples/android/Classifier.kt",
            "samples/ios/Classifier.swift",
            "samples/web/index.html",
        } <= samples
        assert not [name for name in samples if "__" in name]

    def test_has_checksums_that_the_usual_tool_checks(self, bundled: Bundled) -> None:
        words = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        subprocess.run(words, cwd=bundled.path, check=True, capture_output=True)
        listed = (bundled.path / "SHA256SUMS").read_text().splitlines()
        assert len(listed) == len(contents(bundled.path)) - 1

    def test_names_on_its_pages_what_was_measured_and_what_was_not(self, bundled: Bundled) -> None:
        page = (bundled.path / "MODEL_CARD.md").read_text()
        assert "MIT" in page
        assert "was calibrated without any real picture" in page
        assert "was not measured" in page
        readme = (bundled.path / "README.md").read_text()
        assert "| CPU | `models/int8.tflite` |" in readme
        assert "| Edge TPU | none in this bundle" in readme


def test_the_same_arguments_give_the_same_bytes_as_folder_and_zip(
    user_folder: Path, tmp_path: Path
) -> None:
    model = [user_folder / "int8.tflite"]
    places = [tmp_path / name for name in ("one", "two", "one.zip", "two.zip")]
    for place in places:
        edgeeff.bundle(model, place)
    assert contents(places[0]) == contents(places[1])
    assert places[2].read_bytes() == places[3].read_bytes()
    with zipfile.ZipFile(places[2]) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == contents(places[0])


def test_a_file_that_says_all_stays_as_it_was_measured(bundled: Bundled, tmp_path: Path) -> None:
    model = bundled.path / "models/int8.tflite"
    again = edgeeff.bundle([model], tmp_path / "again")
    assert (again.path / "models/int8.tflite").read_bytes() == model.read_bytes()
    assert again.document.models[0].sha256 == bundled.document.models[0].sha256


def test_a_file_from_elsewhere_needs_its_metadata_only(tmp_path: Path) -> None:
    made = edgeeff.bundle([tiny.INT8_METADATA], tmp_path / "bundle")
    (model,) = made.document.models
    assert (model.precision, model.manifest) == ("int8", None)
    assert len(model.vectors) == 3
    assert (made.path / "labels.txt").read_text().startswith("class 0\n")
    assert "came without a manifest" in (made.path / "MODEL_CARD.md").read_text()


def test_a_batch_that_is_left_open_becomes_one_picture(bundled: Bundled, tmp_path: Path) -> None:
    source = tmp_path / "open.tflite"
    fixed = (bundled.path / "models/float32.tflite").read_bytes()
    graph = Graph.of(fixed)
    for tensor in (graph.input, graph.output):
        graph.resize(tensor, (-1, *graph.shape(tensor)[1:]))
    how = Preprocessing.from_json(bundled.document.models[1].preprocessing)
    source.write_bytes(write_metadata(graph.content(), how, source=fixed))
    assert read_model(source).inputs[0].shape[0] == -1
    made = edgeeff.bundle([source], tmp_path / "bundle")
    (model,) = made.document.models
    assert (model.input["shape"], model.output["shape"]) == ([1, 32, 32, 3], [1, 10])
    assert (made.path / "labels.txt").read_text().startswith("thing 0\n")
    assert edgeeff.verify(made.path).good


def test_a_name_that_two_classes_have_is_a_note(user_folder: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join("abcdefghia"))
    made = edgeeff.bundle([user_folder / "int8.tflite"], tmp_path / "bundle", labels=labels)
    assert any("calls two classes 'a' (lines 1 and 10)" in note for note in made.notes)


class TestRefusals:
    def test_a_model_that_says_no_preprocessing(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not say how its pictures") as raised:
            edgeeff.bundle([tiny.FLOAT32], tmp_path / "bundle")
        assert "edgeeff quantize" in raised.value.hint

    def test_labels_of_another_network(self, user_folder: Path, tmp_path: Path) -> None:
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghijk"))
        with pytest.raises(InputError, match=r"labels\.txt: 11 class names for a model"):
            edgeeff.bundle([user_folder / "int8.tflite"], tmp_path / "bundle", labels=labels)
        assert not (tmp_path / "bundle").exists()

    @pytest.mark.slow
    def test_models_of_two_networks(self, bundled: Bundled, lite0_float: Path, tmp_path) -> None:
        other = tmp_path / "other.tflite"
        how = of_family("lite", 224)
        other.write_bytes(write_metadata(lite0_float.read_bytes(), how))
        with pytest.raises(InputError, match=r"10 classes, other\.tflite 1000"):
            edgeeff.bundle([bundled.path / "models/float32.tflite", other], tmp_path / "bundle")

    def test_two_files_of_one_name(self, user_folder: Path, tmp_path: Path) -> None:
        model = user_folder / "int8.tflite"
        with pytest.raises(UsageError, match=r"two files are called int8\.tflite"):
            edgeeff.bundle([model, model], tmp_path / "bundle")

    def test_two_networks_of_one_shape(self, bundled: Bundled, tmp_path: Path) -> None:
        model = bundled.path / "models/float32.tflite"
        graph = Graph.of(model.read_bytes())
        last = [operator for operator in graph.operators if operator.weighted][-1]
        graph.set_weights(last, np.roll(graph.weights(last), 3, axis=0))
        graph.set_bias(last, np.roll(graph.bias(last), 3))
        other = tmp_path / "other.tflite"
        labels = find_labels(model)
        other.write_bytes(write_metadata(graph.content(), find_preprocessing(model), labels=labels))
        with pytest.raises(InputError, match="answer the same pictures like two networks"):
            edgeeff.bundle([bundled.path / "models/int8.tflite", other], tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()

    def test_files_that_name_their_classes_otherwise(
        self, bundled: Bundled, labels: Path, tmp_path: Path
    ) -> None:
        names = labels.read_text().split("\n")[:-1]
        (tmp_path / "labels.txt").write_text("\n".join(["another", *names[1:]]))
        edgeeff.bundle(
            [bundled.path / "models/float32.tflite"],
            tmp_path / "one",
            labels=tmp_path / "labels.txt",
        )
        models = [bundled.path / "models/int8.tflite", tmp_path / "one/models/float32.tflite"]
        with pytest.raises(InputError, match=r"has a class 'thing 0' where .* has 'another'"):
            edgeeff.bundle(models, tmp_path / "bundle")

    @pytest.mark.parametrize("text", ["1\n# big", "\x1b[31m", "a\u2028b"])
    def test_texts_of_several_lines(self, user_folder: Path, tmp_path: Path, text: str) -> None:
        with pytest.raises(UsageError, match="--version is not one line of text"):
            edgeeff.bundle(
                [user_folder / "int8.tflite"],
                tmp_path / "bundle",
                texts=edgeeff.Texts("tiny", version=text),
            )

    def test_a_folder_with_files_of_others_even_with_force(
        self, user_folder: Path, tmp_path: Path
    ) -> None:
        model = [user_folder / "int8.tflite"]
        edgeeff.bundle(model, tmp_path / "bundle")
        (tmp_path / "bundle/notes.txt").write_text("mine")
        with pytest.raises(OutputError, match=r"not of the bundle: notes\.txt"):
            edgeeff.bundle(model, tmp_path / "bundle", force=True)
        assert (tmp_path / "bundle/notes.txt").exists()

    def test_a_folder_that_is_no_bundle_even_with_force(self, user_folder: Path, tmp_path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/thesis.txt").write_text("years of work")
        with pytest.raises(OutputError, match="is not a bundle"):
            edgeeff.bundle([user_folder / "int8.tflite"], tmp_path / "mine", force=True)
        assert (tmp_path / "mine/thesis.txt").exists()

    def test_a_bundle_that_is_there_unless_forced(self, user_folder: Path, tmp_path) -> None:
        model = [user_folder / "int8.tflite"]
        edgeeff.bundle(model, tmp_path / "bundle")
        with pytest.raises(OutputError, match="exists already"):
            edgeeff.bundle(model, tmp_path / "bundle")
        assert edgeeff.bundle(model, tmp_path / "bundle", force=True).path.is_dir()


def test_a_model_that_was_measured_as_ruined_is_said_to_be(user_folder, tmp_path: Path) -> None:
    model = tmp_path / "int8.tflite"
    model.write_bytes((user_folder / "int8.tflite").read_bytes())
    manifest = read_manifest(user_folder / "int8.tflite")
    verdict = {"good": False, "faults": ["SQNR is 3 dB"], "try": "int8-mixed"}
    model.with_suffix(".json").write_text(replace(manifest, verdict=verdict).document())
    made = edgeeff.bundle([model], tmp_path / "bundle")
    assert any("RUINED" in note and "3 dB" in note for note in made.notes)
    for page in ("README.md", "MODEL_CARD.md"):
        assert "RUINED" in (made.path / page).read_text()


def test_what_people_write_stays_text_on_the_pages(user_folder: Path, tmp_path: Path) -> None:
    texts = edgeeff.Texts("tiny", author="a|b <script>", license="*any*")
    made = edgeeff.bundle([user_folder / "int8.tflite"], tmp_path / "bundle", texts=texts)
    card = (made.path / "MODEL_CARD.md").read_text()
    assert r"| author | a\|b \<script\> |" in card
    assert r"| licence | \*any\* |" in card


def test_what_a_manifest_says_stays_text_on_the_pages(user_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "int8.tflite"
    shutil.copy(user_folder / "int8.tflite", model)
    manifest = read_manifest(user_folder / "int8.tflite")
    verdict = {"good": False, "faults": ["<script> | **bad**"], "try": None}
    calibration = {**manifest.calibration, "source": "/home/me/my|photos"}
    changed = replace(manifest, verdict=verdict, calibration=calibration)
    model.with_suffix(".json").write_text(changed.document())
    made = edgeeff.bundle([model], tmp_path / "bundle")
    card = (made.path / "MODEL_CARD.md").read_text()
    assert r"\<script\> \| \*\*bad\*\*" in card
    assert r"pictures, my\|photos |" in card
    assert "/home/me" not in card


def test_latencies_of_hardware_fill_the_table_of_chips(bundled: Bundled) -> None:
    figure = Figure("int8", "", "cpu", "local", "hardware", "LiteRT", 1, 4.5, (4.4, 4.6), {})
    table = card.chip_table([card.Described(bundled.document.models[0], 10, None, (figure,))])
    assert "4.50 ms (4.40 to 4.60; cpu of local, LiteRT, threads: 1)" in table
    npu = next(line for line in table.splitlines() if "NPU that computes in integers" in line)
    assert "4.50" not in npu


def test_weights_of_8_bits_alone_are_for_a_processor(bundled: Bundled) -> None:
    model = replace(bundled.document.models[0], precision="weight-only")
    table = card.chip_table([card.Described(model, 10, None)])
    assert "| CPU | `models/int8.tflite` |" in table


@pytest.mark.parametrize("precision", ["int8", "float16", "weight-only"])
def test_a_bundle_is_called_as_its_network(precision: str, user_folder: Path, tmp_path) -> None:
    model = tmp_path / f"my-net-{precision}.tflite"
    shutil.copy(user_folder / "int8.tflite", model)
    assert edgeeff.bundle([model], tmp_path / "bundle").document.name == "my-net"


class TestTheSample:
    def test_checks_the_golden_vectors(self, bundled: Bundled) -> None:
        assert self.run(bundled, "--check").strip() == "coffee.png: equal"

    @pytest.mark.parametrize("name", ["int8.tflite", "float32.tflite"])
    def test_ends_with_a_status_where_an_answer_is_wrong(
        self, bundled: Bundled, tmp_path: Path, name: str
    ) -> None:
        changed = tmp_path / "bundle"
        shutil.copytree(bundled.path, changed)
        models = {Path(model.file).name: model for model in bundled.document.models}
        golden = changed / models[name].vectors[0].output
        golden.write_bytes(golden.read_bytes()[::-1])
        done = self.started(changed, "--model", name, "--check")
        assert done.returncode == 1
        assert "coffee.png: off by " in done.stdout
        assert done.stderr.endswith("answers are not those of the bundle\n")

    def test_names_the_models_that_there_are(self, bundled: Bundled) -> None:
        done = self.started(bundled.path, "--model", "int4.tflite", "--check")
        assert done.returncode == 2
        assert "int4.tflite is not a file in models/, which has int8.tflite" in done.stderr

    @pytest.mark.parametrize("name", ["int8.tflite", "float32.tflite"])
    def test_names_the_class_that_edgeeff_names(
        self, bundled: Bundled, photographs, tmp_path: Path, name: str
    ) -> None:
        photo = tmp_path / "photo.png"
        photographs["chelsea"].save(photo)
        found = edgeeff.evaluate(
            bundled.path / "models" / name, edgeeff.read_images(photo), top=5
        ).predictions[0]
        said = self.run(bundled, "--model", name, str(photo)).splitlines()[1:]
        assert [line.split("  ")[-1] for line in said] == [f"thing {n}" for n in found.classes]

    @pytest.mark.parametrize("interpolation", [key for key in KERNELS if key != SQUASH])
    @pytest.mark.parametrize("crop", [1.0, 0.875])
    def test_prepares_pictures_to_the_byte(
        self, sample: ModuleType, photographs, interpolation: str, crop: float
    ) -> None:
        how = Preprocessing(97, (0.0,) * 3, (1.0,) * 3, interpolation, crop)
        for picture in (photographs["chelsea"], photographs["rocket"]):
            expected = how.pixels(picture)
            np.testing.assert_array_equal(sample.square(picture, how.to_json()), expected)

    @pytest.mark.parametrize("mode", ["I;16", "L", "P", "RGBA"])
    def test_takes_every_kind_of_picture_as_edgeeff_does(
        self, sample: ModuleType, photographs, mode: str
    ) -> None:
        how = Preprocessing(97, (0.0,) * 3, (1.0,) * 3, "bilinear", 1.0)
        picture = photographs["chelsea"].convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 256 + 7)
        if mode == "RGBA":
            picture.putalpha(photographs["chelsea"].convert("L"))
        expected = how.pixels(images.rgb(picture))
        np.testing.assert_array_equal(sample.square(picture, how.to_json()), expected)

    def test_turns_a_picture_upright(self, sample: ModuleType, photographs) -> None:
        how = Preprocessing(32, (0.0,) * 3, (1.0,) * 3, "bilinear", 1.0).to_json()
        picture = photographs["chelsea"]
        turned = picture.transpose(Image.Transpose.ROTATE_90)
        turned.getexif()[274] = 6
        np.testing.assert_array_equal(sample.square(turned, how), sample.square(picture, how))

    @staticmethod
    def started(bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "samples/classify.py", *words]
        return subprocess.run(command, cwd=bundle, capture_output=True, text=True)

    def run(self, bundled: Bundled, *words: str) -> str:
        done = self.started(bundled.path, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.clock
def test_a_bundle_of_b0_takes_less_than_three_seconds(b0_float: Path, tmp_path: Path) -> None:
    source = tmp_path / "b0-float32.tflite"
    how = of_family("imagenet", 224)
    source.write_bytes(write_metadata(b0_float.read_bytes(), how))
    words = ["bundle", str(source), "--output", f"{tmp_path}/b0", "--quiet"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "edgeeff", *words], check=True)
    assert time.perf_counter() - start < 3


def test_the_command_prints_the_document(user_folder: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bundle", str(user_folder / "int8.tflite"), "--output", f"{tmp_path}/b", "--json"])
    assert left.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "b/bundle.json").read_text())
