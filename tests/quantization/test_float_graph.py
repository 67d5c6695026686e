from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeeff.errors import InputError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.pictures.preprocessing import from_options, of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import correctable, float_graph
from edgeeff.quantization.quantize import check_network, quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.runner import Runner
from tests.accelerators.graphs import GraphWriter
from tests.small_classifiers import SmallClassifier
from tests.tflite import objects

SIDE = 8
PREPROCESSING = of_family("imagenet", SIDE)


def with_shared_constants() -> bytes:
    """Two convolutions that share kernel and bias, and a sum with the same bias."""
    random, writer = np.random.default_rng(0), GraphWriter()
    kernel = writer.tensor(
        (3, 1, 1, 3), "float32", random.normal(size=(3, 1, 1, 3)).astype(np.float32)
    )
    bias = writer.tensor((3,), "float32", random.normal(size=3).astype(np.float32))
    image = last = writer.tensor((1, SIDE, SIDE, 3), "float32")
    for _ in range(2):
        options = schema.Conv2DOptionsT(strideH=1, strideW=1)
        last = writer.add(
            "CONV_2D", (last, kernel, bias), (1, SIDE, SIDE, 3), dtype="float32", options=options
        )
    result = writer.add(
        "ADD", (last, bias), (1, SIDE, SIDE, 3), dtype="float32", options=schema.AddOptionsT()
    )
    return writer.content([image], [result])


