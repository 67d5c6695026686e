"""Statistics of the activations, as they travel inside a float .tflite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.reader import parse_model
from edgeeff.tflite.statistics import Statistics, TensorStatistics

KNOWN = Statistics("batchnorm", {"conv": TensorStatistics(np.ones(3, np.float32))})


@pytest.fixture
def graph(tiny_float: Path) -> Graph:
    return Graph.of(tiny_float.read_bytes())


def test_what_was_attached_comes_back(graph) -> None:
    statistics.attach(graph, KNOWN)
    found = statistics.attached(Graph.of(graph.content()))
    assert found is not None
    assert found.tensors["conv"].mean.tolist() == [1, 1, 1]


def test_nothing_stays_of_what_was_detached(graph) -> None:
    statistics.detach(graph)
    assert statistics.attached(graph) is None
    metadata = parse_model(graph.content()).metadata
    assert not any(name.startswith("edgeeff.statistics") for name in metadata)


def test_an_exported_file_is_up_to_date(graph) -> None:
    known = statistics.attached(graph)
    assert known is not None
    assert not known.outdated


def test_other_metadata_does_not_outdate_them(graph) -> None:
    graph.attach("labels", b"cat, dog")
    assert not statistics.attached(Graph.of(graph.content())).outdated


def test_one_changed_weight_outdates_them(tiny_float: Path) -> None:
    graph = Graph.of(tiny_float.read_bytes())
    layer = next(operator for operator in graph.operators if operator.weighted)
    weights = graph.weights(layer).copy()
    weights.flat[0] += np.float32(1e-3)
    graph.set_weights(layer, weights)
    assert statistics.attached(Graph.of(graph.content())).outdated


def test_those_that_do_not_say_whose_they_are_are_outdated(graph) -> None:
    graph.detach(statistics.WEIGHTS_NAME)
    assert statistics.attached(graph).outdated


@pytest.mark.parametrize("source", statistics.SOURCES)
def test_their_source_is_kept(source: str) -> None:
    written = statistics.to_bytes(replace(KNOWN, source=source))
    assert statistics.from_bytes(written).source == source


def test_those_of_a_source_that_is_not_known_are_refused() -> None:
    with pytest.raises(InputError, match="come from 'dreams'"):
        statistics.from_bytes(statistics.to_bytes(replace(KNOWN, source="dreams")))


def test_damaged_ones_are_refused(graph) -> None:
    graph.attach(statistics.METADATA_NAME, b"damaged")
    with pytest.raises(InputError, match="damaged"):
        statistics.attached(graph)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4"])
def test_those_of_a_type_that_numpy_does_not_have_are_refused(dtype: str) -> None:
    size = {"BF16": 4, "F8_E4M3": 2, "F4": 1}[dtype]
    tensor = {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}
    text = json.dumps({"a:mean": tensor}).encode()
    with pytest.raises(InputError, match="damaged"):
        statistics.from_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
