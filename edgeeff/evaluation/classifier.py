"""A .tflite image classifier that takes pictures and gives its answers and logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeeff import files
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.shapes import Shape, check_ends, picture_shape
from edgeeff.tflite.feeding import feeding
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last
from edgeeff.tflite.logits import MIXED, classes_compete, final_activation, final_kind
from edgeeff.tflite.model import Operator
from edgeeff.tflite.runner import Runner, dequantize

T = TypeVar("T")


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a batch of pictures.

    Attributes:
        outputs: raw values of its output, as an app gets them, [pictures, classes]; of one
            sigmoid 0.5 and its real value, so that the larger one is the answer.
        logits: real values before its softmax or sigmoid, float32 [pictures, classes], times
            the softmax's own factor (``beta``); those of its output if it ends in neither. One
            sigmoid is a softmax of 0 and its logit.
    """

    outputs: NDArray[Any]
    logits: NDArray[np.float32]


class Classifier:
    """A loaded classifier.

    Attributes:
        preprocessing: how its pictures are made.
        batch: how many pictures the file takes at once.
        classes: how many classes it tells apart: 2 by one sigmoid.
        activation: as ``tflite.logits.final_kind`` says.
        shares: whether it answers with probabilities or the logits of some: not with a plain value,
            or with what is made of several softmaxes or sigmoids.
        exclusive: as ``excludes`` says: whether one class excludes the others.
    """

    def __init__(
        self,
        model: Path | bytes | Graph,
        preprocessing: Preprocessing,
        *,
        threads: int | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a ``.tflite`` file, its content or its graph, with one input [batch, height,
                width, channels], or as ``channels_last`` reads it, and one output [batch, classes],
                float32, uint8, int8 or int16.
            preprocessing: of the shape of its input.
            threads: as of ``Runner``.

        Raises:
            InputError: not such a model, another shape, or an input that ``feeding`` refuses.
        """
        self._name = name = str(model) if isinstance(model, Path) else "the model"
        content = files.read_bytes(model) if isinstance(model, Path) else model
        graph = Graph.of(content, name) if isinstance(content, bytes) else content
        graph = channels_last(_of_one_answer(graph, name))
        last = final_activation(graph)
        self._runner = Runner(_with_logits(graph, last), threads=threads)
        self.batch, shape, self._values = _dimensions(self._runner, name)
        self.activation = final_kind(graph)
        self._beta = np.float32(last.options.get("beta", 1.0) if last else 1.0)
        self.exclusive = excludes(graph)
        self._binary = self._values == 1 and self.activation == "LOGISTIC"
        self.shares = self.activation != MIXED and (self._values > 1 or self.activation is not None)
        self.classes = 2 if self._binary else self._values
        self.preprocessing = preprocessing
        if preprocessing.shape != shape:
            found = f"{name} takes pictures of {list(shape)}"
            raise InputError(f"{found}, its preprocessing makes {list(preprocessing.shape)}")
        self._feed = feeding(self._runner.inputs[0], preprocessing)

    def __call__(self, pixels: NDArray[np.uint8]) -> Answers:
        """Classify pictures, uint8 [count, height, width, channels], one or more.

        Raises ``InputError`` for answers that are not finite: no class of theirs is the first.
        """
        raw = self._runner.run_all(pixels, self._feed)
        flat = [values.reshape(len(pixels), self._values) for values in raw]
        logits = self._beta * dequantize(flat[-1], self._runner.outputs[-1])
        if not np.isfinite(logits).all():
            raise InputError(
                f"{self._name} answers pictures with values that are not finite numbers",
                "did its training diverge, or do its pictures need another --mean and --std?",
            )
        if self._binary:
            share = dequantize(flat[0], self._runner.outputs[0])
            logits = np.hstack([np.zeros_like(logits), logits])
            return Answers(np.hstack([np.full_like(share, 0.5), share]), logits)
        return Answers(flat[0], logits)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """What logits say of each class, 0..1: their sigmoids or softmax, [pictures, classes].

        What a model answers itself where that is no such value.
        """
        values = logits.astype(np.float64)
        if not self.shares:
            return values
        if self.activation == "LOGISTIC" and not self._binary:
            return np.asarray(0.5 * (1 + np.tanh(values / 2)))
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def excludes(graph: Graph) -> bool:
    """Whether one class excludes the others: not those of one plain value, or of several sigmoids.

    Those of an answer worked out of several softmaxes do where ``classes_compete``.
    """
    activation = final_kind(graph)
    if activation == MIXED:
        return classes_compete(graph)
    return (graph.shape(graph.output)[-1] == 1) == (activation == "LOGISTIC")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, the last perhaps shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _of_one_answer(graph: Graph, name: str) -> Graph:
    """The graph itself, which has one input and one output."""
    check_ends(len(graph.inputs), len(graph.outputs), name)
    return graph


def _with_logits(graph: Graph, last: Operator | None) -> bytes:
    """The same model, with the tensor before its last operator, if given, as a second output."""
    shown = graph.copy()
    if last is not None:
        shown.expose([graph.output, last.inputs[0]])
    return shown.content()


def _dimensions(runner: Runner, name: str) -> tuple[int, Shape, int]:
    """Batch, shape of the pictures, and classes."""
    shape, output = runner.inputs[0].shape, runner.outputs[0].shape
    picture = picture_shape(shape, name)
    classes = output[-1] if output else 0
    if len(output) < 2 or output[0] != shape[0] or int(np.prod(output)) != shape[0] * classes:
        hint = "a classifier has [batch, classes]"
        raise InputError(f"{name} has an output of shape {list(output)}", hint)
    return shape[0], picture, classes
