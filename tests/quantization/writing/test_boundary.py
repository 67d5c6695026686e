from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import FAMILIES, from_options, of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.input_grid import pixel_grid
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.quantization.writing.boundary import add_normalization
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner

BYTES = np.arange(256, dtype=np.uint8).reshape(-1, 1).repeat(3, axis=1)


def test_the_pixel_grid_of_lite_is_exact():
    preprocessing = of_family("lite", 32)
    grid = pixel_grid(preprocessing)
    assert grid is not None
    raw = (BYTES.astype(np.int16) - 128).astype(np.int8)
    assert np.array_equal(grid.dequantize(raw), preprocessing.normalised(BYTES))


@pytest.mark.parametrize("family", ["imagenet", "advprop"])
def test_where_no_grid_is_exact_there_is_none(family):
    assert pixel_grid(of_family(family, 32)) is None


@pytest.mark.parametrize(("mean", "std"), [("300", "1"), ("-255", "255"), ("256", "128")])
def test_no_byte_is_a_mean_that_lies_outside_of_bytes(mean: str, std: str):
    assert pixel_grid(from_options(32, mean, std)) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_normalization_operator_normalises(tiny_float: Path, family: str):
    preprocessing = of_family(family, 32)
    picture = next(synthetic_pictures(1, 32))
    graph = Graph.of(tiny_float.read_bytes())
    normalised = Runner(graph.content()).run(preprocessing.normalised(picture)[None])
    add_normalization(graph, preprocessing)
    raw = Runner(graph.content()).run(picture[None].astype(np.float32))
    assert raw[0] == pytest.approx(normalised[0], abs=2e-4)


@pytest.fixture(scope="module", params=["int8", "int16x8"])
def by_input(request, tiny_float: Path) -> dict[str, bytes]:
    preprocessing = of_family("lite", 32)
    pictures = synthetic_set(8, preprocessing)
    return {
        kind: quantize_model(
            FloatModel(tiny_float.read_bytes(), preprocessing),
            find_recipe(request.param),
            pictures,
            ends=Ends(kind, "float32"),
        )
        for kind in ("uint8", "int8", "float32")
    }


@pytest.mark.slow
def test_every_input_type_gives_the_same_answer(by_input):
    preprocessing = of_family("lite", 32)
    picture = next(synthetic_pictures(1, 32, seed=5))
    fed = {
        "uint8": picture[None],
        "int8": (picture.astype(np.int16) - 128).astype(np.int8)[None],
        "float32": preprocessing.normalised(picture)[None],
    }
    answers = {kind: Runner(model).run(fed[kind])[0] for kind, model in by_input.items()}
    assert np.array_equal(answers["uint8"], answers["int8"])
    assert answers["uint8"] == pytest.approx(answers["float32"], abs=2e-3)


@pytest.mark.parametrize("kind", ["uint8", "int8", "float32"])
def test_the_input_has_the_type_that_was_asked_for(by_input, kind):
    model = parse_model(by_input[kind])
    assert model.inputs[0].dtype == kind
    assert model.outputs[0].dtype == "float32"
    assert model.signatures[0].inputs["image"] == model.inputs[0].index


@pytest.mark.parametrize("recipe", ["int8", "int16x8"])
def test_logits_as_bytes_are_the_logits_rounded(tiny_float: Path, recipe: str):
    """However small: these are not probabilities, whose grid is given."""
    preprocessing = of_family("imagenet", 32)
    content = cut_at_logits(Graph.of(tiny_float.read_bytes())).content()
    picture = next(synthetic_pictures(1, 32, seed=5))
    answers = {}
    for kind in ("uint8", "float32"):
        made = quantize_model(
            FloatModel(content, preprocessing),
            find_recipe(recipe),
            synthetic_set(8, preprocessing),
            ends=Ends("uint8", kind),
        )
        answers[kind] = plainly(made, picture[None])
        if kind == "uint8":
            step = parse_model(made).outputs[0].scales[0]
    assert answers["uint8"] == pytest.approx(answers["float32"], abs=0.51 * step)


def test_bytes_do_not_pay_for_the_headroom_of_16_bits(tiny_float: Path):
    preprocessing = of_family("imagenet", 32)
    model = FloatModel(cut_at_logits(Graph.of(tiny_float.read_bytes())).content(), preprocessing)
    recipe, pictures = find_recipe("int16x8"), synthetic_set(8, preprocessing)
    assert recipe.ranges.headroom > 1
    steps = []
    for headroom in (1.0, recipe.ranges.headroom):
        tried = replace(recipe, ranges=replace(recipe.ranges, headroom=headroom))
        steps.append(parse_model(quantize_model(model, tried, pictures)).outputs[0].scales[0])
    assert steps[1] == pytest.approx(steps[0], rel=1e-3)


def plainly(content: bytes, array: np.ndarray) -> np.ndarray:
    """What an app without edgeeff gets: real outputs of plain ai-edge-litert."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)
    interpreter.invoke()
    output = interpreter.get_output_details()[0]
    scale, zero_point = output["quantization"]
    raw = interpreter.get_tensor(output["index"]).astype(np.float32)
    return (raw - zero_point) * scale if scale else raw


@pytest.mark.slow
def test_lite0_takes_the_bytes_of_photographs(lite0_float: Path, photographs):
    """Real weights: the same first class as the float network fed the normalised picture."""
    preprocessing = of_family("lite", 224)
    content = lite0_float.read_bytes()
    made = quantize_model(
        FloatModel(content, preprocessing), find_recipe("int8"), synthetic_set(48, preprocessing)
    )
    pixels = [preprocessing.pixels(image) for image in photographs.values()]
    same = [
        plainly(content, preprocessing.normalised(p)[None]).argmax()
        == plainly(made, p[None]).argmax()
        for p in pixels
    ]
    assert len(pixels) >= 15
    assert sum(same) >= len(pixels) - 1


@pytest.mark.slow
def test_b0_takes_the_bytes_of_pictures(b0_float: Path):
    """Untrained weights: raw bytes lose no more than normalised values do, and little at all."""
    preprocessing = of_family("imagenet", 224)
    content = cut_at_logits(Graph.of(b0_float.read_bytes())).content()
    pictures = list(synthetic_pictures(6, 224, seed=3))
    truth = [plainly(content, preprocessing.normalised(p)[None]) for p in pictures]

    def sqnr(kind: str) -> float:
        made = quantize_model(
            FloatModel(content, preprocessing),
            find_recipe("int8-swish"),
            synthetic_set(24, preprocessing),
            ends=Ends(kind, "uint8"),
        )
        fed = [p if kind == "uint8" else preprocessing.normalised(p) for p in pictures]
        found = [plainly(made, array[None]) for array in fed]
        # An untrained network reacts to single pictures beyond all measure: the median tells.
        return fidelity(np.concatenate(truth), np.concatenate(found)).median_image_sqnr_db

    raw, normalised = sqnr("uint8"), sqnr("float32")
    assert raw > normalised - 1.5
    assert raw > 15
