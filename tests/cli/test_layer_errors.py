"""`edgeeff inspect --layers`, in words and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.manifest import describe, path_of
from tests.commands import said
from tests.tflite import tiny

TINY = of_family("imagenet", 32)


@pytest.fixture(scope="module")
def models(tiny_float: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A quantized network and the float one it was made from."""
    folder = tmp_path_factory.mktemp("models")
    reference = folder / "tiny-float32.tflite"
    reference.write_bytes(tiny_float.read_bytes())
    manifest = describe(
        reference.name, reference.read_bytes(), "float32", FloatModel(reference.read_bytes(), TINY)
    )
    path_of(reference).write_text(manifest.document())
    made = folder / "tiny-int8.tflite"
    calibration = synthetic_set(4, TINY)
    made.write_bytes(
        quantize_model(
            FloatModel(tiny_float.read_bytes(), TINY), find_recipe("int8-bias"), calibration
        )
    )
    return made, reference


def test_ranks_the_layers_in_a_table(capsys, models) -> None:
    made, reference = models
    status, out, err = said(capsys, "inspect", made, "--layers", "--reference", reference)
    assert (status, err) == (0, "")
    assert "worst first" in out
    assert "more layers with -v" in out


def test_models_that_say_no_preprocessing_are_told_what_this_command_takes(capsys) -> None:
    words = ("inspect", tiny.INT8, "--layers", "--reference", tiny.FLOAT32)
    status, _, err = said(capsys, *words)
    assert status == 2
    assert "hint: its manifest or its metadata has to say it" in " ".join(err.split())


def test_json_holds_every_layer_with_its_place(capsys, models) -> None:
    made, reference = models
    _, out, _ = said(capsys, "inspect", made, "--layers", "--reference", reference, "--json")
    found = json.loads(out)["layers"]
    indices = [layer["index"] for layer in found]
    assert len(set(indices)) == len(indices) > 12


@pytest.mark.parametrize(("name", "start"), [("a.svg", "<svg "), ("a.html", "<!doctype html>")])
def test_a_plot_is_an_svg_or_a_page(capsys, models, tmp_path: Path, name, start) -> None:
    made, reference = models
    plot = tmp_path / name
    status, out, _ = said(capsys, "inspect", made, "--reference", reference, "--plot", plot)
    assert status == 0
    assert f"plot: {plot}" in out
    assert plot.read_text().startswith(start)
    assert made.name in plot.read_text()


def test_an_existing_plot_is_replaced_only_on_request(capsys, models, tmp_path: Path) -> None:
    made, reference = models
    plot = tmp_path / "layers.svg"
    plot.write_text("mine")
    words = (made, "--layers", "--reference", reference, "--plot", plot)
    status, _, err = said(capsys, "inspect", *words)
    assert (status, plot.read_text()) == (2, "mine")
    assert "exists already" in err
    assert said(capsys, "inspect", *words, "--force")[0] == 0
    assert plot.read_text().startswith("<svg ")


def test_a_plot_of_another_kind_is_refused(capsys, models, tmp_path: Path) -> None:
    made, reference = models
    status, _, err = said(
        capsys, "inspect", made, "--reference", reference, "--plot", tmp_path / "a.png"
    )
    assert status == 2
    assert ".svg or .html" in err


def test_layers_need_the_float_model(capsys, models) -> None:
    status, _, err = said(capsys, "inspect", models[0], "--layers")
    assert status == 2
    assert "--reference FLOAT.tflite" in err
