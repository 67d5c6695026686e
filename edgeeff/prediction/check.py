"""What a delegate would take of a model, predicted from the file without running it."""

from __future__ import annotations

import dataclasses
import importlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from edgeeff.errors import unknown_name
from edgeeff.tflite.model import Model, Subgraph

PROVENANCE = "predicted"

CHECKS = {"gpu": "edgeeff.prediction.gpu_check", "edgetpu": "edgeeff.prediction.edgetpu_model"}
"""Target name to the module whose ``check`` knows its operators."""


@dataclass(frozen=True)
class Verdict:
    """Whether a delegate takes one operator.

    Attributes:
        index: the operator's place in the graph.
        operator: its name.
        tensor: the name of its first output, which names the layer.
        taken: whether the delegate would run it.
        reason: why not; ``""`` if it is taken.
    """

    index: int
    operator: str
    tensor: str
    taken: bool
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """Operators of one name with the same verdict."""

    operator: str
    count: int
    taken: bool
    reason: str


@dataclass(frozen=True)
class Check:
    """A prediction for one model and one target; nothing of it was measured.

    Attributes:
        target: name in ``CHECKS``.
        verdicts: of every operator of the main graph, in order of execution.
        partitions: pieces of the graph that the delegate could take; each border between
            them costs a copy.
        parameter_bytes: constants of the operators it takes.
        cached_bytes: what of them would stay in on-chip memory; ``None``: no such memory.
        streamed_bytes: what would be sent again for every inference; ``None``: no such memory.
        notes: what else a reader should know.
    """

    target: str
    verdicts: tuple[Verdict, ...]
    partitions: int
    parameter_bytes: int
    cached_bytes: int | None = None
    streamed_bytes: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def mapped(self) -> int:
        """How many operators the delegate takes."""
        return sum(verdict.taken for verdict in self.verdicts)

    @property
    def mapped_share(self) -> float:
        """Their share of all operators, 0 to 1."""
        return self.mapped / len(self.verdicts) if self.verdicts else 0.0

    @property
    def groups(self) -> tuple[Group, ...]:
        """The verdicts counted by operator and reason, what is not taken first."""
        counts = Counter((v.taken, v.operator, v.reason) for v in self.verdicts)
        ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
        return tuple(Group(name, count, taken, reason) for (taken, name, reason), count in ordered)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, with ``provenance: "predicted"``."""
        summary = {
            "provenance": PROVENANCE,
            "operators": len(self.verdicts),
            "mapped": self.mapped,
            "mapped_share": self.mapped_share,
        }
        return {**dataclasses.asdict(self), **summary}


def check_model(target: str, model: Model) -> Check:
    """Predict what a target takes of a model. Raises ``UsageError`` for one without a table."""
    if target not in CHECKS:
        raise unknown_name("target to check for", target, CHECKS)
    check: Check = importlib.import_module(CHECKS[target]).check(model)
    return check


def partition(graph: Subgraph, supported: Sequence[bool]) -> list[int]:
    """Cut a graph into the pieces in which LiteRT hands it to a delegate.

    LiteRT's own greedy rule (``PartitionGraphIntoIndependentNodeSubsets``): a piece takes, in
    order of execution, every operator of its kind whose inputs are ready; then the next piece
    begins with the first operator left over.

    Args:
        graph: the operators and what they read and write.
        supported: for every operator, whether the delegate takes its kind.

    Returns:
        For every operator the number of its piece. A piece is all supported or all not.
    """
    made = {tensor for operator in graph.operators for tensor in operator.outputs}
    ready = {tensor.index for tensor in graph.tensors} - made
    waits = [{each for each in one.inputs if each >= 0} - ready for one in graph.operators]
    readers: defaultdict[int, list[int]] = defaultdict(list)
    for place, tensors in enumerate(waits):
        for tensor in tensors:
            readers[tensor].append(place)
    queues: dict[bool, list[int]] = {False: [], True: []}
    for place, tensors in enumerate(waits):
        if not tensors:
            queues[supported[place]].append(place)  # in order, as a heap is
    piece = [-1] * len(graph.operators)
    number = 0
    # Operators that read what nothing writes never get ready: state, or a broken file.
    while any(queues.values()):
        _, kind = min((queue[0], kind) for kind, queue in queues.items() if queue)
        while queues[kind]:
            place = heappop(queues[kind])
            piece[place] = number
            for tensor in graph.operators[place].outputs:
                for reader in readers.pop(tensor, ()):
                    waits[reader].discard(tensor)
                    if not waits[reader]:
                        heappush(queues[supported[reader]], reader)
        number += 1
    return piece


def verdicts(graph: Subgraph, reasons: Sequence[str]) -> tuple[Verdict, ...]:
    """One verdict for every operator; an empty reason means that it is taken."""
    return tuple(
        Verdict(
            index,
            operator.kind,
            graph.tensors[operator.outputs[0]].name if operator.outputs else "",
            not reason,
            reason,
        )
        for index, (operator, reason) in enumerate(zip(graph.operators, reasons, strict=True))
    )


def parameter_bytes(graph: Subgraph, taken: Sequence[bool]) -> int:
    """Bytes of the constants that the taken operators read, each counted once."""
    used = {
        index
        for operator, is_taken in zip(graph.operators, taken, strict=True)
        if is_taken
        for index in operator.inputs
        if index >= 0 and graph.tensors[index].constant
    }
    return sum(graph.tensors[index].bytes for index in used)
