"""A user's Keras classifier to a float32 .tflite that answers as it does, or an error."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from edgeeff.errors import InputError, UsageError
from edgeeff.network.export import INPUT, LOGITS, PROBABILITIES, SIGNATURE, converted, traced
from edgeeff.network.leading_layers import leading_scaling
from edgeeff.network.model_files import Classifier
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_scaling import Scaling
from edgeeff.tflite.logits import cut_at_logits, final_activation
from edgeeff.tflite.runner import Runner

TOLERANCE = 1e-4
"""By how much an answer may differ, relative to the largest one where that is above 1."""

MADE_UP = 6


@dataclass(frozen=True)
class Exported:
    """A network in TFLite's operators.

    Attributes:
        graph: the float network.
        scaling: what it does to its pictures first; ``None``: nothing.
    """

    graph: Graph
    scaling: Scaling | None


def exported(model: Classifier, resolution: int, batch: int) -> Exported:
    """A float .tflite with the signature ``serving_default`` and an input called ``image``.

    Args:
        model: the network.
        resolution: side of its pictures.
        batch: pictures per run.

    Raises:
        InputError: operators that TFLite does not have.
        UsageError: a batch below 1.
    """
    if batch < 1:
        raise UsageError(f"a batch of {batch} pictures", "it is at least 1")
    function = traced(model.call, (batch, resolution, resolution, 3))
    try:
        graph = Graph.of(converted(function))
    except ConverterError as error:
        lacking = ", ".join(sorted(set(re.findall(r"\btf\.([A-Z]\w+)", str(error)))))
        raise InputError(
            f"{model.name} does what TFLite has no operators for: {lacking or 'unnamed'}",
            "take that layer out, or put one of other operators in its place",
        ) from error
    _name(graph)
    output = PROBABILITIES if final_activation(graph) else LOGITS
    graph.rename(graph.output, output)
    graph.sign(SIGNATURE, {INPUT: graph.input}, {output: graph.output})
    return Exported(graph, leading_scaling(function))


def without_activation(graph: Graph) -> Graph:
    """The network up to its logits."""
    cut = cut_at_logits(graph)
    cut.sign(SIGNATURE, {INPUT: cut.input}, {LOGITS: cut.output})
    return cut


def difference(model: Classifier, content: bytes, preprocessing: Preprocessing) -> float:
    """The largest difference of a .tflite's answers from its source's, on pictures of all kinds.

    Args:
        model: the source.
        content: the .tflite.
        preprocessing: of the pictures.

    Raises:
        InputError: they differ by more than ``TOLERANCE``, or answer nothing at all.
    """
    runner = Runner(content)
    size = runner.inputs[0].shape[0]
    pictures = _pictures(preprocessing.resolution)
    # The file's batch is fixed: the first pictures fill up the last one.
    pictures = np.resize(pictures, (-(-len(pictures) // size) * size, *pictures.shape[1:]))
    images = preprocessing.normalised(pictures)
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    wanted = np.concatenate([np.asarray(model.call(tf.constant(batch))) for batch in batches])
    found = np.concatenate([runner.run(batch)[0] for batch in batches])
    if not np.isfinite(wanted).all():
        raise InputError(
            f"{model.name} answers pictures with values that are not finite numbers",
            "its training diverged, or its pictures need another --mean and --std",
        )
    apart = float(np.abs(wanted - found).max())
    if not apart <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise InputError(
            f"the .tflite of {model.name} is not the same function: answers differ by {apart:.2g}",
            "please report it, with the model if you can",
        )
    return apart


def _pictures(resolution: int) -> npt.NDArray[np.uint8]:
    """Made-up ones, flat ones of extreme colours, and noise of extremes."""
    made_up = list(synthetic_pictures(MADE_UP, resolution, seed=11))
    shape = (resolution, resolution, 3)
    colours = itertools.product((0, 255), repeat=3)
    flat = [np.broadcast_to(np.asarray(colour, np.uint8), shape) for colour in colours]
    noise = np.random.default_rng(0).integers(0, 2, (2, *shape), np.uint8) * np.uint8(255)
    return np.concatenate([made_up, flat, noise])


def _name(graph: Graph) -> None:
    """Short names, each once: of the converter's lists of fused operators the first entry."""
    taken: set[str] = {INPUT}
    scope = _scope([tensor.name for tensor in graph.tensors])
    for tensor in graph.tensors:
        first = tensor.name.split(";")[0].removeprefix(scope) or "tensor"
        numbered = (f"{first}_{number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain([first], numbered) if name not in taken)
        taken.add(name)
        graph.rename(tensor.index, name)
    graph.rename(graph.input, INPUT)


def _scope(names: list[str]) -> str:
    """What the network itself is called, in front of most names."""
    heads = [name.split("/")[0] for name in names if "/" in name]
    commonest: Any = max(set(heads), key=heads.count, default=None)
    return f"{commonest}/" if commonest and heads.count(commonest) > len(heads) / 2 else ""
