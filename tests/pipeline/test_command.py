"""The line in a manifest means what the model was made with."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgeeff.evaluation.gate import Limits
from edgeeff.pictures.preprocessing import Preprocessing, from_options
from edgeeff.pipeline import conversion
from edgeeff.pipeline.command import NO_PART_OF_IT, command
from edgeeff.pipeline.mixed_precision import Budget
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.recipes.recipe import find_recipe
from tests.commands import run

words = some.sampled_from(["photos", "with space", "it's", "-odd", "中"])
paths = words.map(Path)
numbers = some.floats(-100, 100)

shared = {
    "recipe": some.none() | words,
    "calibration": some.none() | paths,
    "calibration_count": some.none() | some.integers(1, 1000),
    "labels": some.none() | paths,
    "input_type": some.sampled_from([None, "uint8", "int8", "float32"]),
    "eval_data": some.none() | paths,
    "limits": some.builds(Limits, some.none() | numbers, some.none() | some.floats(0, 100)),
    "mixed": some.none() | some.builds(Budget, some.none() | some.integers(1, 10**6)),
    "seed": some.integers(0, 9),
}
of_networks = {
    **shared,
    "precision": some.sampled_from(["int8", "int16x8", "dynamic", "float16", "float32"]),
    "weights": some.sampled_from(["auto", "imagenet", "none", "file.h5"]),
    "classes": some.none() | some.integers(1, 1000),
    "resolution": some.none() | some.integers(8, 600),
    "mean": some.none() | some.just("127"),
    "batch": some.integers(1, 8),
    "logits": some.booleans(),
}


class Stopped(Exception):  # noqa: N818 - nothing is wrong
    """Ends a command when it is known what it was asked for."""


def asked(line: str, name: str) -> tuple[Any, ...]:
    """What the command line hands to a function of ``conversion``."""
    found: list[tuple[Any, ...]] = []

    def take(*values: Any, **named: Any) -> None:
        found.append(values)
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, name, take)
        run(*shlex.split(line)[1:])
    return found[0]


@given(some.builds(Settings, **of_networks))
def test_convert_gets_the_same_settings_again(settings: Settings) -> None:
    line = command("convert", "--variant", "b0", settings=settings)
    assert asked(line, "convert")[:2] == ("b0", settings)


@given(some.builds(Settings, **shared))
def test_quantize_gets_the_same_settings_again(settings: Settings) -> None:
    line = command("quantize", "float.tflite", settings=settings)
    assert asked(line, "quantize")[:3] == (Path("float.tflite"), settings, None)


@pytest.mark.parametrize("precision", ["int16x8", "dynamic", "float16", "float32"])
def test_quantize_to_another_precision_names_its_recipe(precision: str) -> None:
    line = command("quantize", "float.tflite", settings=Settings(precision=precision))
    again = asked(line, "quantize")[1]
    assert (again.recipe, find_recipe(again.recipe).scheme) == (precision, precision)


@given(some.tuples(*[some.floats(0.1, 255)] * 3), some.sampled_from(["bilinear", "bicubic"]))
def test_quantize_is_told_the_same_preprocessing(mean, kind) -> None:
    given_to = Preprocessing(32, mean, (1.0, 2.0, 3.0), kind, 0.875)
    line = command("quantize", "m.tflite", settings=Settings(), preprocessing=given_to)
    parts = dict(zip(*[iter(shlex.split(line)[3:])] * 2, strict=True))
    assert from_options(32, parts["--mean"], parts["--std"], parts["--resize"]) == given_to


def test_a_file_that_begins_with_a_hyphen_is_no_option() -> None:
    line = command("quantize", Path("-d.tflite"), settings=Settings())
    assert shlex.split(line) == ["edgeeff", "quantize", "./-d.tflite"]


def test_where_the_result_goes_is_no_part_of_it() -> None:
    changed = replace(Settings(), output=Path("elsewhere"), force=True, threads=3)
    assert {"output", "force", "threads"} == NO_PART_OF_IT
    assert command("convert", settings=changed) == "edgeeff convert"


def test_a_manifest_has_the_line(user_folder: Path, tmp_path: Path) -> None:
    source = user_folder / "float32.tflite"
    settings = Settings(recipe="dynamic", output=tmp_path)
    made = conversion.quantize(source, settings)
    assert made.manifest.command == f"edgeeff quantize {source} --recipe dynamic"
