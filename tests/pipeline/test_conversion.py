import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeeff import files
from edgeeff.architectures.variants import find_variant
from edgeeff.cli import main
from edgeeff.errors import EdgeeffError, InputError, OutputError, UsageError
from edgeeff.evaluation.gate import AccuracyGateFailed, Limits
from edgeeff.evaluation.inputs import find_labels, find_preprocessing
from edgeeff.pictures.imagenet import imagenet_labels
from edgeeff.pictures.preprocessing import from_options, of_family
from edgeeff.pipeline import conversion, policy
from edgeeff.quantization.calibration.pictures import HELD_OUT, synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.manifest import describe, parse_manifest, path_of, read_manifest, write_model
from edgeeff.tflite.metadata import read_labels, read_metadata
from edgeeff.tflite.metadata_writer import Texts, write_metadata
from edgeeff.tflite.reader import read_model
from tests.commands import run
from tests.waiting import wait_until

LADDER = policy.choice(policy.expected_of(find_variant("lite0"))).ladder


def edgeeff(*words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edgeeff", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        pixels = random.integers(0, 255, (48, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def quantize(source: Path, output: Path, **settings) -> conversion.Conversion:
    settings = {"recipe": "int8", **settings}
    return conversion.quantize(source, conversion.Settings(output=output, **settings))


@pytest.fixture(scope="module")
def source(tiny_float: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network with the manifest that `convert` would leave beside it."""
    copy = tmp_path_factory.mktemp("source") / "tiny-float32.tflite"
    copy.write_bytes(tiny_float.read_bytes())
    manifest = describe(
        copy.name,
        copy.read_bytes(),
        "float32",
        FloatModel(copy.read_bytes(), of_family("imagenet", 32)),
    )
    path_of(copy).write_text(manifest.document())
    return copy


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> conversion.Conversion:
    """The tiny network in int8, as nothing but its file asks for."""
    return quantize(source, tmp_path_factory.mktemp("made"))


def test_quantize_makes_an_integer_only_file_that_takes_bytes(made):
    model = read_model(made.model)
    assert model.integer_only
    assert (model.inputs[0].dtype, model.outputs[0].dtype) == ("uint8", "uint8")
    assert (model.inputs[0].scales[0], model.inputs[0].zero_points[0]) == (1.0, 0)


def test_the_manifest_says_what_the_file_is(made):
    manifest = read_manifest(made.model)
    assert manifest is not None
    assert manifest.sha256 == files.sha256(made.model)
    assert manifest.integer_only
    assert manifest.recipe is not None
    assert manifest.recipe["name"] == "int8"
    assert manifest.calibration is not None
    assert manifest.calibration["source"] == "synthetic"
    assert manifest.fidelity is not None
    assert manifest.fidelity["images"] == HELD_OUT


@pytest.mark.slow
def test_without_a_recipe_the_network_itself_chooses_one(source, tmp_path):
    made = quantize(source, tmp_path, recipe=None)
    assert made.manifest.recipe is not None
    assert made.manifest.recipe["name"] == "int8-swish"


def test_the_seed_in_the_manifest_is_the_one_that_was_used(source, tmp_path):
    assert quantize(source, tmp_path, recipe="int8-plain", seed=7).manifest.seed == 7


def test_what_the_source_said_of_its_network_goes_with_it(source, tmp_path):
    """Weights, labels and variant are the float file's, whatever is made of it."""
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    network = FloatModel(
        copy.read_bytes(),
        of_family("imagenet", 32),
        "tiny",
        Provenance("tiny.h5", "0" * 64, True, ("a note",)),
        tuple("abcdefghij"),
    )
    path_of(copy).write_text(describe(copy.name, copy.read_bytes(), "float32", network).document())
    manifest = quantize(copy, tmp_path / "out", recipe="dynamic").manifest
    assert manifest.variant == "tiny"
    assert manifest.weights == network.weights
    assert manifest.labels == list("abcdefghij")


def test_a_manifest_of_another_file_is_refused(made, tmp_path):
    model = tmp_path / made.model.name
    shutil.copy(path_of(made.model), path_of(model))
    model.write_bytes(made.model.read_bytes() + b"\0")
    with pytest.raises(InputError, match="describes another file") as refused:
        read_manifest(model)
    assert "make it again with --force" in refused.value.hint


@pytest.mark.slow
def test_the_same_command_twice_gives_the_same_bytes(source, tmp_path):
    first = quantize(source, tmp_path / "a").manifest.sha256
    assert quantize(source, tmp_path / "b").manifest.sha256 == first


KILLED_BETWEEN = """
import os, pathlib, signal, sys
from edgeeff import cli

rename = pathlib.Path.replace

def killed(path, target):
    rename(path, target)
    if target.name == "tiny-int8.json":
        os.kill(os.getpid(), signal.SIGKILL)

pathlib.Path.replace = killed
cli.main(sys.argv[1:])
"""


def test_the_next_reader_ends_what_a_kill_between_manifest_and_model_left(source, made, tmp_path):
    old = tmp_path / made.model.name
    old.write_bytes(made.model.read_bytes() + b"\0")
    shutil.copy(path_of(made.model), path_of(old))
    words = ["quantize", source, "--output", tmp_path, "--recipe", "int8-plain", "--force"]
    ended = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, *words], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert files.sha256(old) != parse_manifest(path_of(old)).sha256
    assert read_manifest(old) == parse_manifest(path_of(old))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny-int8.json",
        "tiny-int8.tflite",
    ]


