"""A user's Keras classifier to a float32 .tflite, or an error."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

from tensorflow.lite.python.convert import ConverterError

from edgeeff.errors import InputError, UsageError
from edgeeff.network.export import (
    INPUT,
    LOGITS,
    PROBABILITIES,
    SIGNATURE,
    as_statistics,
    converted,
    traced,
)
from edgeeff.network.graph_moments import graph_moments
from edgeeff.network.leading_layers import leading_scaling
from edgeeff.network.model_files import Classifier
from edgeeff.pictures.shapes import Shape
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_scaling import Scaling
from edgeeff.tflite.logits import cut_at_logits, final_kind
from edgeeff.tflite.statistics import Statistics


@dataclass(frozen=True)
class ExportedClassifier:
    """A network in TFLite's operators.

    Attributes:
        graph: the float network, with what its BatchNorm layers know of its activations.
        scaling: what it does to its pictures first; ``None``: nothing.
    """

    graph: Graph
    scaling: Scaling | None


def exported(model: Classifier, shape: Shape, batch: int) -> ExportedClassifier:
    """A float .tflite with the signature ``serving_default`` and an input called ``image``.

    Args:
        model: the network.
        shape: height, width and channels of its pictures.
        batch: pictures per run.

    Raises:
        InputError: operators that TFLite does not have.
        UsageError: a batch below 1.
    """
    if batch < 1:
        raise UsageError(f"a batch of {batch} pictures", "it is at least 1")
    function = traced(model.call, (batch, *shape))
    try:
        graph = Graph.of(converted(function))
    except ConverterError as error:
        lacking = ", ".join(sorted(set(re.findall(r"\btf\.([A-Z]\w+)", str(error)))))
        raise InputError(
            f"{model.name} does what TFLite has no operators for: {lacking or 'unnamed'}",
            "take that layer out, or put one of other operators in its place",
        ) from error
    moments = graph_moments(graph, function)
    _name(graph)
    output = PROBABILITIES if final_kind(graph) else LOGITS
    graph.rename(graph.output, output)
    graph.sign(SIGNATURE, {INPUT: graph.input}, {output: graph.output})
    known = {graph.name(tensor): as_statistics(found) for tensor, found in moments.items()}
    if known:
        statistics.attach(graph, Statistics("batchnorm", known))
    return ExportedClassifier(graph, leading_scaling(function))


def without_activation(graph: Graph) -> Graph:
    """The network up to its logits."""
    cut = cut_at_logits(graph)
    cut.sign(SIGNATURE, {INPUT: cut.input}, {LOGITS: cut.output})
    known = statistics.attached(graph)
    if known is not None:
        # They say which constants they are of, and some may have gone.
        statistics.attach(cut, known)
    return cut


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
