"""Run a ``.tflite`` model on the CPU, and convert between real and quantized values."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError, TargetUnavailable
from edgeeff.files import read_bytes
from edgeeff.tflite.messages import quiet_runtime

_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)
"""Modules with an ``Interpreter``, best first: the second serves boards with an old Python."""

_MOST_THREADS = 4

_Details = dict[str, Any]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model.

    Attributes:
        name: the tensor's name in the file.
        shape: the size of every dimension.
        dtype: the numpy type of raw values.
        scale: real value of one step of a quantized tensor, ``None`` if it is not quantized
            (or quantized per channel).
        zero_point: raw value that stands for 0.0, ``None`` if it is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | None = None
    zero_point: int | None = None


class Runner:
    """A loaded model, ready to run.

    Attributes:
        inputs: what ``run`` takes, in order.
        outputs: what ``run`` gives, in order.
        threads: how many threads the kernels may use.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        threads: int | None = None,
        xnnpack: bool = True,
        quiet: bool = True,
    ) -> None:
        """Load a model and allocate its tensors.

        Args:
            model: a ``.tflite`` file or its content. A file of unknown origin belongs through
                ``probe.probe`` first: the native runtime can crash on a malformed one.
            threads: kernel threads; ``None``: one per processor that this process may use,
                at most four.
            xnnpack: let the XNNPACK delegate take the operators it knows, as every app does by
                default; false: the runtime's own kernels alone.
            quiet: keep the runtime's INFO lines from standard error.

        Raises:
            InputError: not a model, or one that this runtime cannot load.
            TargetUnavailable: no runtime is installed.
        """
        self._name = str(model) if isinstance(model, Path) else "the model"
        self._content = read_bytes(model) if isinstance(model, Path) else model
        self.threads = threads or min(_MOST_THREADS, _processors())
        self._interpreter, taken, given = self._load(xnnpack, quiet)
        self._input_indices, self.inputs = _tensors(taken)
        self._output_indices, self.outputs = _tensors(given)

    def run(self, *arrays: NDArray[Any], views: bool = False) -> list[NDArray[Any]]:
        """Run the model once.

        Args:
            arrays: raw values of every input, of exactly its shape and dtype (``quantize``
                makes them from real values).
            views: give the outputs where they are in the runtime's memory: to be let go before
                the next run, which fails otherwise.

        Returns:
            The raw values of every output, copies unless ``views``.

        Raises:
            InputError: wrong number, shape or dtype of arrays, or the runtime failed.
        """
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"{self._name} takes {len(self.inputs)} arrays, {len(arrays)} were given"
            )
        for index, info, array in zip(self._input_indices, self.inputs, arrays, strict=True):
            _check(array, info)
            self._interpreter.set_tensor(index, array)
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self._name} cannot run: {_one_line(error)}") from error
        if views:
            return [self._interpreter.tensor(index)() for index in self._output_indices]
        return [self._interpreter.get_tensor(index) for index in self._output_indices]

    def _load(self, xnnpack: bool, quiet: bool) -> tuple[Any, list[_Details], list[_Details]]:
        if len(self._content) == 0:
            raise InputError(f"{self._name} is empty", "it should be a .tflite model")
        runtime = _runtime()
        kernels = runtime.OpResolverType
        resolver = kernels.AUTO if xnnpack else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            with quiet_runtime() if quiet else contextlib.nullcontext():
                interpreter = runtime.Interpreter(
                    model_content=self._content,
                    num_threads=self.threads,
                    experimental_op_resolver_type=resolver,
                )
                interpreter.allocate_tensors()
            # A name that is not UTF-8 shows up here, as a ValueError.
            return interpreter, interpreter.get_input_details(), interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{self._name} cannot be loaded: {_one_line(error)}",
                f"this is {runtime_version()}; is the file whole, and made for a runtime this old?",
            ) from error


def quantize(values: NDArray[Any], info: TensorInfo) -> NDArray[Any]:
    """Raw values of a tensor for real ones.

    Ties round to the even neighbour, as XNNPACK and numpy do (the runtime's own kernels round
    them away from zero); what the type cannot hold saturates.

    Args:
        values: real values, any float or integer dtype, any shape.
        info: the tensor they are for. If it is not quantized, only the dtype changes.

    Raises:
        InputError: a value is not a number.
    """
    if info.scale is None or info.zero_point is None:
        return values.astype(info.dtype)
    if not np.isfinite(values).all():
        raise InputError(f"values for {info.name} are not all finite")
    limits = np.iinfo(info.dtype)
    steps = np.rint(values.astype(np.float64) / info.scale) + info.zero_point
    raw: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(info.dtype)
    return raw


def dequantize(raw: NDArray[Any], info: TensorInfo) -> NDArray[np.float32]:
    """The real values of raw ones: ``(raw - zero_point) * scale`` as float32, same shape.

    Values of a tensor that is not quantized only become float32.
    """
    if info.scale is None or info.zero_point is None:
        return raw.astype(np.float32)
    # The product in double precision: an app's float32 product differs by a rounding at most.
    return ((raw.astype(np.float64) - info.zero_point) * info.scale).astype(np.float32)


def runtime_version() -> str:
    """Name and version of the runtime that ``Runner`` uses, such as ``ai-edge-litert 2.3.0``.

    Raises:
        TargetUnavailable: none is installed.
    """
    package = dict(_RUNTIMES)[_runtime().__name__]
    return f"{package} {importlib.metadata.version(package)}"


def _runtime() -> Any:
    for name, _ in _RUNTIMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0]:
                raise
    raise TargetUnavailable(
        "no LiteRT runtime is installed", "pip install ai-edge-litert (or tflite-runtime)"
    )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tensors(details: list[_Details]) -> tuple[list[int], tuple[TensorInfo, ...]]:
    return [detail["index"] for detail in details], tuple(_info(detail) for detail in details)


def _info(detail: _Details) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    quantized = scale > 0
    return TensorInfo(
        detail["name"],
        tuple(int(size) for size in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scale) if quantized else None,
        int(zero_point) if quantized else None,
    )


def _check(array: NDArray[Any], info: TensorInfo) -> None:
    if array.dtype != info.dtype or array.shape != info.shape:
        raise InputError(
            f"input {info.name} takes {info.dtype}{list(info.shape)}, "
            f"not {array.dtype}{list(array.shape)}"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