def test_a_manifest_that_cannot_be_written_loses_nothing(made, tmp_path):
    model, manifest = tmp_path / "model.tflite", tmp_path / "model.json"
    write_model(model, b"old", made.manifest, force=False)
    before = manifest.read_bytes()
    odd = replace(made.manifest, fidelity={"sqnr_db": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        write_model(model, b"new", odd, force=True)
    assert (model.read_bytes(), manifest.read_bytes()) == (b"old", before)


@pytest.mark.slow
def test_a_preprocessing_that_cannot_be_is_told_with_its_file(made, tmp_path):
    path = tmp_path / "huge.json"
    document = json.loads(made.manifest.document())
    document["preprocessing"]["resolution"] = 60_000
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"huge\.json: a resolution of 60000 pixels"):
        parse_manifest(path)


def test_a_file_that_is_not_ours_at_the_place_of_the_manifest_is_not_touched(source, tmp_path):
    mine = tmp_path / "tiny-int8.json"
    mine.write_text('{"mine": true}')
    with pytest.raises(OutputError, match="not a manifest"):
        quantize(source, tmp_path)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(mine, '{"mine": true}')]
    assert read_manifest(quantize(source, tmp_path, force=True).model) is not None


@pytest.mark.slow
def test_a_manifest_without_its_model_is_replaced(source, made, tmp_path):
    shutil.copy(path_of(made.model), tmp_path / "tiny-int8.json")
    assert read_manifest(quantize(source, tmp_path).model) is not None


def test_a_folder_at_the_place_of_the_manifest_is_told_of_before_the_work(source, tmp_path):
    (tmp_path / "tiny-int8.json").mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        quantize(source, tmp_path, force=True)
    assert not (tmp_path / "tiny-int8.tflite").exists()


@pytest.mark.parametrize("name", ["int8", "float32", "untrained-float32"])
def test_convert_looks_for_foreign_files_before_the_work(name, tmp_path):
    mine = tmp_path / f"efficientnet-lite0-{name}.json"
    mine.write_text("{}")
    with pytest.raises(OutputError, match="not a manifest"):
        conversion.convert("lite0", conversion.Settings(output=tmp_path))
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.slow
def test_an_existing_file_is_not_touched_without_force(source, tmp_path):
    made = quantize(source, tmp_path / "out")
    before = made.model.stat().st_mtime_ns
    with pytest.raises(OutputError, match="exists already"):
        quantize(source, tmp_path / "out")
    assert made.model.stat().st_mtime_ns == before
    quantize(source, tmp_path / "out", force=True)


