from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.fidelity import Fidelity, fidelity
from edgeeff.pictures.preprocessing import Preprocessing, of_family
from edgeeff.quantization.calibration.observation import Observations
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.quantize import Ends, quantize_model
from edgeeff.quantization.recipes.recipe import Split, find_recipe, named_recipes, parse
from edgeeff.tflite import statistics
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner, dequantize

TINY = of_family("imagenet", 32)
LITE = of_family("lite", 224)


def made(content: bytes, recipe: str, preprocessing: Preprocessing = TINY, **options) -> bytes:
    pictures = synthetic_set(24 if preprocessing is LITE else 6, preprocessing)
    return quantize_model(
        FloatModel(content, preprocessing), find_recipe(recipe), pictures, **options
    )


def answers(content: bytes, pictures: list[np.ndarray]) -> np.ndarray:
    runner = Runner(cut_at_logits(Graph.of(content)).content())
    image, logits = runner.inputs[0], runner.outputs[0]
    feed = feeding(image, LITE)
    return np.concatenate([dequantize(runner.run(feed(p[None]))[0], logits) for p in pictures])


@pytest.mark.parametrize(
    "recipe", sorted(name for name, r in named_recipes().items() if r.scheme == "int8")
)
def test_int8_recipes_make_integer_networks_that_take_bytes(tiny_float: Path, recipe: str):
    model = parse_model(made(tiny_float.read_bytes(), recipe))
    assert model.inputs[0].dtype == model.outputs[0].dtype == "uint8"
    assert model.integer_only == ("mixed" not in recipe)


@pytest.mark.parametrize("method", ["gptq", "nearest"])
def test_a_recipe_that_keeps_outputs_takes_photographs(tiny_float: Path, method: str):
    pictures = replace(synthetic_set(6, TINY), source="photographs")
    content = tiny_float.read_bytes()
    text = find_recipe("int8-swish").text
    assert 'target = "outputs"' in text
    recipe = parse("made", text.replace('method = "gptq"', f'method = "{method}"'))
    quantized = quantize_model(FloatModel(content, TINY), recipe, pictures)
    judged = synthetic_set(12, TINY).pictures[6:]
    runs = [Runner(each) for each in (content, quantized)]
    float_answers, found = (
        np.concatenate([dequantize(r.run(f(p[None]))[0], r.outputs[0]) for p in judged])
        for r, f in ((r, feeding(r.inputs[0], TINY)) for r in runs)
    )
    assert np.sqrt(np.square(found - float_answers).mean()) < 0.03


@pytest.mark.parametrize("recipe", ["dynamic", "weight-only", "float16"])
def test_recipes_that_compute_in_float_take_float(tiny_float: Path, recipe: str):
    model = parse_model(made(tiny_float.read_bytes(), recipe))
    assert model.inputs[0].dtype == model.outputs[0].dtype == "float32"
    assert model.bytes < len(tiny_float.read_bytes())


def test_the_same_arguments_give_the_same_bytes(tiny_float: Path):
    content = tiny_float.read_bytes()
    assert made(content, "int8", seed=3) == made(content, "int8", seed=3)


@pytest.mark.slow
def test_observations_of_an_earlier_recipe_give_the_same_bytes(tiny_float: Path):
    content, kept = tiny_float.read_bytes(), Observations()
    recipes = ("int8", "int8-plain", "int8-swish")
    together = [made(content, recipe, observations=kept) for recipe in recipes]
    assert together == [made(content, recipe) for recipe in recipes]


