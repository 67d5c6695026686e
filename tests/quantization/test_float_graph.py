import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import check_network, quantize_model
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.runner import Runner
from tests.accelerators.graphs import GraphWriter

SIDE, CHANNELS = 8, 4
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
    """Channels split in two, of which the second half goes on to the mean."""
    writer = GraphWriter()
    image = writer.tensor((1, SIDE, SIDE, CHANNELS), "float32")
    axis = writer.tensor((), "int32", 3)
    half = (1, SIDE, SIDE, CHANNELS // 2)
    options = schema.SplitOptionsT(numSplits=2)
    writer.add("SPLIT", (axis, image), half, dtype="float32", options=options)
    second = writer.tensor(half, "float32")
    writer.operators[-1].outputs.append(second)
    axes = writer.tensor((2,), "int32", [1, 2])
    mean = writer.add("MEAN", (second, axes), (1, CHANNELS // 2), dtype="float32")
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


@pytest.mark.parametrize("recipe", ["int8", "int8-plain", "dynamic", "weight-only"])
def test_an_operator_with_several_outputs_is_refused_by_name(recipe: str):
    with pytest.raises(InputError, match="operator 0, SPLIT, makes 2 tensors"):
        check_network(FloatModel(with_split(), PREPROCESSING), find_recipe(recipe))


def test_an_operator_with_several_outputs_passes_where_no_activation_is_looked_at():
    check_network(FloatModel(with_split(), PREPROCESSING), find_recipe("float16"))


def test_quantize_model_refuses_an_operator_with_several_outputs_as_well():
    pictures = synthetic_set(2, PREPROCESSING)
    with pytest.raises(InputError, match="SPLIT"):
        quantize_model(FloatModel(with_split(), PREPROCESSING), find_recipe("int8"), pictures)