def test_pictures_of_the_user_calibrate_and_are_listed(source, tmp_path, pictures):
    made = quantize(source, tmp_path / "out", calibration=pictures)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["count"] == 4
    assert len(made.manifest.calibration["pictures"]) == 4


def test_one_corrupt_picture_is_skipped_and_said(source, tmp_path, pictures):
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    made = quantize(source, tmp_path / "out", calibration=pictures)
    assert any("skipped" in note and "broken.png" in note for note in made.notes)


def test_an_empty_calibration_folder_is_an_error(source, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        quantize(source, tmp_path / "out", calibration=tmp_path / "empty")


def test_a_quantized_model_is_refused(made, tmp_path):
    with pytest.raises(InputError, match="quantized already"):
        quantize(made.model, tmp_path / "again")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("bo", {}, "unknown variant"),
        ("lite0", {"recipe": "int9"}, "unknown recipe"),
        ("lite0", {"weights": "missing.h5"}, "missing.h5: no such weight file"),
    ],
)
def test_wrong_names_are_one_clear_error(name, settings, words, tmp_path):
    with pytest.raises(EdgeeffError, match=words):
        conversion.convert(name, conversion.Settings(output=tmp_path, **settings))


def test_labels_of_another_count_are_refused_before_any_work(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"class {i}" for i in range(999)))
    with pytest.raises(InputError, match="999 names"):
        conversion.convert("lite0", conversion.Settings(labels=labels, output=tmp_path / "out"))


