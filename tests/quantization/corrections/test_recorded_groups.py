"""A float network follows what was done to the channels of the quantized one."""

import json

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.evaluation.layers.report import layer_errors
from edgeeff.pictures.preprocessing import of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.quantization.calibration.observation import observe
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.corrections.channel_groups import take_apart
from edgeeff.quantization.corrections.grouping import Activations, Grouped, group
from edgeeff.quantization.corrections.recorded_groups import METADATA_NAME, grouped_as, record
from edgeeff.quantization.corrections.regions import regions
from edgeeff.quantization.float_graph import float_graph
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import Group, Ranges, parse
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph

PREPROCESSING = of_family("lite", 32)
LAYER = "block2a_expand_bn"
RECIPE = """
summary = "groups"
scheme = "int8"
[[corrections]]
kind = "group"
unit = 2
narrow = {narrow}
enough_db = 30.0
"""


@pytest.fixture
def graph(tiny_float) -> Graph:
    """A network of swish and squeeze-excite in which some channels reach farther than others."""
    graph = float_graph(tiny_float.read_bytes())
    for region in regions(graph):
        for maker in region.makers:
            kernel = graph.weights(maker).copy()
            kernel[:2] *= 64.0
            graph.set_weights(maker, kernel)
    return graph


def constants(graph: Graph) -> dict[str, np.ndarray]:
    return {t.name: t.values for t in graph.tensors if t.values is not None}


@pytest.mark.parametrize("narrow", [0, 4096])
def test_a_float_network_gets_the_same_tensors(graph, narrow):
    changed, random = graph.copy(), np.random.default_rng(0)
    noise = [random.normal(size=(1, 32, 32, 3)).astype(np.float32) for _ in range(2)]
    rule = Group(most=3, narrow=narrow, unit=2, enough_db=30.0)
    done = group(changed, Activations(observe(changed, noise), {}, Ranges()), rule)
    changed.drop_unused()
    record(changed, done)
    followed = grouped_as(graph, Graph.of(changed.content()))
    assert done
    assert_same(followed, changed)


def assert_same(followed: Graph, changed: Graph) -> None:
    assert [o.name for o in followed.operators] == [o.name for o in changed.operators]
    found, wanted = constants(followed), constants(changed)
    assert found.keys() == wanted.keys()
    assert all(np.allclose(found[name], wanted[name], rtol=2e-7, atol=0) for name in wanted)


def test_as_many_groups_as_a_recipe_may_ask_for_are_recorded(graph):
    changed = graph.copy()
    region = next(r for r in regions(changed) if r.channels >= 16)
    members = tuple(np.arange(start, region.channels, 16) for start in range(16))
    tensors = take_apart(changed, region, members)
    changed.drop_unused()
    record(changed, [Grouped(region.makers[0].name, 0.0, None, members, tensors, {})])
    assert_same(grouped_as(graph, changed), changed)


def test_a_network_without_a_record_is_compared_as_it_is(graph):
    assert grouped_as(graph, graph) is graph


@pytest.mark.parametrize(
    "found",
    [b"{", b"[]", b"[" * 100_000, {LAYER: "01"}, {LAYER: "\u0660"}, {LAYER: 3}],
    ids=["cut", "list", "deep", "short", "digit", "number"],
)
def test_a_damaged_record_is_refused(graph, found):
    changed = graph.copy()
    changed.attach(METADATA_NAME, found if isinstance(found, bytes) else json.dumps(found).encode())
    with pytest.raises(InputError, match="damaged"):
        grouped_as(graph, changed)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), "1", None, True])
def test_a_factor_that_cannot_be_divided_by_is_refused(graph, factor):
    changed, region = graph.copy(), regions(graph)[0]
    name, tensor = region.makers[0].name, graph.name(region.tensors[0])
    found = {name: {tensor: [factor] * region.channels}}
    changed.attach(METADATA_NAME, json.dumps(found).encode())
    with pytest.raises(InputError, match="damaged"):
        grouped_as(graph, changed)


def test_the_record_of_another_network_is_refused(graph):
    changed = graph.copy()
    changed.attach(METADATA_NAME, b'{"other": "01"}')
    with pytest.raises(InputError, match="'other'"):
        grouped_as(graph, changed)


@pytest.mark.parametrize("narrow", [0, 4096])
def test_the_layer_report_is_of_all_layers_of_a_grouped_network(graph, narrow):
    recipe = parse("groups", RECIPE.format(narrow=narrow))
    model = FloatModel(graph.content(), PREPROCESSING)
    made = Graph.of(quantize_model(model, recipe, synthetic_set(4, PREPROCESSING)))
    pictures = list(synthetic_pictures(2, 32, seed=9))
    errors = layer_errors(made, graph, pictures, PREPROCESSING)
    reported = {error.name for error in errors}
    layers = {o.name for o in made.operators if made.tensor(o.output).dtype == "int8"}
    kind = "unscaled" if narrow else "group0"
    assert any(name.endswith(f"/{kind}") for name in reported)
    assert {o.name for o in made.operators if o.weighted} & layers <= reported
    weights = [error.weight_sqnr_db for error in errors if error.weight_sqnr_db is not None]
    assert np.median(weights) > 25.0