@pytest.mark.parametrize("threads", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_threads_do_not_change_the_bytes(tiny_float: Path, threads: int):
    content = tiny_float.read_bytes()
    assert made(content, "int8", threads=threads) == made(content, "int8", threads=1)


def test_the_statistics_of_the_float_network_stay_with_it(tiny_float: Path):
    content = tiny_float.read_bytes()
    assert statistics.attached(Graph.of(content))
    assert statistics.attached(Graph.of(made(content, "int8"))) is None


def test_bytes_into_a_float_network_are_refused(tiny_float: Path):
    with pytest.raises(UsageError, match="float32"):
        made(tiny_float.read_bytes(), "dynamic", ends=Ends("uint8", "float32"))


def test_pictures_of_another_size_are_refused(tiny_float: Path):
    with pytest.raises(InputError, match="pictures are"):
        made(tiny_float.read_bytes(), "int8", of_family("imagenet", 48))


def test_a_preprocessing_of_another_size_is_refused(tiny_float: Path):
    pictures, other = synthetic_set(6, TINY), of_family("imagenet", 48)
    with pytest.raises(InputError, match="preprocessing makes"):
        quantize_model(FloatModel(tiny_float.read_bytes(), other), find_recipe("int8"), pictures)


def rounded_on(calibration, content: bytes, share: float) -> bytes:
    text = f'[[corrections]]\nkind = "round"\nsynthetic = {share}\n'
    return quantize_model(FloatModel(content, TINY), parse("made", text), calibration)


@pytest.mark.parametrize(
    ("source", "joined"),
    [("mine", True), pytest.param("synthetic", False, marks=pytest.mark.slow)],
    ids=["yours", "none given"],
)
def test_synthetic_pictures_join_yours_in_rounding(tiny_float, source, joined):
    calibration = replace(synthetic_set(6, TINY, seed=5), source=source)
    content = tiny_float.read_bytes()
    none, half, all_ = (rounded_on(calibration, content, share) for share in (0, 0.5, 1))
    assert (none != half) == (half != all_) == joined


SCENES = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")


def corners(photographs, names: tuple[str, ...]) -> list[np.ndarray]:
    """Three crops of each photograph."""
    found = []
    for image in (photographs[name] for name in names):
        side = int(min(image.size) * 0.8)
        starts = [(0, 0), (image.width - side, 0), (0, image.height - side)]
        found += [LITE.pixels(image.crop((x, y, x + side, y + side))) for x, y in starts]
    return found


@pytest.fixture(scope="module")
def on_photographs(lite0_float: Path, photographs):
    """Fidelity of Lite0 with real weights by recipe, no data given, on crops of photographs."""
    content, pictures = lite0_float.read_bytes(), corners(photographs, SCENES)
    truth = answers(content, pictures)

    @cache
    def measured(recipe: str) -> tuple[Fidelity, int]:
        model = made(content, recipe, LITE)
        return fidelity(truth, answers(model, pictures)), len(model)

    return measured


@pytest.mark.slow
def test_lite0_without_data_keeps_what_photographs_say(on_photographs):
    found, _ = on_photographs("int8")
    assert found.sqnr_db >= 24.5
    assert found.agreement >= 0.9
    assert found.sqnr_db >= on_photographs("int8-plain")[0].sqnr_db + 3


@pytest.mark.slow
def test_each_correction_contributes(on_photographs):
    plain, bias, rounded = (on_photographs(r)[0] for r in ("int8-plain", "int8-bias", "int8"))
    assert plain.sqnr_db < bias.sqnr_db < rounded.sqnr_db


@pytest.mark.slow
def test_copies_in_the_places_of_idle_channels_cost_nothing(lite0_float: Path, photographs):
    content, crop = lite0_float.read_bytes(), (0, 0, 224, 224)
    textures = ("brick", "grass", "gravel", "coins", "text", "moon", "ihc", "retina")
    pictures = [LITE.pixels(photographs[name].crop(crop)) for name in textures]
    with_copies = find_recipe("int8")
    without = replace(
        with_copies, corrections=tuple(c for c in with_copies.corrections if type(c) is not Split)
    )
    truth, synthetic = answers(content, pictures), synthetic_set(24, LITE)
    found, sizes = [], []
    for recipe in (without, with_copies):
        model = quantize_model(FloatModel(content, LITE), recipe, synthetic)
        found.append(fidelity(truth, answers(model, pictures)).sqnr_db)
        sizes.append(len(model))
    assert found[1] >= found[0] + 0.05
    assert sizes[1] == sizes[0]


@pytest.mark.slow
def test_few_photographs_of_one_kind_do_not_spoil_others(lite0_float: Path, photographs):
    content, others = lite0_float.read_bytes(), corners(photographs, SCENES)
    own = np.stack(corners(photographs, ("brick", "grass", "gravel", "coins", "text", "moon")))
    calibration = replace(synthetic_set(len(own), LITE), source="textures", pictures=own)
    truth, recipe = answers(content, others), find_recipe("int8")
    assert "synthetic = 0.5" in recipe.text
    alone = parse("alone", recipe.text.replace("synthetic = 0.5", "synthetic = 0"))
    spoilt, joined = (
        fidelity(
            truth, answers(quantize_model(FloatModel(content, LITE), one, calibration), others)
        ).sqnr_db
        for one in (alone, recipe)
    )
    assert joined >= spoilt + 0.3


@pytest.mark.slow
def test_mixed_precision_buys_accuracy_for_few_bytes(on_photographs):
    (whole, size), (mixed, mixed_size) = on_photographs("int8"), on_photographs("int8-mixed")
    assert mixed_size <= 1.02 * size
    assert mixed.sqnr_db >= max(27, whole.sqnr_db + 1.5)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "least"), [("dynamic", 24), ("weight-only", 26)])
def test_weights_alone_cost_little_once_they_are_corrected(on_photographs, recipe, least):
    assert on_photographs(recipe)[0].sqnr_db >= least


def test_bias_alone_takes_up_what_nearest_rounding_leaves(tiny_float: Path):
    content = tiny_float.read_bytes()
    pictures = synthetic_set(6, TINY)
    bias = '[[corrections]]\nkind = "bias"\n'
    nearest = '[[corrections]]\nkind = "round"\nmethod = "nearest"\n'
    recipes = [parse("made", text) for text in ('scheme = "int8"', bias, nearest + bias)]
    plain, alone, both = (quantize_model(FloatModel(content, TINY), r, pictures) for r in recipes)
    assert alone == both != plain


@pytest.mark.slow
@pytest.mark.parametrize("data", ["synthetic", "photographs"])
def test_measured_means_are_of_the_same_pictures_in_both_networks(lite0_float: Path, data: str):
    """Padding and another choice of pictures count as errors else: a false shift of each layer."""
    pictures = replace(synthetic_set(12, LITE), source=data)
    text = find_recipe("int8-bias").text.replace('means = "batchnorm"', 'means = "measured"')
    content = lite0_float.read_bytes()
    quantized = quantize_model(FloatModel(content, LITE), parse("made", text), pictures)
    judged = list(synthetic_set(15, LITE).pictures[12:])
    truth = answers(content, judged)
    noise = np.square(answers(quantized, judged) - truth).sum()
    assert np.square(truth).sum() > 10**1.6 * noise