def test_an_output_that_is_a_file_is_one_clear_error(source, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        quantize(source, blocked / "out")


@pytest.mark.slow
def test_a_file_size_limit_leaves_nothing_behind(source, tmp_path):
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    output = tmp_path / "out"
    done = edgeeff("quantize", str(source), "--output", str(output), preexec_fn=limit)
    assert done.returncode == 2, done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert not list(output.glob("*.tflite"))
    assert not list(output.glob(".*"))


def test_contradicting_precisions_are_refused():
    done = edgeeff("convert", "--variant", "b0", "--int8", "--dynamic", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["schema"] == "edgeeff.error/1"


def test_a_dry_run_writes_nothing(tmp_path):
    done = edgeeff("convert", "--variant", "b0", "--dry-run", "--json", "--output", str(tmp_path))
    assert json.loads(done.stdout)["recipe"] == "int8-swish"
    assert not list(tmp_path.iterdir())


def test_a_dry_run_calibrates_nothing_where_no_ranges_are_needed(tmp_path, capsys):
    words = ("--variant", "b0", "--float16", "--dry-run", "--json", "--output", tmp_path)
    assert run("convert", *words) == 0
    assert json.loads(capsys.readouterr().out)["calibration"] == "not needed"


@pytest.mark.parametrize(("weights", "mark"), [("imagenet", ""), ("none", "-untrained")])
def test_a_dry_run_names_the_file_that_would_be_written(weights, mark, tmp_path):
    settings = conversion.Settings(weights=weights, output=tmp_path)
    assert conversion.prepare("b0", settings).model.name == f"efficientnet-b0{mark}-int8.tflite"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "taken"], "exists already"),
        (["--output", "file"], "is a file"),
        (["--output", "file/below"], "is a file"),
        (["--labels", "absent.txt"], "cannot read absent.txt"),
        (["--labels", "file"], "1 names, the network 1000 classes"),
        (["--eval-data", "absent"], "no folder or file absent"),
        (["--calibration", "empty"], "no pictures in empty"),
        (["--max-drop", "1"], "--max-drop needs labelled pictures"),
        (["--weights", "absent.h5"], "absent.h5: no such weight file"),
        (["--weights", "/dev/zero"], "/dev/zero is not a regular file"),
        (["--batch", "100000"], "--batch 100000"),
        (["--int8", "--recipe", "float16"], "recipe float16 gives float16, not int8"),
        (["--float32", "--input-type", "uint8"], "their input and output are float32"),
        (["--qat", "--weights", "none"], "an untrained network has no answers to keep"),
        (["--allow-code"], "--allow-code goes with --model"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_a_dry_run_refuses_what_would_fail(words, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "efficientnet-b0-int8.tflite").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("cat\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["convert", "--variant", "b0", "--dry-run", *words])
    assert left.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "taken"]


def test_bytes_into_a_float_network_are_refused(source, tmp_path):
    settings = conversion.Settings(recipe="dynamic", output=tmp_path / "out", input_type="uint8")
    with pytest.raises(UsageError, match="float32"):
        conversion.quantize(source, settings)


def test_few_pictures_are_said_not_to_be_enough(source, tmp_path, pictures):
    made = quantize(source, tmp_path / "out", calibration=pictures)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["coverage"]["enough"] is False
    assert "the calibration pictures are not enough: only 4; give about 20" in made.notes


def test_made_up_pictures_are_not_judged(made):
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["coverage"] is None
    assert made.notes == ()


@pytest.mark.slow
def test_a_gate_that_is_reached_says_what_was_tried(source, tmp_path):
    made = quantize(source, tmp_path / "out", limits=Limits(min_sqnr=-100.0))
    assert made.manifest.tried is not None
    assert [trial["failed"] for trial in made.manifest.tried] == [()]


@pytest.mark.slow
def test_a_gate_that_is_missed_keeps_the_best_and_exits_3(source, tmp_path):
    output = tmp_path / "out"
    done = edgeeff("quantize", str(source), "--output", str(output), "--min-sqnr", "200")
    assert done.returncode == 3
    assert "no recipe reaches the limits" in done.stderr
    (model,) = output.glob("*.tflite")
    manifest = read_manifest(model)
    assert manifest is not None
    assert manifest.tried is not None


@pytest.mark.parametrize("given", [True, False], ids=["without labels", "not given"])
def test_a_limit_on_accuracy_needs_labels(source, tmp_path, pictures, given):
    limits, data = Limits(max_drop=0.5), pictures if given else None
    with pytest.raises(UsageError, match="labelled pictures"):
        quantize(source, tmp_path / "out", limits=limits, eval_data=data)


def test_missing_evaluation_pictures_are_told_of_before_any_work(tmp_path):
    settings = conversion.Settings(output=tmp_path / "out", eval_data=tmp_path / "nothing")
    with pytest.raises(InputError, match="nothing"):
        conversion.convert("lite0", settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_gate_climbs_from_cheap_to_costly_recipes(tmp_path):
    settings = conversion.Settings(output=tmp_path, limits=Limits(min_sqnr=200.0))
    with pytest.raises(AccuracyGateFailed) as failed:
        conversion.convert("lite0", settings)
    assert tuple(trial.recipe for trial in failed.value.trials) == LADDER
    assert (tmp_path / "efficientnet-lite0-int8.tflite").exists()


@pytest.mark.slow
def test_the_gate_climbs_no_further_where_pictures_are_too_few_for_any_recipe(tmp_path, pictures):
    """Noise labelled at random: float and int8 are wrong alike, and four pictures prove nothing."""
    listed = tmp_path / "labelled.csv"
    listed.write_text("".join(f"{path},0\n" for path in sorted(pictures.glob("*.png"))))
    settings = conversion.Settings(
        output=tmp_path / "out", limits=Limits(max_drop=0.5), eval_data=listed
    )
    with pytest.raises(AccuracyGateFailed, match="4 pictures prove no drop") as failed:
        conversion.convert("lite0", settings)
    assert [trial.recipe for trial in failed.value.trials] == [LADDER[0]]
    assert (tmp_path / "out" / "efficientnet-lite0-int8.tflite").exists()


def of_keras(weights, *, classes, output):
    """Settings for the float file of small pictures from a file of Keras."""
    return conversion.Settings(
        precision="float32", weights=str(weights), classes=classes, resolution=32, output=output
    )


@pytest.mark.slow
def test_weights_trained_on_whole_pictures_are_not_fed_cropped_ones(tmp_path):
    import tf_keras

    network = tf_keras.applications.EfficientNetB0(weights=None, classes=3, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "own.weights.h5")
    settings = of_keras(tmp_path / "own.weights.h5", classes=3, output=tmp_path)
    made = conversion.convert("b0", settings)
    assert made.manifest.preprocessing.crop == 1
    assert made.manifest.preprocessing.mean == (0, 0, 0)
    assert any("--resize" in note for note in made.notes)
    cropped = conversion.convert("b0", replace(settings, resize="bilinear:0.9", force=True))
    assert cropped.manifest.preprocessing.crop == 0.9


@pytest.mark.slow
def test_weights_whose_network_answers_1_to_every_picture_are_refused(tmp_path):
    """Keras ends a network in a softmax unless it is told otherwise, also one of a single class."""
    import tf_keras

    network = tf_keras.applications.EfficientNetB0(weights=None, classes=1, input_shape=(32, 32, 3))
    network.save(tmp_path / "one.keras")
    out = tmp_path / "out"
    settings = of_keras(tmp_path / "one.keras", classes=1, output=out)
    with pytest.raises(InputError, match="a softmax of one value"):
        conversion.convert("b0", settings)
    assert not out.exists()


@pytest.mark.slow
def test_an_interrupted_conversion_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-m", "edgeeff", "convert", "--variant", "lite0"]
    child = subprocess.Popen(
        [*command, "--output", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: child.poll() is not None or list(tmp_path.glob("*float32.json")),
        "the float32 file is written",
        seconds=300,
    )
    child.send_signal(signal.SIGINT)
    _, words = child.communicate(timeout=60)
    assert child.returncode == 130, words
    assert "interrupted" in words
    assert not list(tmp_path.glob("*int8*"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["b0", "b3", "lite0", "lite4", "edgetpu-s"])
def test_every_family_becomes_integer_only(variant, tmp_path):
    settings = conversion.Settings(
        weights="none", resolution=64, calibration_count=4, output=tmp_path
    )
    made = conversion.convert(variant, settings)
    assert made.manifest.integer_only
    assert "-untrained" in made.model.name
    assert made.manifest.input["dtype"] == "uint8"
    held = policy.held_by(float_graph(made.reference.read_bytes()))
    assert held == policy.expected_of(find_variant(variant))


@pytest.mark.slow
def test_a_float_file_that_was_changed_since_its_export_is_told_of(source, tmp_path):
    graph = float_graph(source.read_bytes())
    layer = next(operator for operator in graph.operators if operator.weighted)
    graph.set_weights(layer, graph.weights(layer) * np.float32(1.01))
    changed = tmp_path / "changed.tflite"
    changed.write_bytes(graph.content())
    settings = conversion.Settings(output=tmp_path / "out", calibration_count=4)
    made = conversion.quantize(changed, settings, of_family("imagenet", 32))
    assert any("was changed since edgeeff exported it" in note for note in made.notes)


class TestWhatTheSourceSaysOfItself:
    LABELS = tuple(f"kind {number}" for number in range(10))

    @pytest.fixture
    def described(self, source: Path, tmp_path: Path) -> Path:
        """The tiny network with metadata and labels, and no manifest."""
        how = of_family("imagenet", 32)
        texts = Texts("ten things", author="me", license="MIT")
        content = write_metadata(source.read_bytes(), how, labels=self.LABELS, texts=texts)
        path = tmp_path / "described.tflite"
        path.write_bytes(content)
        return path

    @pytest.mark.parametrize("recipe", ["int8-plain", "dynamic"])
    def test_is_said_by_the_quantized_file(self, described, tmp_path, recipe):
        made = quantize(described, tmp_path / "out", recipe=recipe)
        found = read_metadata(read_model(made.model))
        assert (found.name, found.author, found.license) == ("ten things", "me", "MIT")
        assert read_labels(made.model, found.outputs[0]) == self.LABELS
        assert tuple(made.manifest.labels) == self.LABELS

    @pytest.mark.slow
    def test_serves_without_a_manifest_as_with_one(self, described, source, tmp_path):
        with_manifest = quantize(source, tmp_path / "one", recipe="int8-plain")
        without = quantize(described, tmp_path / "two", recipe="int8-plain")
        assert without.manifest.preprocessing == with_manifest.manifest.preprocessing
        path_of(without.model).unlink()
        assert find_preprocessing(without.model) == without.manifest.preprocessing
        assert find_labels(without.model) == self.LABELS

    def test_other_labels_replace_its_own(self, described, tmp_path):
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghij"))
        made = quantize(described, tmp_path / "out", recipe="dynamic", labels=labels)
        assert made.manifest.labels == list("abcdefghij")
        assert find_labels(made.model) == tuple("abcdefghij")

    def test_labels_for_another_network_are_refused(self, described, tmp_path):
        labels = tmp_path / "labels.txt"
        labels.write_text("\n".join("abcdefghijk"))
        with pytest.raises(InputError, match="11 classes, the model has 10") as raised:
            quantize(described, tmp_path / "out", recipe="dynamic", labels=labels)
        assert "background" in raised.value.hint
        assert not (tmp_path / "out").exists()

    def test_a_label_file_that_is_gone_is_refused(self, described, tmp_path):
        content = described.read_bytes()
        described.write_bytes(content[: content.rindex(b"PK\x03\x04")])
        with pytest.raises(InputError, match=r"carries no file 'labels\.txt'"):
            quantize(described, tmp_path / "out", recipe="dynamic")


@pytest.mark.slow
def test_imagenet_weights_bring_the_names_of_imagenet(tmp_path):
    settings = conversion.Settings(precision="float16", output=tmp_path)
    made = conversion.convert("lite0", settings)
    for path in (made.model, made.reference):
        assert find_labels(path) == imagenet_labels(1000)


def own_network(classes=3):
    """A user's network of tf_keras that takes pixels as they are."""
    import tf_keras

    layers = tf_keras.layers
    image = tf_keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, 2, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return tf_keras.Model(image, x, name="flowers")


def test_a_model_in_memory_becomes_a_file_that_takes_bytes(tmp_path):
    made = conversion.convert_model(own_network(), conversion.Settings(output=tmp_path))
    assert made.model.name == "flowers-int8.tflite"
    assert read_model(made.model).integer_only
    manifest = read_manifest(made.model)
    assert manifest is not None
    assert manifest.weights is not None
    assert manifest.weights.difference is not None
    assert manifest.weights.difference < 1e-4
    assert (manifest.preprocessing.mean, manifest.preprocessing.std) == ((0, 0, 0), (1, 1, 1))


def test_a_model_that_answers_1_to_every_picture_is_refused_with_logits_too(tmp_path):
    """Nothing trained the logit: whatever it was, the answer was 1."""
    settings = conversion.Settings(output=tmp_path, precision="float32", logits=True)
    with pytest.raises(InputError, match="a softmax of one value"):
        conversion.convert_model(own_network(classes=1), settings)
    assert not list(tmp_path.glob("*.tflite"))


def test_a_model_s_file_gives_the_float_file_that_quantize_takes(tmp_path):
    own_network().save(tmp_path / "flowers.keras")
    settings = conversion.Settings(output=tmp_path, precision="float32", logits=True)
    made = conversion.convert_model(tmp_path / "flowers.keras", settings)
    assert made.model.name == "flowers-float32.tflite"
    assert "SOFTMAX" not in made.manifest.operators
    assert quantize(made.model, tmp_path / "out", recipe=None).manifest.integer_only


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "mine.h5"}, "--weights goes with --variant"),
        ({"classes": 4}, "--classes goes with --variant"),
        ({"resolution": 64}, "takes 32 x 32 pixels"),
        ({"mean": "0"}, "go together"),
        ({"batch": 0}, "--batch 0"),
    ],
)
def test_options_that_contradict_a_model_are_refused(changes, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        conversion.convert_model(own_network(), conversion.Settings(output=tmp_path, **changes))


def test_labels_of_another_number_than_a_model_s_classes_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("rose\ntulip\n")
    settings = conversion.Settings(output=tmp_path, labels=tmp_path / "labels.txt")
    with pytest.raises(InputError, match=": 2 classes, the model has 3"):
        conversion.convert_model(own_network(), settings)


@pytest.mark.parametrize(("std", "remarked"), [("255", False), ("1", True)])
def test_pictures_that_batchnorm_did_not_see_in_training_are_remarked(std, remarked, tmp_path):
    import tf_keras

    layers = tf_keras.layers
    image = tf_keras.Input((32, 32, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(8, 3, use_bias=False)(image))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    model = tf_keras.Model(image, layers.Dense(3, activation="softmax")(x))
    model.get_layer("bn").momentum = 0.0
    pictures = synthetic_set(16, of_family("imagenet", 32)).pictures
    model(pictures.astype(np.float32) / 255, training=True)
    settings = conversion.Settings(output=tmp_path, mean="0", std=std, recipe="int8-bias")
    made = conversion.convert_model(model, settings)
    assert made.manifest.calibration is not None
    assert made.manifest.calibration["batchnorm"]
    assert any("times as far as BatchNorm" in note for note in made.notes) == remarked


def test_a_model_scaled_twice_is_said(tmp_path):
    settings = conversion.Settings(output=tmp_path, mean="127.5", std="127.5", precision="float32")
    made = conversion.convert_model(own_network(), settings)
    assert any("scaled twice" in note for note in made.notes)


def test_an_open_batch_is_fixed_and_said(tiny_float, tmp_path):
    graph = Graph.of(tiny_float.read_bytes())
    graph.resize(graph.input, (-1, *graph.shape(graph.input)[1:]))
    (tmp_path / "open.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "open.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        of_family("imagenet", 32),
    )
    assert made.manifest.integer_only
    assert made.manifest.input["shape"][0] == 1
    assert "open.tflite leaves its batch open: it is fixed at 1" in made.notes


def test_operators_that_stay_in_float_are_listed(tmp_path):
    graph = Graph.empty()
    image = graph.add_tensor("image", (1, 32, 32, 3))
    kernel = graph.add_constant("kernel", np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3))
    bias = graph.add_constant("bias", np.zeros(3, np.float32))
    conv, absolute = (graph.add_tensor(name, (1, 32, 32, 3)) for name in ("conv", "absolute"))
    axes = graph.add_constant("axes", np.array([1, 2], np.int32))
    mean = graph.add_tensor("mean", (1, 3))
    options = {"stride_w": 1, "stride_h": 1, "padding": "SAME"}
    graph.add_operator("CONV_2D", [image, kernel, bias], [conv], options)
    graph.add_operator("ABS", [conv], [absolute])
    graph.add_operator("MEAN", [absolute, axes], [mean])
    graph.cut(inputs=[image], outputs=[mean])
    graph.sign("serving_default", {"image": image}, {"mean": mean})
    (tmp_path / "abs.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "abs.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        of_family("imagenet", 32),
    )
    assert any("1 ABS" in note for note in made.notes)


@pytest.mark.parametrize(("std", "noted"), [(127.5, True), (1, False)])
def test_a_float_file_that_is_scaled_twice_is_said(std, noted, tiny_float, tmp_path):
    graph = Graph.of(tiny_float.read_bytes())
    inner = graph.add_tensor("scaled", graph.shape(graph.input))
    graph.redirect(graph.input, inner)
    factor = graph.add_constant("factor", np.array(1 / 255, np.float32))
    graph.add_operator("MUL", [graph.input, factor], [inner])
    (tmp_path / "own.tflite").write_bytes(graph.content())
    made = conversion.quantize(
        tmp_path / "own.tflite",
        conversion.Settings(output=tmp_path / "out", recipe="int8-plain"),
        from_options(32, "0", str(std)),
    )
    assert any("itself scales pictures of 0 to 255" in note for note in made.notes) == noted
