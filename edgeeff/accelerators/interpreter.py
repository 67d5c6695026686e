"""A model in LiteRT's Interpreter, timed as an app would run it, with what its delegate took."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.accelerators.session import Array
from edgeeff.errors import InputError, TargetUnavailable
from edgeeff.tflite.runner import TensorInfo, runtime_version

DELEGATE = "DELEGATE"
"""Name of the node that stands for what a delegate took; it comes after the file's own nodes."""


@dataclass(frozen=True)
class Delegation:
    """Operators of the file's graph, how many a delegate runs, and in how many pieces."""

    nodes: int
    delegated: int
    partitions: int


class Interpreted:
    """A loaded model with its inputs fed apart from ``invoke``.

    Args:
        model: the ``.tflite`` file.
        threads: kernel threads.
        xnnpack: whether the runtime's default delegate may take operators.
        delegate: one that was loaded with ``load_delegate``; it comes first.
        options: further arguments of the runtime's Interpreter.

    Raises:
        InputError: not a model, or one that this runtime cannot load.
        TargetUnavailable: no runtime is installed.
    """

    def __init__(
        self,
        model: Path,
        *,
        threads: int,
        xnnpack: bool = True,
        delegate: Any = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        runtime = runtime_module()
        kernels = runtime.OpResolverType
        if not model.is_file():
            raise InputError(f"{model} does not exist", "check the path")
        try:
            self._interpreter = runtime.Interpreter(
                model_path=str(model),
                num_threads=threads,
                experimental_delegates=[delegate] if delegate is not None else None,
                experimental_op_resolver_type=(
                    kernels.AUTO if xnnpack else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                ),
                **(options or {}),
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{model.name} cannot be loaded: {reason}",
                f"this is {runtime_version()}; is the file whole, and made for this target?",
            ) from error
        self.invoke = self._interpreter.invoke
        inputs = self._interpreter.get_input_details()
        self._input_indices = [detail["index"] for detail in inputs]
        self.inputs = tuple(_info(detail) for detail in inputs)
        outputs = self._interpreter.get_output_details()
        self._output_indices = [detail["index"] for detail in outputs]
        self.output_infos = tuple(_info(detail) for detail in outputs)

    def feed(self, arrays: Sequence[Array]) -> None:
        """Set the inputs, raw values of their shapes and dtypes."""
        for index, array in zip(self._input_indices, arrays, strict=True):
            self._interpreter.set_tensor(index, array)

    def read(self) -> list[Array]:
        """Copies of the raw outputs of the last ``invoke``."""
        return [np.array(self._interpreter.get_tensor(index)) for index in self._output_indices]

    def operators(self) -> list[dict[str, Any]]:
        """The runtime's nodes, delegates' included: ``op_name``, ``inputs``, ``outputs``."""
        nodes: list[dict[str, Any]] = self._interpreter._get_ops_details()
        return nodes

    def tensor_names(self) -> dict[int, str]:
        """Tensor index to its name."""
        details = self._interpreter.get_tensor_details()
        return {int(detail["index"]): str(detail["name"]) for detail in details}

    def delegation(self) -> Delegation:
        """What delegates took, read from the graph that runs."""
        nodes = self.operators()
        own = [node for node in nodes if node["op_name"] != DELEGATE]
        delegates = [node for node in nodes if node["op_name"] == DELEGATE]
        taken: set[int] = set()
        for delegate in delegates:
            taken |= _covered(delegate, own)
        return Delegation(len(own), len(taken), len(delegates))


def runtime_module() -> Any:
    """The module with the Interpreter that ``tflite.runner`` uses.

    Raises:
        TargetUnavailable: no runtime is installed.
    """
    package = runtime_version().split()[0]
    return importlib.import_module(f"{package.replace('-', '_')}.interpreter")


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


def _info(detail: dict[str, Any]) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    quantized = scale > 0
    return TensorInfo(
        detail["name"],
        tuple(int(size) for size in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scale) if quantized else None,
        int(zero_point) if quantized else None,
    )
