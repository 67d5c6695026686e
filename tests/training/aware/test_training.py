"""What is trained is what ships."""

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.grid import Grid
from edgeeff.quantization.quantize import Ends, assemble, fed_by
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.quantization.writing import writer
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.weights import per_channel
from edgeeff.training.aware import agreement, training
from edgeeff.training.aware.keeping import Kept
from edgeeff.training.aware.learning import Plan, views
from edgeeff.training.aware.network import FakeQuantized
from edgeeff.training.aware.training import train
from tests import networks

PREPROCESSING = Preprocessing.of(networks.tiny_variant())
RECIPE = find_recipe("int8-plain")
SHORT = Plan(steps=60, rate=0.003)


@pytest.fixture(scope="module")
def tiny(tiny_float):
    return FloatModel(tiny_float.read_bytes(), PREPROCESSING)


@pytest.fixture(scope="module")
def corrected(tiny):
    network = correct_network(tiny, RECIPE, synthetic_set(24, PREPROCESSING))
    return fed_by(network, PREPROCESSING, Ends())


@pytest.fixture(scope="module")
def lessons():
    return synthetic_set(48, PREPROCESSING, seed=2).pictures


@pytest.fixture(scope="module")
def trained(corrected, lessons):
    return train(corrected, RECIPE, PREPROCESSING, lessons, SHORT)


def file_of(network):
    return assemble(network, RECIPE, PREPROCESSING, Ends())


def answers(content):
    classifier = Classifier(content, PREPROCESSING)
    others = synthetic_set(40, PREPROCESSING, seed=9).pictures
    return np.concatenate([classifier(picture[None]).logits for picture in others])


@pytest.mark.slow
def test_the_integer_network_learns_to_answer_as_the_float_one(tiny, corrected, trained):
    truth = answers(tiny.content)
    before, after = (fidelity(truth, answers(file_of(n))) for n in (corrected, trained.network))
    assert trained.end_db > trained.start_db
    assert after.sqnr_db > before.sqnr_db
    assert after.kl is not None
    assert before.kl is not None
    assert after.kl < before.kl


def test_the_network_as_it_was_trained_answers_as_its_file(trained):
    graph, pictures = trained.network.graph, synthetic_set(200, PREPROCESSING, seed=9).pictures
    aware = FakeQuantized(trained.network, written(trained.network))
    made = aware.run(graph.operators, {graph.input: pictures.astype(np.float32)})
    probabilities = np.asarray(made[graph.output])
    classifier = Classifier(file_of(trained.network), PREPROCESSING)
    shipped = np.concatenate([classifier(picture[None]).outputs for picture in pictures])
    assert (probabilities.argmax(axis=1) == shipped.argmax(axis=1)).mean() >= 0.99
    assert np.abs(256 * probabilities - shipped).mean() < 2.0


def written(network):
    return Graph.of(writer.write(network.graph, RECIPE, network.grids, network.scales))


def test_each_operator_of_the_file_computes_what_was_trained(trained):
    assert trained.unlike <= agreement.MOST_APART
    assert trained.unlike_of in {operator.name for operator in trained.network.graph.operators}


def test_the_whole_file_answers_as_what_was_trained(trained):
    # Of random weights: many pictures lie between two classes.
    assert trained.same_answers >= 0.95


def test_a_file_of_other_weights_does_not_answer_as_what_was_trained(trained, lessons):
    graph = trained.network.graph.copy()
    last = next(o for o in reversed(graph.operators) if o.kind == "FULLY_CONNECTED")
    graph.set_weights(last, -graph.weights(last))
    aware = FakeQuantized(trained.network, written(trained.network))
    other = written(replace(trained.network, graph=graph))
    pictures = lessons.astype(np.float32)
    assert agreement.same_answers(aware, other, last.output, pictures) < 0.9


def test_a_file_that_computes_something_else_is_refused_with_the_layer_s_name(corrected):
    aware = FakeQuantized(corrected, written(corrected))
    picture = np.full((1, 32, 32, 3), 100.0, np.float32)
    agreement.checked(aware, written(corrected), picture)
    layer = next(o for o in corrected.graph.operators if "block2a_project" in o.name)
    grid = corrected.grids[layer.output]
    narrow = Grid(grid.scale / 4, grid.zero_point)
    other = written(replace(corrected, grids={**corrected.grids, layer.output: narrow}))
    with pytest.raises(InputError, match=f"{layer.name} differs in"):
        agreement.checked(aware, other, picture)


def test_learned_ranges_and_weights_go_into_the_file_as_they_are(trained):
    network, made = trained.network, written(trained.network)
    named = {tensor.name: tensor for tensor in made.tensors}
    for number, grid in network.grids.items():
        tensor = named[network.graph.name(number)]
        assert tensor.scales == pytest.approx((grid.scale,), rel=1e-5)
        assert tensor.zero_points == (grid.zero_point,)
    for operator in (one for one in network.graph.operators if one.weighted):
        kernel = named[network.graph.name(operator.inputs[1])]
        rows = per_channel(operator, network.graph.weights(operator))
        steps = per_channel(operator, kernel.values.astype(np.float32))
        scales = np.array(kernel.scales)[:, None]
        np.testing.assert_allclose(steps * scales, rows, atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(
    corrected, lessons, monkeypatch
):
    # The last block alone: it is ready at once.
    monkeypatch.setattr(training, "MOST_VALUES", 1)
    # So few steps need not be better than none: the last ones count.
    monkeypatch.setattr(Kept, "or_better", lambda kept, other: other)

    def made(seed):
        plan = Plan(steps=2, seed=seed)
        return file_of(train(corrected, RECIPE, PREPROCESSING, lessons, plan).network)

    assert made(0) == made(0)
    assert made(0) != made(1)


def test_every_picture_is_shown_before_one_is_shown_again():
    pictures = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    shown = np.concatenate(list(views(pictures, Plan(steps=6, batch=4))))
    colours = shown[:, 4, 4, 0]
    assert sorted(colours[:12]) == sorted(colours[12:]) == list(range(12))


def test_a_network_whose_answers_are_not_finite_is_refused(corrected, lessons, monkeypatch):
    monkeypatch.setattr(training, "MOST_VALUES", 1)
    graph = corrected.graph.copy()
    layer = next(o for o in reversed(graph.operators) if o.kind == "FULLY_CONNECTED")
    kernel, bias = corrected.unrounded[layer.name]
    broken = {**corrected.unrounded, layer.name: (np.full_like(kernel, np.nan), bias)}
    with pytest.raises(InputError, match="no number"):
        train(replace(corrected, unrounded=broken), RECIPE, PREPROCESSING, lessons, SHORT)
    # What the caller draws at random needs no seed because a training failed.
    assert tf.random.uniform([2]).shape == (2,)


@pytest.mark.slow
def test_operators_may_draw_without_a_seed_again_after_a_training(trained):
    assert tf.random.uniform([2]).shape == (2,)
