"""Classifiers of random layers, and whether quantization is at least as good as plain rounding.

    python -m tests.quantization.random_classifiers --seed 11 --count 500

quantizes so many, one after the other, tells of each that fails, and ends with how many did.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeeff.evaluation.classifier import Classifier
from edgeeff.pictures.preprocessing import from_options
from edgeeff.pipeline import policy
from edgeeff.pipeline.helpful import Comparison, helpful
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import CalibrationPair, synthetic_set
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.quantize import check_network, quantize_model
from edgeeff.quantization.recipes.recipe import Recipe, find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.reader import parse_model
from tests.small_classifiers import LAYERS, Layer, SmallClassifier

SIDE, CLASSES, MOST_LAYERS = 16, 5, 6

JUDGED = 64
"""Pictures: of one output fewer leave the verdict to chance."""


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
ENDS = tuple(
    (head, answer)
    for head in HEADS
    for answer in ANSWERS
    if head != "one output" or "softmax" not in answer
)
"""Heads and what follows them: a softmax of one value is no answer, and refused."""

MEANS = ("0", "127", "127.5", "123.7,116.3,103.5")


@dataclass(frozen=True)
class RandomClassifier:
    """What a classifier is made of, and how it is calibrated.

    Attributes:
        layers: names of ``LAYERS``.
        head: a name of ``HEADS``.
        answer: a name of ``ANSWERS``.
        mean: of its pictures.
        seed: of its weights.
        synthetic: whether the calibration pictures count as made up.
    """

    layers: tuple[str, ...]
    head: str
    answer: str
    mean: str
    seed: int
    synthetic: bool

    def network(self) -> FloatModel:
        """The float network."""
        net = SmallClassifier(SIDE, self.seed)
        last = net.image
        for layer in self.layers:
            last = LAYERS[layer](net, last)
        content = net.content(ANSWERS[self.answer](net, HEADS[self.head](net, last)))
        std = "128" if self.mean != "0" else "255"
        return FloatModel(content, from_options(SIDE, self.mean, std, "bilinear:1"))

    def check(self) -> None:
        """Quantize it as ``quantize`` does; an ``AssertionError`` if it is worse than rounding."""
        network = self.network()
        recipe = policy.plan(Settings(), policy.held_by(correctable(network.graph)))
        check_network(network)
        pictures = synthetic_set(16, network.preprocessing)
        source = "synthetic" if self.synthetic else "photographs"
        calibration = replace(pictures, source=source)

        def quantize(candidate: Recipe) -> bytes:
            return quantize_model(network, candidate, calibration)

        others = synthetic_set(8, network.preprocessing, 2).pictures
        unseen = None
        if parts := CalibrationPair(calibration, calibration).set_aside():
            rest, second = parts
            unseen = Comparison(lambda it: quantize_model(network, it, rest), second.pictures)
        kept, _ = helpful(network, recipe, Comparison(quantize, others), unseen)
        made = quantize(kept)
        assert parse_model(made).integer_only
        noise, plain = (_noise(network, it) for it in (made, quantize(find_recipe("int8-plain"))))
        assert noise <= 2 * plain + 1e-4


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


def drawn(source: random.Random) -> RandomClassifier:
    """The next one of a stream."""
    head, answer = source.choice(ENDS)
    return RandomClassifier(
        layers=tuple(source.choice(list(LAYERS)) for _ in range(source.randint(1, MOST_LAYERS))),
        head=head,
        answer=answer,
        mean=source.choice(MEANS),
        seed=source.randint(0, 2**16),
        synthetic=source.random() < 0.5,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the stream of classifiers")
    parser.add_argument("--count", type=int, default=500)
    given = parser.parse_args()
    source, failed = random.Random(given.seed), 0  # noqa: S311 - no secret
    for number in range(1, given.count + 1):
        one = drawn(source)
        try:
            one.check()
        except Exception:
            failed += 1
            print(f"{one}\n{traceback.format_exc()}", flush=True)
        if number % 10 == 0 or number == given.count:
            print(f"{number} quantized, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
