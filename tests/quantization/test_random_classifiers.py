"""Classifiers of random layers: each becomes integers, no worse than by plain rounding.

``make fuzz`` tries 500; the suite a few.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeeff.evaluation.classifier import Classifier
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pipeline import policy
from edgeeff.pipeline.helpful import helpful
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import synthetic_set
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.quantize import check_network, quantize_model
from edgeeff.quantization.recipes.recipe import Recipe, find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.reader import parse_model
from tests.small_classifiers import LAYERS, Layer, SmallClassifier

SIDE, CLASSES = 16, 5
TRIES = int(os.environ.get("EDGEEFF_FUZZ_CLASSIFIERS", "8"))


def _flat(net: SmallClassifier, last: int) -> int:
    return net.reshaped(last, 1, int(np.prod(net.shape(last))))


HEADS: Mapping[str, Layer] = {
    "mean": lambda net, last: net.dense(net.mean(last), CLASSES),
    "flat": lambda net, last: net.dense(_flat(net, last), CLASSES),
    "hidden": lambda net, last: net.dense(net.dense(net.mean(last), 12, "RELU"), CLASSES),
    "one output": lambda net, last: net.dense(net.mean(last), 1),
    "convolution": lambda net, last: net.reshaped(
        net.convolution(net.reshaped(net.mean(last), 1, 1, 1, net.shape(last)[-1]), CLASSES, 1),
        1,
        CLASSES,
    ),
}
ANSWERS: Mapping[str, Layer] = {
    "logits": lambda net, last: last,
    "softmax": lambda net, last: net.alone(last, "SOFTMAX"),
    "sigmoid": lambda net, last: net.alone(last, "LOGISTIC"),
    "reshaped softmax": lambda net, last: net.reshaped(
        net.alone(last, "SOFTMAX"), 1, net.shape(last)[-1]
    ),
}


@pytest.mark.slow
@settings(
    max_examples=TRIES,
    suppress_health_check=list(HealthCheck),
    derandomize=TRIES < 100,
)
@given(
    layers=st.lists(st.sampled_from(list(LAYERS)), min_size=1, max_size=6),
    head=st.sampled_from(list(HEADS)),
    answer=st.sampled_from(list(ANSWERS)),
    mean=st.sampled_from(["0", "127", "127.5", "123.7,116.3,103.5"]),
    seed=st.integers(0, 2**16),
    synthetic=st.booleans(),
)
def test_a_classifier_of_random_layers(layers, head, answer, mean, seed, synthetic):
    net = SmallClassifier(SIDE, seed)
    last = net.image
    for layer in layers:
        last = LAYERS[layer](net, last)
    content = net.content(ANSWERS[answer](net, HEADS[head](net, last)))
    how = from_options(SIDE, mean, "128" if mean != "0" else "255", "bilinear:1")
    network = FloatModel(content, how)
    recipe = policy.plan(Settings(), policy.held_by(correctable(network.graph)))
    check_network(network, recipe)
    source = "synthetic" if synthetic else "photographs"
    calibration = replace(synthetic_set(16, how), source=source)

    def quantize(candidate: Recipe) -> bytes:
        return quantize_model(network, candidate, calibration)

    kept, _ = helpful(network, recipe, quantize, synthetic_set(8, how, 2).pictures)
    made = quantize(kept)
    assert parse_model(made).integer_only
    noise, plain = (_noise(network, it) for it in (made, quantize(find_recipe("int8-plain"))))
    assert noise <= 2 * plain + 1e-4


JUDGED = 64
"""Pictures: of one output fewer leave the verdict to chance."""


def _noise(network: FloatModel, made: bytes) -> float:
    """Of the logits, as a share of the signal, at the median of pictures that nothing saw."""
    pictures = synthetic_set(JUDGED, network.preprocessing, 3).pictures
    truth, found = (
        np.concatenate([classifier(picture[None]).logits for picture in pictures])
        for classifier in (Classifier(it, network.preprocessing) for it in (network.graph, made))
    )
    signal = (truth**2).sum(axis=1)
    each = ((truth - found) ** 2).sum(axis=1) / np.maximum(signal + signal.mean(), 1e-12)
    return float(np.median(each))
