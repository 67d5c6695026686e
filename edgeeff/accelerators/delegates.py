"""Delegates: how one is loaded, and what it takes of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff.errors import TargetUnavailable
from edgeeff.tflite.runner import Runner, runtime_module

DELEGATE = "DELEGATE"
"""Name of the node that stands for what a delegate took; it comes after the file's own nodes."""


@dataclass(frozen=True)
class Delegation:
    """Operators of the file's graph, how many a delegate runs, and in how many pieces.

    ``left`` are the kinds of the others, such as ``SOFTMAX``, in order.
    """

    nodes: int
    delegated: int
    partitions: int
    left: tuple[str, ...]


def delegation(runner: Runner) -> Delegation:
    """What delegates took of a model, read from the graph that runs."""
    nodes = runner.nodes()
    own = [node for node in nodes if node["op_name"] != DELEGATE]
    delegates = [node for node in nodes if node["op_name"] == DELEGATE]
    taken: set[int] = set()
    for delegate in delegates:
        taken |= _covered(delegate, own)
    left = tuple(str(node["op_name"]) for node in own if node["index"] not in taken)
    return Delegation(len(own), len(taken), len(delegates), left)


def load_delegate(library: Path, options: dict[str, str] | None = None) -> Any:
    """Load a delegate from a shared library.

    Raises:
        TargetUnavailable: no such file, no shared library, no delegate, or the delegate gave up
            (returned NULL); the message says which.
    """
    try:
        return runtime_module().load_delegate(str(library), options or {})
    except OSError as error:
        raise TargetUnavailable(
            f"{library} cannot be loaded: {error}", "is it a library of this processor's kind?"
        ) from error
    except AttributeError as error:
        raise TargetUnavailable(
            f"{library} is no delegate: it has no tflite_plugin_create_delegate",
            "give the delegate's own library",
        ) from error
    except ValueError as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise TargetUnavailable(
            f"the delegate of {library} did not start: {reason}",
            "is the accelerator plugged in, and may this user open it?",
        ) from error


def _covered(delegate: dict[str, Any], own: list[dict[str, Any]]) -> set[int]:
    """The file's nodes between the inputs and outputs of one delegate node."""
    producers = {int(tensor): node for node in own for tensor in node["outputs"]}
    border = {int(tensor) for tensor in delegate["inputs"]}
    waiting = [int(tensor) for tensor in delegate["outputs"]]
    covered: set[int] = set()
    while waiting:
        tensor = waiting.pop()
        node = producers.get(tensor)
        if tensor in border or node is None or node["index"] in covered:
            continue
        covered.add(node["index"])
        waiting.extend(int(source) for source in node["inputs"])
    return covered
