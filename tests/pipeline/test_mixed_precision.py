import json

import numpy as np
import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.cli import main
from edgeeff.errors import UsageError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import Preprocessing, from_options
from edgeeff.pipeline.mixed_precision import Budget, blocks_of, search
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe, parse
from edgeeff.tflite.float_model import FloatModel
from tests import networks
from tests.small_classifiers import SmallClassifier

BUDGET = 6000


@pytest.fixture(scope="module")
def tiny(tiny_float):
    preprocessing = Preprocessing.of(networks.tiny_variant())
    pictures = synthetic_set(8, preprocessing)
    model = FloatModel(tiny_float.read_bytes(), preprocessing)
    return model, find_recipe("int8-swish"), pictures


@pytest.fixture(scope="module")
def found(tiny):
    model, recipe, pictures = tiny
    return search(model, recipe, pictures, Budget(bytes=BUDGET))


def test_an_efficientnet_has_the_blocks_of_its_names(tiny_float):
    blocks = blocks_of(float_graph(tiny_float.read_bytes()))
    assert list(blocks)[:2] == ["stem", "block1a"]
    assert all(name.startswith("block1a_") for name in blocks["block1a"])


def test_elsewhere_each_layer_with_weights_begins_a_block(tiny_float):
    graph = float_graph(tiny_float.read_bytes())
    for index, operator in enumerate(graph.operators):
        graph.rename(operator.output, f"layer{index}")
    firsts = [layers[0] for layers in blocks_of(graph).values()]
    weighted = [operator.name for operator in graph.operators if operator.weighted]
    assert [name for name in firsts if name in weighted] == weighted


def test_the_layer_that_an_app_reads_is_never_kept(tiny_float):
    graph = float_graph(tiny_float.read_bytes())
    layers = [name for block in blocks_of(graph).values() for name in block]
    assert graph.name(graph.output) not in layers


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"bytes": 1, "latency_percent": 1.0}, "two budgets"),
        ({"bytes": 0}, "a budget of 0 bytes"),
        ({"latency_percent": -1.0}, "a budget of -1% time"),
    ],
)
def test_a_budget_that_cannot_be_meant_is_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        Budget(**wrong)


@pytest.mark.parametrize("name", ["int16x8", "int8-mixed", "float16"])
def test_only_a_full_integer_recipe_is_searched_in(tiny, name):
    model, _, pictures = tiny
    with pytest.raises(UsageError, match="full-integer"):
        search(model, find_recipe(name), pictures)


@pytest.mark.slow
def test_what_is_kept_stays_within_the_budget(tiny, found):
    model, _, pictures = tiny
    made = quantize_model(model, found.recipe, pictures)
    assert found.kept
    assert len(made) - len(found.whole) <= BUDGET


@pytest.mark.slow
def test_each_step_takes_off_noise(found):
    ratios = [found.sqnr_db, *(kept.sqnr_db for kept in found.kept)]
    assert ratios == sorted(ratios)


def test_a_layer_in_float_before_a_softmax_in_integers_is_judged_as_the_file_has_it():
    """Its logits go to the softmax's grid."""
    net, how = SmallClassifier(16), from_options(16, "127.5", "127.5", "bilinear:1")
    layer = net.convolution(net.image, 8, stride=2, activation="RELU6")
    logits = net.dense(net.mean(layer), 5)
    model = FloatModel(net.content(net.alone(logits, "SOFTMAX")), how)
    pictures, plain = synthetic_set(8, how), find_recipe("int8-plain")
    found = search(model, plain, pictures, Budget(bytes=BUDGET))
    assert model.graph.name(logits) in found.kept[-1].blocks
    file = quantize_model(model, found.recipe, pictures)
    truth, own = (Classifier(it, how)(pictures.pictures).logits for it in (model.content, file))
    shares = np.square(truth - own).sum(axis=1) / np.square(truth).sum(axis=1)
    assert found.kept[-1].sqnr_db == pytest.approx(-10 * np.log10(shares.mean()), abs=0.01)


@pytest.mark.slow
def test_full_integer_is_what_the_recipe_alone_gives(tiny, found):
    model, recipe, pictures = tiny
    assert quantize_model(model, recipe, pictures) == found.whole


@pytest.mark.slow
def test_the_recipe_found_is_a_file_that_gives_the_same_model(tiny, found):
    model, _, pictures = tiny
    again = parse("mine", found.recipe.text)
    assert again.exceptions == found.recipe.exceptions
    made = [quantize_model(model, which, pictures) for which in (found.recipe, again)]
    assert made[0] == made[1]


@pytest.mark.slow
def test_the_same_search_twice_finds_the_same(tiny, found):
    model, recipe, pictures = tiny
    again = search(model, recipe, pictures, Budget(bytes=BUDGET))
    assert again.to_json() == found.to_json()


@pytest.mark.slow
def test_a_budget_in_time_tries_int16_too(tiny):
    model, recipe, pictures = tiny
    found = search(model, recipe, pictures, Budget(latency_percent=500.0))
    assert {run.precision for run in found.tried} == {"float16", "int16"}
    assert all(run.slower_percent <= 500 for run in (*found.tried, *found.kept))


@pytest.mark.slow
def test_two_percent_more_bytes_lift_lite0_by_two_decibels(lite0_float, photographs):
    preprocessing = Preprocessing.of(find_variant("lite0"))
    content, pictures = lite0_float.read_bytes(), synthetic_set(24, preprocessing)
    network = FloatModel(content, preprocessing)
    found = search(network, find_recipe("int8"), pictures)
    made = quantize_model(network, found.recipe, pictures)
    assert len(made) <= 1.02 * len(found.whole)
    judged = np.stack([preprocessing.pixels(image) for image in photographs.values()])

    def logits(model):
        classifier = Classifier(model, preprocessing)
        return np.concatenate([classifier(picture[None]).logits for picture in judged])

    truth = logits(content)
    ratios = [fidelity(truth, logits(model)).sqnr_db for model in (found.whole, made)]
    assert ratios[1] > ratios[0] + 2


def command(tiny_float, folder, *words):
    variant = Preprocessing.of(networks.tiny_variant())
    said = {"--mean": variant.mean, "--std": variant.std}
    options = [word for name, each in said.items() for word in (name, ",".join(map(str, each)))]
    with pytest.raises(SystemExit) as ended:
        main(["quantize", str(tiny_float), "--output", str(folder), *options, *words])
    return ended.value.code


@pytest.mark.slow
def test_the_command_says_what_it_kept_and_how_full_int8_compares(tiny_float, tmp_path, capsys):
    words = ["--recipe", "int8-swish", "--mixed", "--budget-bytes", str(BUDGET), "--json"]
    assert command(tiny_float, tmp_path, *words, "--calibration-count", "8") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["mixed"]["kept"]
    assert said["bytes"] - said["mixed"]["full_integer"]["bytes"] <= BUDGET
    assert "[[exceptions]]" in said["recipe"]["text"]


def test_a_budget_without_a_search_is_wrong_usage(tiny_float, tmp_path, capsys):
    assert command(tiny_float, tmp_path, "--budget-bytes", "6000") == 2
    assert "--mixed" in capsys.readouterr().err
