"""Statistics of the activations, as they travel inside a float .tflite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeeff.errors import InputError
from edgeeff.quantization.graph import Graph
from edgeeff.tflite import rewrite, statistics
from edgeeff.tflite.statistics import Statistics, TensorStatistics

KNOWN = Statistics("batchnorm", 0, {"conv": TensorStatistics(np.ones(3, np.float32))})


@pytest.fixture
def model(tiny_float: Path) -> rewrite.ModelObject:
    return rewrite.unpack(tiny_float.read_bytes())


def test_what_was_attached_comes_back(model) -> None:
    statistics.attach(model, KNOWN)
    found = statistics.attached(rewrite.unpack(rewrite.pack(model)))
    assert found is not None
    assert found.tensors["conv"].mean.tolist() == [1, 1, 1]


def test_nothing_stays_of_what_was_detached(model) -> None:
    statistics.detach(model)
    assert statistics.attached(model) is None
    assert not any(name.startswith(b"edgeeff.statistics") for name in names(model))


def test_an_exported_file_is_up_to_date(model) -> None:
    known = statistics.attached(model)
    assert known is not None
    assert not known.outdated


def test_other_metadata_does_not_outdate_them(model) -> None:
    rewrite.add_metadata(model, "labels", b"cat, dog")
    assert not statistics.attached(rewrite.unpack(rewrite.pack(model))).outdated


def test_one_changed_weight_outdates_them(tiny_float: Path) -> None:
    graph = Graph(tiny_float.read_bytes())
    layer = next(operator for operator in graph.operators if operator.weighted)
    weights = graph.weights(layer)
    weights.flat[0] += np.float32(1e-3)
    graph.set_weights(layer, weights)
    assert statistics.attached(rewrite.unpack(graph.content())).outdated


def test_those_that_do_not_say_whose_they_are_are_outdated(model) -> None:
    rewrite.remove_metadata(model, statistics.WEIGHTS_NAME)
    assert statistics.attached(model).outdated


@pytest.mark.parametrize("source", statistics.SOURCES)
def test_their_source_is_kept(source: str) -> None:
    written = statistics.to_bytes(replace(KNOWN, source=source))
    assert statistics.from_bytes(written).source == source


def test_those_of_a_source_that_is_not_known_are_refused() -> None:
    with pytest.raises(InputError, match="come from 'dreams'"):
        statistics.from_bytes(statistics.to_bytes(replace(KNOWN, source="dreams")))


def test_damaged_ones_are_refused(model) -> None:
    rewrite.add_metadata(model, statistics.METADATA_NAME, b"damaged")
    with pytest.raises(InputError, match="damaged"):
        statistics.attached(model)


def names(model: rewrite.ModelObject) -> list[bytes]:
    return [
        entry.name if isinstance(entry.name, bytes) else entry.name.encode()
        for entry in model.metadata
    ]