def with_split() -> bytes:
    """Pictures split in two, of which the second half goes on to the mean."""
    writer = GraphWriter()
    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    axis = writer.tensor((), "int32", 2)
    half = (1, SIDE, SIDE // 2, 3)
    options = schema.SplitOptionsT(numSplits=2)
    writer.add("SPLIT", (axis, image), half, dtype="float32", options=options)
    second = writer.tensor(half, "float32")
    writer.operators[-1].outputs.append(second)
    axes = writer.tensor((2,), "int32", [1, 2])
    mean = writer.add("MEAN", (second, axes), (1, 3), dtype="float32")
    return writer.content([image], [mean])


def test_a_constant_that_several_layers_share_is_changed_for_one_of_them():
    graph = float_graph(with_shared_constants())
    first, second, _ = graph.operators
    kernel, bias = graph.weights(first), graph.bias(first)
    graph.set_weights(second, 2 * kernel)
    graph.set_bias(second, bias + 1)
    assert np.array_equal(graph.weights(first), kernel)
    assert np.array_equal(graph.bias(first), bias)


def test_a_constant_that_another_kind_of_operator_reads_stays_for_it():
    graph = float_graph(with_shared_constants())
    *layers, added = graph.operators
    assert not {layer.inputs[2] for layer in layers} & set(added.inputs)


def test_copies_of_constants_have_names_of_their_own():
    graph = float_graph(with_shared_constants())
    names = [graph.name(tensor) for operator in graph.operators for tensor in operator.inputs]
    assert len(set(names)) == len({t for operator in graph.operators for t in operator.inputs})


def test_copies_of_constants_leave_the_function_as_it_is():
    content = with_shared_constants()
    picture = np.random.default_rng(1).uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    found = Runner(float_graph(content).content()).run(picture)[0]
    assert np.array_equal(found, Runner(content).run(picture)[0])


@pytest.mark.parametrize("recipe", ["int8", "int8-plain", "int16x8", "dynamic", "float16"])
def test_every_output_of_an_operator_has_a_range(recipe: str):
    model, named = FloatModel(with_split(), PREPROCESSING), find_recipe(recipe)
    check_network(model)
    content = quantize_model(model, named, synthetic_set(4, PREPROCESSING))
    assert parse_model(content).integer_only == (named.static)
    classifiers = [Classifier(one, PREPROCESSING) for one in (with_split(), content)]
    pictures = synthetic_set(4, PREPROCESSING, seed=3).pictures
    float_, made = (np.concatenate([it(p[None]).logits for p in pictures]) for it in classifiers)
    # A few logits lie beyond the range, which recipes cut.
    assert np.median(np.abs(made - float_)) < 0.02


def renamed(content: bytes, name: str) -> bytes:
    """The same network, all its tensors called alike."""
    graph = Graph.of(content)
    for tensor in graph.tensors:
        graph.rename(tensor.index, name)
    return graph.content()


@pytest.mark.parametrize("name", ["", "x"])
def test_tensors_without_names_of_their_own_get_one(name: str):
    graph = float_graph(renamed(with_shared_constants(), name))
    assert len({tensor.name for tensor in graph.tensors}) == len(graph.tensors)
    assert all(tensor.name for tensor in graph.tensors)


def ending_in(dtype: str) -> bytes:
    """A network whose answer is of another type."""
    writer = GraphWriter()
    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    axis = writer.tensor((1,), "int32", 3)
    return writer.content([image], [writer.add("ARG_MAX", (image, axis), (1, SIDE), dtype=dtype)])


def test_a_network_that_gives_no_scores_is_refused_by_its_operator():
    with pytest.raises(InputError, match="ends in ARG_MAX, which gives no scores"):
        check_network(FloatModel(ending_in("int64"), PREPROCESSING))


def test_weights_in_half_precision_are_refused_before_any_work():
    writer = GraphWriter()
    image = writer.tensor((1, SIDE, SIDE, 3), "float32")
    half = writer.tensor((3,), "float16", np.ones(3, np.float16))
    content = writer.content([image], [writer.add("ADD", (image, half), (1, 3), dtype="float32")])
    with pytest.raises(InputError, match="float16"):
        float_graph(content)


def _keep_state(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].isVariable = True


def _put_elsewhere(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].externalBuffer = 1


def _answer_with_a_constant(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.operators[-1].inputs = [graph.operators[0].inputs[1]]


def _fill_weights(value: float) -> Callable[[Any], None]:
    def fill(model: Any) -> None:
        graph = model.subgraphs[0]
        weights = model.buffers[graph.tensors[graph.operators[0].inputs[1]].buffer]
        values = np.full(len(weights.data) // 4, value, np.float32)
        weights.data = np.frombuffer(values.tobytes(), np.uint8)

    return fill


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_keep_state, "keeps .* from one picture to the next"),
        (_put_elsewhere, "are in another file"),
        (_answer_with_a_constant, "does not depend on the picture"),
        (_fill_weights(float("nan")), "not finite"),
        (_fill_weights(1e30), r"above 1e\+15"),
    ],
)
def test_what_no_classifier_has_is_refused_before_any_work(change, words):
    net = SmallClassifier(SIDE)
    scores = net.dense(net.mean(net.convolution(net.image, 8)), 5)
    model = objects.unpack(net.content(net.alone(scores, "SOFTMAX")))
    change(model)
    with pytest.raises(InputError, match=words):
        check_network(FloatModel(objects.pack(model), PREPROCESSING))


@pytest.mark.parametrize("joined", [1, 2])
def test_a_softmax_of_one_value_is_refused_before_any_work(joined: int) -> None:
    """It answers 1 to every picture, alone or one beside the other."""
    net = SmallClassifier(SIDE)
    features = net.mean(net.convolution(net.image, 8))
    ones = [net.alone(net.dense(features, 1), "SOFTMAX") for _ in range(joined)]
    network = net.content(net.concatenated(*ones) if joined > 1 else ones[0])
    with pytest.raises(InputError, match="a softmax of one value") as refused:
        check_network(FloatModel(network, PREPROCESSING))
    assert "sigmoid" in str(refused.value.hint)


