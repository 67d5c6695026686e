"""The value that every source makes and every later step takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import of_family
from edgeeff.tflite import statistics
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph

IMAGENET = of_family("imagenet", 32)

provenances = st.builds(
    Provenance,
    source=st.text(),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    trained=st.booleans(),
    notes=st.lists(st.text()).map(tuple),
)


@given(provenances)
def test_a_provenance_comes_back_from_json(weights):
    assert Provenance.from_json(json.loads(json.dumps(weights.to_json()))) == weights


@pytest.mark.parametrize("missing", ["source", "sha256", "trained"])
def test_a_provenance_that_lacks_a_field_is_refused_by_its_name(missing):
    fields = {key: value for key, value in Provenance("none").to_json().items() if key != missing}
    with pytest.raises(InputError, match=missing):
        Provenance.from_json(fields)


@pytest.mark.parametrize("malformed", [None, 3, "none", ["none"]])
def test_a_provenance_that_is_no_object_is_refused(malformed):
    with pytest.raises(InputError, match="malformed"):
        Provenance.from_json(malformed)


@pytest.mark.parametrize(
    ("weights", "untrained"),
    [(None, False), (Provenance("none"), True), (Provenance("b0.h5", trained=True), False)],
    ids=["unknown", "untrained", "trained"],
)
def test_only_weights_that_are_known_to_be_untrained_are(weights, untrained):
    assert FloatModel(b"", IMAGENET, weights=weights).untrained == untrained


def test_what_the_source_knows_of_the_activations_is_in_the_model(tiny_float: Path):
    model = FloatModel(tiny_float.read_bytes(), IMAGENET)
    assert model.statistics is not None
    assert model.statistics.source == "batchnorm"
    names = {tensor.name for tensor in model.graph.tensors}
    assert set(model.statistics.tensors) <= names


def test_a_network_from_elsewhere_has_no_statistics(tiny_float: Path):
    graph = Graph.of(tiny_float.read_bytes())
    statistics.detach(graph)
    assert FloatModel(graph.content(), IMAGENET).statistics is None


def test_changed_weights_are_not_described_any_more(tiny_float: Path):
    graph = Graph.of(tiny_float.read_bytes())
    layer = next(operator for operator in graph.operators if operator.weighted)
    graph.set_weights(layer, graph.weights(layer) * np.float32(1.01))
    known = FloatModel(graph.content(), IMAGENET).statistics
    assert known is not None
    assert known.outdated


def test_a_damaged_file_is_refused(tiny_float: Path):
    with pytest.raises(InputError, match="damaged"):
        _ = FloatModel(tiny_float.read_bytes()[:1000], IMAGENET).graph
