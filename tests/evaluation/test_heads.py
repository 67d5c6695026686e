"""Networks whose outputs do not exclude each other: one sigmoid, several, or one plain value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

from edgeeff.cli import main
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.evaluate import Evaluation, evaluate
from edgeeff.evaluation.gate import Limits, judge
from edgeeff.pictures.images import read_images
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pipeline import conversion
from tests.accelerators.graphs import GraphWriter

SIDE = 16
RED_LESS_BLUE = np.array([1.0, 0.0, -1.0], np.float32) / 8
PREPROCESSING = from_options(SIDE, "0", "1", "bilinear:1")


def classifier(kernel: np.ndarray, last: str | None) -> bytes:
    """The mean colour of a picture times ``kernel`` [outputs, 3], through ``last``."""
    writer, outputs = GraphWriter(), len(kernel)
    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    axes = writer.tensor((2,), "int32", [1, 2])
    options = schema.ReducerOptionsT()
    mean = writer.add("MEAN", (image, axes), (1, 3), dtype="float32", options=options)
    weights = writer.tensor(kernel.shape, "float32", kernel)
    bias = writer.tensor((outputs,), "float32", 0)
    options = schema.FullyConnectedOptionsT()
    made = writer.add(
        "FULLY_CONNECTED", (mean, weights, bias), (1, outputs), dtype="float32", options=options
    )
    if last == "SOFTMAX":
        options = schema.SoftmaxOptionsT(beta=1.0)
        made = writer.add(last, (made,), (1, outputs), dtype="float32", options=options)
    elif last == "halved":
        made = writer.add("LOGISTIC", (made,), (1, outputs), dtype="float32")
        half, options = writer.tensor((1,), "float32", 0.5), schema.MulOptionsT()
        made = writer.add("MUL", (made, half), (1, outputs), dtype="float32", options=options)
    elif last == "hard":
        made = writer.add("RELU6", (made,), (1, outputs), dtype="float32")
        sixth, options = writer.tensor((1,), "float32", 1 / 6), schema.MulOptionsT()
        made = writer.add("MUL", (made, sixth), (1, outputs), dtype="float32", options=options)
    elif last == "ensemble":
        options = schema.SoftmaxOptionsT(beta=1.0)
        shares = [
            writer.add("SOFTMAX", (made,), (1, outputs), dtype="float32", options=options)
            for _ in range(2)
        ]
        options = schema.AddOptionsT()
        made = writer.add("ADD", shares, (1, outputs), dtype="float32", options=options)
    elif last:
        made = writer.add(last, (made,), (1, outputs), dtype="float32")
    return writer.content([image], [made])


ONE = RED_LESS_BLUE[None]
TWO = np.stack([RED_LESS_BLUE, -RED_LESS_BLUE])
EXCLUSIVE = {"one sigmoid": (ONE, "LOGISTIC"), "softmax": (TWO, "SOFTMAX")}
NOT_EXCLUSIVE = {
    "independent sigmoids": (TWO, "LOGISTIC"),
    "hard sigmoids": (TWO, "hard"),
    "one value": (ONE, None),
    "softmax of one": (ONE, "SOFTMAX"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Blue pictures as class 0, red ones as class 1."""
    random = np.random.default_rng(0)
    for name, colour in (("0 blue", (40, 80, 200)), ("1 red", (200, 80, 40))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(5):
            noisy = np.clip(colour + random.normal(0, 15, (SIDE, SIDE, 3)), 0, 255)
            picture = Image.fromarray(noisy.astype(np.uint8))
            picture.save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path


def saved(folder: Path, name: str, kernel: np.ndarray, last: str | None) -> Path:
    path = folder / f"{name}.tflite"
    path.write_bytes(classifier(kernel, last))
    return path


def measured(folder: Path, model: Path, reference: Path | None, *, labels: bool) -> Evaluation:
    images = read_images(folder / "pictures")
    images = images if labels else images.without_labels()
    return evaluate(model, images, reference=reference, preprocessing=PREPROCESSING)


@pytest.mark.parametrize(("kernel", "last"), NOT_EXCLUSIVE.values(), ids=NOT_EXCLUSIVE)
def test_two_that_always_disagree_are_not_said_to_agree(folder, kernel, last):
    yes, no = saved(folder, "yes", kernel, last), saved(folder, "no", -kernel, last)
    found = measured(folder, no, yes, labels=False).fidelity
    assert found is not None
    assert (found.agreement, found.kl) == (None, None)
    assert found.sqnr_db < 0
    assert found.note


@pytest.mark.parametrize(("kernel", "last"), EXCLUSIVE.values(), ids=EXCLUSIVE)
def test_classes_that_exclude_each_other_agree_or_not(folder, kernel, last):
    """One sigmoid names one of two classes."""
    yes, no = saved(folder, "yes", kernel, last), saved(folder, "no", -kernel, last)
    found = measured(folder, no, yes, labels=False).fidelity
    assert found is not None
    assert found.agreement == 0
    assert found.kl is not None
    assert found.kl > 1
    assert found.sqnr_db == pytest.approx(-6.02, abs=0.01)
    assert found.note is None


@pytest.mark.parametrize("last", ["LOGISTIC", "SOFTMAX"])
def test_logits_are_those_before_the_final_activation(last):
    bare, whole = (Classifier(classifier(TWO, which), PREPROCESSING) for which in (None, last))
    picture = np.random.default_rng(0).integers(0, 255, (1, SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(bare(picture).logits, whole(picture).logits)
    assert whole.activation == last
    assert whole.probabilities(whole(picture).logits) == pytest.approx(whole(picture).outputs)


def test_what_is_worked_out_of_probabilities_is_shown_as_it_is(folder):
    model = Classifier(classifier(TWO, "halved"), PREPROCESSING)
    logits = np.array([[0.1, 0.4]])
    assert np.array_equal(model.probabilities(logits), logits)
    yes, no = (saved(folder, name, TWO, "halved") for name in ("yes", "no"))
    found = measured(folder, no, yes, labels=False).fidelity
    assert found is not None
    assert (found.agreement, found.kl) == (None, None)


def test_an_ensemble_agrees_or_not_and_has_no_kl(folder):
    """Softmaxes that are added leave no logits of theirs."""
    yes, no = (saved(folder, name, sign * TWO, "ensemble") for name, sign in (("a", 1), ("b", -1)))
    for other, agreement in ((no, 0), (yes, 1)):
        found = measured(folder, other, yes, labels=False)
        assert found.fidelity is not None
        assert (found.fidelity.agreement, found.fidelity.kl) == (agreement, None)
        assert str(found.fidelity.note).startswith("no KL")
        assert found.changed == 10 * (1 - agreement)


@pytest.mark.slow
def test_an_ensemble_is_held_against_a_limit_on_agreement(folder):
    source = saved(folder, "two-float32", TWO, "ensemble")
    limits = Limits(min_agreement=100)
    settings = conversion.Settings(
        output=folder / "out",
        calibration_count=8,
        recipe="int8-plain",
        limits=limits,
        eval_data=folder / "pictures",
    )
    manifest = conversion.quantize(source, settings, PREPROCESSING).manifest
    assert manifest.integer_only
    assert manifest.fidelity is not None
    assert (manifest.fidelity["agreement"], manifest.fidelity["kl"]) == (1, None)


def test_one_sigmoid_tells_two_classes_apart_at_one_half(folder):
    yes, no = saved(folder, "yes", ONE, "LOGISTIC"), saved(folder, "no", -ONE, "LOGISTIC")
    found = measured(folder, no, yes, labels=True)
    assert found.accuracy is not None
    assert found.reference_accuracy is not None
    assert (found.accuracy.top1.value, found.reference_accuracy.top1.value) == (0, 1)
    assert found.drop is not None
    assert found.drop.value == 1


def test_the_likelier_class_of_one_sigmoid_comes_first():
    model = Classifier(classifier(ONE, "LOGISTIC"), PREPROCESSING)
    logits = np.array([[0.0, np.log(3)]])
    assert model.probabilities(logits) == pytest.approx(np.array([[0.25, 0.75]]))


@pytest.mark.parametrize(("kernel", "last"), [(ONE, None), (TWO, "halved"), (TWO, "hard")])
def test_what_is_no_probability_is_shown_as_no_percentage(folder, capsys, kernel, last):
    path = saved(folder, "model", kernel, last)
    words = ["--data", str(folder / "pictures"), "--ignore-labels", "-v"]
    words += ["--mean", "0", "--std", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(path), *words])
    assert not ended.value.code
    shown = [line for line in capsys.readouterr().out.splitlines() if ".png: " in line]
    assert shown
    assert not any("%" in line for line in shown)


@pytest.mark.parametrize("last", [None, "SOFTMAX"])
def test_one_output_without_a_sigmoid_has_no_accuracy(folder, last):
    with pytest.raises(InputError, match="one output"):
        measured(folder, saved(folder, "model", ONE, last), None, labels=True)


@pytest.mark.parametrize(("kernel", "last"), [(TWO, "LOGISTIC"), (ONE, None)])
def test_a_limit_on_agreement_is_refused_before_the_work(folder, kernel, last):
    settings = conversion.Settings(output=folder / "out", limits=Limits(min_agreement=1))
    with pytest.raises(UsageError, match="most likely class"):
        conversion.quantize(saved(folder, "model", kernel, last), settings, PREPROCESSING)
    assert not (folder / "out").exists()


def test_a_limit_on_agreement_cannot_be_judged_without_one(folder):
    yes, no = saved(folder, "yes", TWO, "LOGISTIC"), saved(folder, "no", -TWO, "LOGISTIC")
    found = measured(folder, no, yes, labels=False)
    with pytest.raises(UsageError, match="most likely class"):
        judge("int8", 1, None, found, Limits(min_agreement=1))


def test_tables_and_json_show_what_has_no_meaning_as_absent(folder, capfd):
    yes, no = saved(folder, "yes", TWO, "LOGISTIC"), saved(folder, "no", -TWO, "LOGISTIC")
    words = [str(no), "--reference", str(yes), "--data", str(folder / "pictures")]
    words += ["--ignore-labels", "--mean", "0", "--std", "1"]
    for extra in ([], ["--json"]):
        with pytest.raises(SystemExit) as left:
            main(["evaluate", *words, *extra])
        assert left.value.code == 0
        out = capfd.readouterr().out
        if extra:
            fidelity = json.loads(out)["fidelity"]
            assert (fidelity["agreement"], fidelity["kl"]) == (None, None)
        else:
            assert "100.0%" not in out
            assert "excludes no class" in out


def test_a_quantized_sigmoid_keeps_its_logits(folder):
    source = saved(folder, "two-float32", TWO, "LOGISTIC")
    settings = conversion.Settings(output=folder / "out", calibration_count=8, recipe="int8-plain")
    manifest = conversion.quantize(source, settings, PREPROCESSING).manifest
    assert manifest.integer_only
    assert manifest.fidelity is not None
    assert manifest.fidelity["agreement"] is None
    assert manifest.fidelity["sqnr_db"] > 0
