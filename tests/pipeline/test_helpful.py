"""What of a recipe does not help a network is left out, and said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from PIL import Image

import edgeeff
from edgeeff.evaluation.classifier import Classifier
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pipeline import candidates, policy
from edgeeff.pipeline.helpful import Comparison, helpful
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import CalibrationSet, synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import (
    Bias,
    Equalize,
    Group,
    Recipe,
    Round,
    find_recipe,
    named_recipes,
    parse,
)
from edgeeff.quantization.recipes.spelling import spelled
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.logits import logits_of
from tests.small_classifiers import SmallClassifier

SIDE = 16
PREPROCESSING = from_options(SIDE, "127.5", "127.5", "bilinear:1")


def of_layers(activation: str) -> FloatModel:
    network = SmallClassifier(SIDE)
    layer = network.convolution(network.image, 8, stride=2, activation=activation)
    for _ in range(4):
        layer = network.convolution(layer, 8, activation=activation)
    logits = network.dense(network.mean(layer), 5)
    return FloatModel(network.content(logits), PREPROCESSING)


@pytest.fixture(scope="module")
def small() -> FloatModel:
    """Of layers that equalization leaves alone."""
    return of_layers("RELU6")


def checked(network: FloatModel, recipe: Recipe):
    calibration = synthetic_set(16, PREPROCESSING)
    others = synthetic_set(8, PREPROCESSING, 2).pictures
    return helpful(
        network, recipe, Comparison(lambda it: quantize_model(network, it, calibration), others)
    )


def test_a_recipe_that_helps_stays_as_it_is(small):
    recipe = find_recipe("int8")
    kept, found = checked(small, recipe)
    assert kept is recipe
    assert found.left_out == ()
    assert found.sqnr_db == found.whole_db > found.plain_db - 0.1


def test_a_part_that_costs_more_than_it_brings_is_left_out(small):
    """Ranges that cut off half of all values cost some 20 dB."""
    clipping = replace(find_recipe("int8").ranges, estimator="percentile", percentile=50.0)
    recipe = replace(find_recipe("int8"), ranges=clipping)
    kept, found = checked(small, recipe)
    assert found.left_out == ("ranges",)
    assert kept.ranges == find_recipe("int8-plain").ranges
    assert kept.corrections == recipe.corrections
    assert found.sqnr_db > found.whole_db + 10
    assert parse("kept", kept.text).ranges == kept.ranges


SMALL_SIDE = 8
UNIT = from_options(SMALL_SIDE, "0", "255", "bilinear:1")


def ending(kind: str, *, value: float) -> bytes:
    """A network of a dense layer, whose logits an operator changes."""
    net = SmallClassifier(SMALL_SIDE)
    logits = net.dense(net.mean(net.image), 3, bias=False)
    options = {"MUL": schema.MulOptionsT, "MINIMUM": schema.MaximumMinimumOptionsT}[kind]()
    constant = net.constant(np.full((1, 3), value, np.float32))
    return net.content(net.add(kind, (logits, constant), (1, 3), options))


def losing_the_farthest(odd: float):
    """The recipe, and what ``helpful`` makes of it, if its ranges cut off one picture of 16."""
    ranges = replace(find_recipe("int8").ranges, odd=odd)
    recipe = replace(find_recipe("int8"), ranges=ranges)
    network = FloatModel(ending("MUL", value=1.0), UNIT)
    pictures = np.full((16, SMALL_SIDE, SMALL_SIDE, 3), 25, np.uint8)
    pictures[0] = 250
    (far,) = Classifier(network.graph, UNIT)(pictures[:1]).logits
    noise = 0.03**2
    lost = np.sqrt(2 * noise * np.square(far).sum())

    def quantize(candidate: Recipe) -> bytes:
        if candidate.ranges == ranges:
            return ending("MINIMUM", value=float(far.max() - lost))
        return ending("MUL", value=1 - np.sqrt(noise))

    return recipe, *helpful(network, recipe, Comparison(quantize, pictures))


@pytest.mark.parametrize("odd", [0.0, 2.0])
def test_a_part_that_is_bad_for_the_few_farthest_pictures_is_left_out(odd):
    """It is better at all others, but they own the sum; a recipe may give them up."""
    recipe, kept, found = losing_the_farthest(odd)
    assert found.left_out == (() if odd else ("ranges",))
    assert kept.ranges == (recipe if odd else find_recipe("int8-plain")).ranges
    assert found.whole_db - found.plain_db == pytest.approx(1.7 if odd else -1.9, abs=0.1)


def test_the_median_picture_has_no_say_but_is_told_of():
    _, _, found = losing_the_farthest(0.0)
    assert found.left_out == ("ranges",)
    assert found.whole_median_db > found.median_db + 50


@pytest.mark.parametrize(
    ("variant", "worth_db", "enough_db"),
    [(None, 0.9, 18.0), (None, 1.1, 22.0), (None, -1, 18.0), ("b3", -1, 22.0)],
)
def test_groups_that_bring_less_than_their_time_are_left_out(variant, worth_db, enough_db):
    """But for those of the variants, whose number was chosen."""
    recipe = find_recipe("int8-swish")
    noise = {22.0: 0.01, 18.0: 0.01 * 10 ** (worth_db / 20)}

    def quantize(candidate: Recipe) -> bytes:
        rule = candidate.correction(Group)
        return ending("MUL", value=1 - (noise[rule.enough_db] if rule else 0.1))

    pictures = synthetic_set(4, UNIT).pictures
    network = FloatModel(ending("MUL", value=1.0), UNIT, variant)
    kept, found = helpful(network, recipe, Comparison(quantize, pictures))
    assert kept.correction(Group) == replace(recipe.correction(Group), enough_db=enough_db)
    assert found.left_out == (("further groups",) if enough_db == 18 else ())
    assert found.sqnr_db - found.whole_db == pytest.approx(
        -worth_db if enough_db == 18 else 0, abs=0.01
    )


def test_equalization_is_left_out_where_the_rest_is_better():
    """Even if the whole is better than plain rounding."""
    recipe = find_recipe("int8")
    kept, found = checked(of_layers("RELU"), recipe)
    assert found.whole_db > found.plain_db
    assert found.left_out == ("equalize",)
    assert found.sqnr_db > found.whole_db + 0.5
    assert kept.corrections == recipe.corrections[1:]


def test_each_recipe_is_made_once_the_one_that_is_kept_too(tmp_path: Path, monkeypatch):
    made: list[Recipe] = []

    def noted(model: FloatModel, recipe: Recipe, *more: Any, **options: Any) -> bytes:
        made.append(replace(recipe, text=""))
        return quantize_model(model, recipe, *more, **options)

    monkeypatch.setattr(candidates, "quantize_model", noted)
    source = tmp_path / "layers.tflite"
    source.write_bytes(of_layers("RELU").content)
    settings = Settings(output=tmp_path / "out", calibration_count=4)
    manifest = edgeeff.quantize(source, settings, PREPROCESSING).manifest
    assert manifest.corrections["left_out"] == ["equalize"]
    assert len(made) == len(set(made)) > 2


@pytest.mark.parametrize(("unseen_db", "left_out"), [(6, ()), (-6, ("equalize",))])
def test_whether_equalization_helps_is_told_by_pictures_that_it_has_not_seen(unseen_db, left_out):
    """On those that it has seen it brings 20 dB here."""
    recipe = find_recipe("int8")
    network = of_layers("RELU")

    def quantize_with(worth_db: float):
        def quantize(candidate: Recipe) -> bytes:
            equalized = candidate.correction(Equalize) is not None
            noise = 0.1 / 10 ** (worth_db / 20 if equalized else 0)
            graph = float_graph(network.content)
            last = graph.producer[logits_of(graph)]
            graph.set_weights(last, graph.weights(last) * np.float32(1 - noise))
            graph.set_bias(last, graph.bias(last) * np.float32(1 - noise))
            return graph.content()

        return quantize

    pictures = synthetic_set(8, PREPROCESSING, 2).pictures
    seen, unseen = (Comparison(quantize_with(worth), pictures) for worth in (20, unseen_db))
    kept, found = helpful(network, recipe, seen, unseen)
    assert found.left_out == left_out
    assert (kept.correction(Equalize) is None) == bool(left_out)
    assert found.sqnr_db - found.whole_db == pytest.approx(6 if left_out else 0, abs=0.1)


def test_equalization_is_tried_without_the_pictures_that_judge_it(tmp_path: Path, monkeypatch):
    """What is kept of the recipe is made with all."""
    calibrated: list[tuple[bool, frozenset[str]]] = []

    def noted(model: FloatModel, recipe: Recipe, given: CalibrationSet, **options: Any) -> bytes:
        calibrated.append((recipe.correction(Equalize) is not None, frozenset(given.names)))
        return quantize_model(model, recipe, given, **options)

    monkeypatch.setattr(candidates, "quantize_model", noted)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(synthetic_set(6, PREPROCESSING).pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    source = tmp_path / "layers.tflite"
    source.write_bytes(of_layers("RELU").content)
    settings = Settings(output=tmp_path / "out", calibration=folder)
    manifest = edgeeff.quantize(source, settings, PREPROCESSING).manifest
    assert manifest.corrections["left_out"] == ["equalize"]
    assert manifest.corrections["pictures"] == 2
    everything = frozenset(str(folder / f"{number}.png") for number in range(6))
    rest = everything - {str(folder / f"{number}.png") for number in (2, 3)}
    assert {names for _, names in calibrated} == {everything, rest}
    assert {equalized for equalized, names in calibrated if names == rest} == {True, False}
    assert calibrated[-1] == (False, everything)


def test_parts_that_are_bad_alone_are_left_out_one_after_the_other():
    """What is left may be better than plain rounding."""
    recipe = find_recipe("int8")
    plain = find_recipe("int8-plain").ranges

    def quantize(candidate: Recipe) -> bytes:
        bad = (candidate.ranges != plain) + (candidate.correction(Round) is not None)
        good = candidate.correction(Bias) is not None
        return ending("MUL", value=1 - (0.02 + 0.1 * bad - 0.01 * good))

    network = FloatModel(ending("MUL", value=1.0), UNIT)
    kept, found = helpful(network, recipe, Comparison(quantize, synthetic_set(4, UNIT).pictures))
    assert found.left_out == ("ranges", "round")
    assert kept.ranges == plain
    assert kept.corrections == tuple(it for it in recipe.corrections if not isinstance(it, Round))
    assert found.sqnr_db == pytest.approx(found.plain_db + 6, abs=0.1)


def test_what_no_part_alone_explains_becomes_plain_rounding(small):
    """With few pictures and hardly any damping, weights and ranges both go astray."""
    clipping = replace(find_recipe("int8").ranges, estimator="percentile", percentile=50.0)
    text = 'scheme = "int8"\n[[corrections]]\nkind = "clip"\nleast = 0.05\n'
    recipe = replace(parse("astray", text), ranges=clipping)

    def without(part: Recipe) -> bytes:
        astray = part.ranges == clipping or part.corrections != ()
        return quantize_model(small, recipe if astray else part, synthetic_set(16, PREPROCESSING))

    others = synthetic_set(8, PREPROCESSING, 2).pictures
    kept, found = helpful(small, recipe, Comparison(without, others))
    assert set(found.left_out) == {"clip", "ranges"}
    assert kept.corrections == ()
    assert found.sqnr_db == found.plain_db


@pytest.mark.parametrize("recipe", named_recipes().values(), ids=named_recipes())
def test_a_spelled_out_recipe_is_the_same_one(recipe):
    again = parse(recipe.name, spelled(recipe).text)
    assert replace(again, text="") == replace(recipe, text="")


@pytest.mark.parametrize(
    ("variant", "recipe", "chosen", "trained", "looked_at"),
    [
        ("lite0", "int8", None, True, False),
        ("lite4", "int8", None, True, True),
        ("b0", "int8-swish", None, True, False),
        (None, "int8", None, True, True),
        (None, "int8", "int8", True, False),
        (None, "int8-plain", None, True, False),
        (None, "int16x8", None, True, False),
        ("b3", "int8-swish", None, False, False),
    ],
)
def test_networks_whose_recipe_was_measured_or_chosen_are_not_looked_at(
    small, variant, recipe, chosen, trained, looked_at
):
    network = replace(small, variant=variant, weights=Provenance("file", trained=trained))
    found = policy.is_checked(Settings(recipe=chosen), network, find_recipe(recipe))
    assert found is looked_at


@pytest.mark.parametrize(("given", "said"), [(True, "without-data"), (False, "always")])
def test_pictures_of_the_user_count_above_what_batchnorm_says(small, tmp_path: Path, given, said):
    """In a network that the recipe was not measured on; the manifest's recipe says so."""
    for number, picture in enumerate(synthetic_set(4, PREPROCESSING).pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    source = tmp_path / "small.tflite"
    source.write_bytes(small.content)
    settings = Settings(output=tmp_path / "out", calibration=tmp_path if given else None)
    made = edgeeff.quantize(source, settings, PREPROCESSING).manifest
    assert parse("kept", made.recipe["text"]).ranges.batchnorm == said


def test_the_manifest_says_what_was_measured(small, tmp_path: Path):
    source = tmp_path / "small.tflite"
    source.write_bytes(small.content)
    made = edgeeff.quantize(source, Settings(output=tmp_path / "out"), PREPROCESSING)
    manifest = json.loads((tmp_path / "out" / "small-int8.json").read_text())
    assert manifest["corrections"]["pictures"] == 16
    assert manifest["corrections"]["sqnr_db"] >= manifest["corrections"]["plain_db"] - 0.1
    assert made.manifest.corrections["left_out"] == []
    assert manifest["calibration"]["batchnorm"] is False
