"""What a user's BatchNorm layers tell of the exported graph's activations."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeeff.network import model_export, model_files
from edgeeff.network.graph_moments import RULES
from edgeeff.network.normal_moments import Moments, activated
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.statistics import TensorStatistics

SIDE = 16
BATCHNORMS = ("stem_bn", "depthwise_bn", "project_bn")


def network(keras: Any, *, nested: bool = False) -> Any:
    """Convolutions with BatchNorm and three activations, a sum, a head."""
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, 2, use_bias=False)(image)
    x = start = layers.ReLU(6.0)(layers.BatchNormalization(name="stem_bn")(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.Activation("swish")(layers.BatchNormalization(name="depthwise_bn")(x))
    x = layers.BatchNormalization(name="project_bn")(layers.Conv2D(8, 1, use_bias=False)(x))
    x = layers.Add()([start, x])
    trunk = keras.Model(image, x, name="trunk")
    random = np.random.default_rng(0)
    for name in BATCHNORMS:
        beta, gamma = random.normal(0, 1, 8), random.uniform(0.5, 2, 8)
        mean, variance = random.normal(0, 1, 8), random.uniform(0.5, 2, 8)
        trunk.get_layer(name).set_weights([gamma, beta, mean, variance])
    outer = keras.Input((SIDE, SIDE, 3)) if nested else image
    x = layers.GlobalAveragePooling2D()(trunk(outer) if nested else x)
    return keras.Model(outer, layers.Dense(3, activation="softmax")(x))


def batchnorm(model: Any, name: str) -> Moments:
    """As a BatchNorm layer has it."""
    owner = next((it for it in model.layers if it.name == "trunk"), model)
    gamma, beta, *_ = owner.get_layer(name).get_weights()
    return Moments(np.float64(beta), np.abs(np.float64(gamma)), normal=True)


def exported(read: model_files.Classifier) -> tuple[Graph, Mapping[str, TensorStatistics]]:
    """The graph, and what is known of it."""
    graph = model_export.exported(read, (SIDE, SIDE, 3), 1).graph
    found = statistics.attached(graph)
    assert found is not None
    assert (found.source, found.outdated) == ("batchnorm", False)
    return graph, found.tensors


def assert_like(found: TensorStatistics, wanted: Moments | None) -> None:
    assert wanted is not None
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-4, atol=1e-5)
    assert (found.deviation is None) == (wanted.deviation is None)
    if wanted.deviation is not None:
        np.testing.assert_allclose(found.deviation, wanted.deviation, rtol=1e-4, atol=1e-5)


def saved(module: str, kind: str, folder: Path) -> tuple[Any, model_files.Classifier]:
    """A model, and what reading it gives."""
    model = network(importlib.import_module(module), nested=kind == "nested")
    if kind == "export":
        model.export(str(folder / "net"))
        return model, model_files.read(folder / "net")
    model.save(folder / "net.keras")
    return model, model_files.read(folder / "net.keras")


@pytest.mark.parametrize(
    ("module", "kind"),
    [("tf_keras", "flat"), ("tf_keras", "nested"), ("tf_keras", "export"), ("keras", "export")],
)
def test_activations_are_described_as_their_batchnorm_says(
    module: str, kind: str, tmp_path: Path
) -> None:
    model, read = saved(module, kind, tmp_path)
    graph, known = exported(read)
    stem, depthwise, project = (batchnorm(model, name) for name in BATCHNORMS)
    wanted = {
        ("CONV_2D", "RELU6"): activated(stem, "relu6"),
        ("DEPTHWISE_CONV_2D", "NONE"): depthwise,
        ("LOGISTIC", "NONE"): activated(depthwise, "sigmoid"),
        ("MUL", "NONE"): activated(depthwise, "swish"),
        ("CONV_2D", "NONE"): project,
    }
    made = {(it.kind, it.activation): graph.name(it.output) for it in graph.operators}
    for operator, moments in wanted.items():
        assert_like(known[made[operator]], moments)


def test_a_sum_and_an_average_and_a_dense_layer_follow() -> None:
    model = network(importlib.import_module("tf_keras"))
    graph, known = exported(model_files.of_model(model))
    stem, project = (batchnorm(model, name) for name in ("stem_bn", "project_bn"))
    start = activated(stem, "relu6")
    assert start is not None
    mean = start.mean + project.mean
    made = {it.kind: graph.name(it.output) for it in graph.operators}
    np.testing.assert_allclose(known[made["ADD"]].mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(known[made["MEAN"]].mean, mean, rtol=1e-4, atol=1e-5)
    assert known[made["MEAN"]].deviation is None
    kernel, bias = model.layers[-1].get_weights()
    logits = known[made["FULLY_CONNECTED"]].mean
    np.testing.assert_allclose(logits, mean @ kernel + bias, rtol=1e-3, atol=1e-4)


def test_a_batchnorm_in_front_of_a_convolution_is_the_sum_that_it_becomes() -> None:
    keras = importlib.import_module("tf_keras")
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.MaxPool2D()(layers.Conv2D(4, 3)(image))
    x = layers.ReLU()(layers.BatchNormalization(name="before")(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    model = keras.Model(image, layers.Dense(3)(x))
    random = np.random.default_rng(1)
    moving = [random.normal(2, 1, 4), random.uniform(0.5, 2, 4)]
    model.get_layer("before").set_weights(
        [random.uniform(1, 2, 4), random.normal(0, 1, 4), *moving]
    )
    graph, known = exported(model_files.of_model(model))
    made = {it.kind: graph.name(it.output) for it in graph.operators}
    assert made["MUL"] not in known
    assert_like(known[made["ADD"]], activated(batchnorm(model, "before"), "relu"))


def test_a_network_without_batchnorm_says_nothing() -> None:
    keras = importlib.import_module("tf_keras")
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    graph = model_export.exported(model_files.of_model(model), (SIDE, SIDE, 3), 1).graph
    assert statistics.attached(graph) is None


@pytest.mark.parametrize(("axes", "known"), [([1, 2], True), ([3], False), ([-1], False)])
def test_a_mean_of_places_keeps_the_channels_and_one_of_channels_does_not(axes, known) -> None:
    graph = Graph.empty()
    picture = graph.add_tensor("picture", (1, 8, 8, 8))
    mean = graph.add_tensor("mean", (1, 8, 8))
    operator = graph.add_operator(
        "MEAN", [picture, graph.add_constant("axes", np.array(axes, np.int32))], [mean]
    )
    found = RULES["MEAN"](graph, operator, {picture: Moments(np.arange(8.0))})
    assert (found is not None) == known
