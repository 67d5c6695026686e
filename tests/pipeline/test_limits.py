"""Limits on what a conversion may cost: recipes are tried until one keeps them."""

from __future__ import annotations

import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.gate import AccuracyGateFailed, Limits
from edgeeff.pipeline import conversion, policy
from edgeeff.tflite.manifest import read_manifest
from tests.commands import said
from tests.pipeline.quantizing import quantize

LADDER = policy.choice(policy.expected_of(find_variant("lite0"))).ladder


@pytest.mark.slow
def test_a_gate_that_is_reached_says_what_was_tried(source, tmp_path):
    made = quantize(source, tmp_path / "out", limits=Limits(min_sqnr=-100.0))
    assert made.manifest.tried is not None
    assert [trial["failed"] for trial in made.manifest.tried] == [()]


@pytest.mark.slow
def test_a_gate_that_is_missed_keeps_the_best_and_exits_3(source, tmp_path, capsys):
    output = tmp_path / "out"
    words = ("quantize", source, "--output", output, "--min-sqnr", "200")
    status, _, error = said(capsys, *words)
    assert status == 3
    assert "no recipe reaches the limits" in error
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
def test_where_pictures_are_too_few_for_any_recipe_the_default_one_is_tried_too(tmp_path, pictures):
    """Noise labelled at random: float and int8 are wrong alike, and four pictures prove nothing."""
    listed = tmp_path / "labelled.csv"
    listed.write_text("".join(f"{path},0\n" for path in sorted(pictures.glob("*.png"))))
    settings = conversion.Settings(
        output=tmp_path / "out", limits=Limits(max_drop=0.5), eval_data=listed
    )
    with pytest.raises(AccuracyGateFailed, match="4 pictures prove no drop") as failed:
        conversion.convert("lite0", settings)
    trials = failed.value.trials
    assert [trial.recipe for trial in trials] == ["int8-bias", "int8"]
    kept = read_manifest(tmp_path / "out" / "efficientnet-lite0-int8.tflite")
    assert kept is not None
    assert kept.recipe is not None
    assert kept.recipe["name"] == max(trials, key=lambda it: it.median_image_sqnr_db).recipe