def test_grey_pictures_that_are_repeated_for_rgb_stay_integers() -> None:
    """As tf.image.grayscale_to_rgb does it, in front of a network that was trained on RGB."""
    net = SmallClassifier((16, 16, 1))
    times = net.constant(np.array([1, 1, 1, 3]))
    colours = net.add("TILE", (net.image, times), (1, 16, 16, 3))
    layer = net.convolution(colours, 8, stride=2, activation="RELU")
    network = net.content(net.dense(net.mean(layer), 5))
    how = from_options((16, 16, 1), "127", "128")
    picture = how.normalised(synthetic_set(1, how).pictures)
    joined = correctable(Graph.of(network))
    np.testing.assert_array_equal(
        Runner(joined.content()).run(picture)[0], Runner(network).run(picture)[0]
    )
    model = FloatModel(network, how)
    made = quantize_model(model, find_recipe("int8"), synthetic_set(8, how))
    assert parse_model(made).integer_only


def test_averages_of_the_whole_picture_have_steps_of_their_own() -> None:
    """Those of pooled values are the steps of what they are pooled from, in every kernel."""
    net = SmallClassifier(SIDE)
    layer = net.convolution(net.image, 8, activation="RELU")
    pooled = net.pool(layer, "AVERAGE_POOL_2D", SIDE, SIDE)
    network = net.content(net.dense(pooled, 5))
    graph = correctable(Graph.of(network))
    assert [operator.kind for operator in graph.operators][1] == "MEAN"
    picture = PREPROCESSING.normalised(synthetic_set(1, PREPROCESSING).pictures)
    found, wanted = (Runner(content).run(picture)[0] for content in (graph.content(), network))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    recipe, pictures = find_recipe("int8-plain"), synthetic_set(8, PREPROCESSING)
    made = parse_model(quantize_model(FloatModel(network, PREPROCESSING), recipe, pictures))
    (mean,) = (operator for operator in made.operators if operator.kind == "MEAN")
    source, averages = (made.graphs[0].tensors[it] for it in (mean.inputs[0], mean.output))
    assert averages.scales[0] < source.scales[0] / 2


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (SIDE // 2, SIDE), (SIDE, 1)])
def test_averages_of_parts_stay_as_they_are(size: int, stride: int) -> None:
    net = SmallClassifier(SIDE)
    pooled = net.pool(net.convolution(net.image, 8), "AVERAGE_POOL_2D", size, stride)
    graph = correctable(Graph.of(net.content(net.dense(pooled, 5))))
    assert "AVERAGE_POOL_2D" in [operator.kind for operator in graph.operators]


def test_what_breaks_the_quantizer_s_own_reader_is_refused():
    """An old reader's code alone says what the last operator is: it finds none of this kind."""
    net = SmallClassifier(SIDE)
    scores = net.dense(net.mean(net.convolution(net.image, 8)), 5)
    model = objects.unpack(net.content(net.alone(scores, "SOFTMAX")))
    model.operatorCodes[-1].builtinCode = -1
    network, recipe = FloatModel(objects.pack(model), PREPROCESSING), find_recipe("int8-plain")
    with pytest.raises(InputError, match="litert-quantizer refuses the network: "):
        quantize_model(network, recipe, synthetic_set(4, PREPROCESSING))


def test_more_pictures_at_once_than_any_app_has_are_refused() -> None:
    network = SmallClassifier(SIDE)
    graph = Graph.of(network.content(network.dense(network.mean(network.image), 4)))
    graph.resize(graph.input, (32768, SIDE, SIDE, 3))
    with pytest.raises(InputError, match="takes 32,768 pictures at once"):
        check_network(FloatModel(graph.content(), PREPROCESSING))


def test_an_operator_that_makes_nothing_is_refused() -> None:
    network = SmallClassifier(SIDE)
    pooled = network.pool(network.image, "AVERAGE_POOL_2D")
    graph = Graph.of(network.content(network.dense(network.mean(pooled), 4)))
    graph.resize(pooled, (1, 0, 0, 3))
    with pytest.raises(InputError, match=r"the AVERAGE_POOL_2D .* makes nothing of a picture"):
        check_network(FloatModel(graph.content(), PREPROCESSING))
