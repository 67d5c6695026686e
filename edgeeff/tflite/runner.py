"""Run a ``.tflite`` model on the CPU, and convert between real and quantized values."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError, TargetUnavailable
from edgeeff.tflite.messages import quiet_runtime
from edgeeff.tflite.model import Tensor

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

    @classmethod
    def of(cls, tensor: Tensor) -> TensorInfo:
        """That of a tensor of a file. Its open sizes are -1: no runtime has settled them.

        Raises ``InputError`` for a type that numpy does not have, such as ``string``.
        """
        if not tensor.plain:
            raise InputError(f"tensor {tensor.name} holds {tensor.dtype}, which is not read here")
        dtype, one = np.dtype(tensor.dtype), len(tensor.scales) == 1
        scale, zero_point = (tensor.scales[0], tensor.zero_points[0]) if one else (0.0, 0)
        return cls(tensor.name, tensor.shape, dtype, *_grid(dtype, scale, zero_point))


class Runner:
    """A loaded model, ready to run.

    Attributes:
        inputs: what ``run`` takes, in order.
        outputs: what ``run`` gives, in order.
        threads: how many threads the kernels may use.
        invoke: run the model on what was fed: the runtime's own function, to be timed alone.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        threads: int | None = None,
        xnnpack: bool = True,
        quiet: bool = True,
        delegate: Any = None,
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
            delegate: one that the runtime's ``load_delegate`` gave; it takes operators first.

        Raises:
            InputError: not a model, or one that this runtime cannot load.
            TargetUnavailable: no runtime is installed.
        """
        self._name = str(model) if isinstance(model, Path) else "the model"
        self.threads = threads or min(_MOST_THREADS, _processors())
        with quiet_runtime() if quiet else contextlib.nullcontext():
            self._interpreter, taken, given = self._load(model, xnnpack, delegate)
        self.invoke: Callable[[], None] = self._interpreter.invoke
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
        self.feed(arrays)
        try:
            self.invoke()
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self._name} cannot run: {_one_line(error)}") from error
        if views:
            return [self._interpreter.tensor(index)() for index in self._output_indices]
        return self.read()

    def run_all(
        self,
        pictures: NDArray[Any],
        feed: Callable[[NDArray[Any]], NDArray[Any]] = lambda batch: batch,
    ) -> list[NDArray[Any]]:
        """Run a model of one input on any number of pictures.

        The batch of a file is fixed: the last picture is repeated until it is full, and the
        answers to its repetitions are dropped.

        Args:
            pictures: [count, ...], one or more.
            feed: makes values of the input from a batch of them.

        Returns:
            The outputs, [count, ...] each; those whose first dimension is not the batch as rows.
        """
        size, made = self.inputs[0].shape[0], []
        for start in range(0, len(pictures), size):
            places = np.arange(start, start + size).clip(max=len(pictures) - 1)
            made.append(self.run(feed(pictures[places])))
        return [
            np.concatenate([_by_picture(batch, size) for batch in batches])[: len(pictures)]
            for batches in zip(*made, strict=True)
        ]

    def feed(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Set the inputs, as ``run`` takes them. Raises ``InputError`` as it does."""
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"{self._name} takes {len(self.inputs)} arrays, {len(arrays)} were given"
            )
        for index, info, array in zip(self._input_indices, self.inputs, arrays, strict=True):
            _check(array, info)
            self._interpreter.set_tensor(index, array)

    def read(self) -> list[NDArray[Any]]:
        """Copies of the raw outputs of the last ``invoke``."""
        return [self._interpreter.get_tensor(index) for index in self._output_indices]

    def nodes(self) -> list[dict[str, Any]]:
        """What the runtime executes, delegates included: ``op_name``, ``inputs``, ``outputs``."""
        nodes: list[dict[str, Any]] = self._interpreter._get_ops_details()
        return nodes

    def tensor_names(self) -> dict[int, str]:
        """Name of each tensor, by the number that ``nodes`` gives."""
        details = self._interpreter.get_tensor_details()
        return {int(detail["index"]): str(detail["name"]) for detail in details}

    def shapes(self) -> dict[int, tuple[int, ...]]:
        """Shape of each tensor as the runtime worked it out, by the number that it has there."""
        details = self._interpreter.get_tensor_details()
        return {
            int(detail["index"]): tuple(int(size) for size in detail["shape"]) for detail in details
        }

    def _load(
        self, model: Path | bytes, xnnpack: bool, delegate: Any
    ) -> tuple[Any, list[_Details], list[_Details]]:
        runtime = runtime_module()
        kernels = runtime.OpResolverType
        resolver = kernels.AUTO if xnnpack else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            interpreter = runtime.Interpreter(
                **_source(model),
                num_threads=self.threads,
                experimental_op_resolver_type=resolver,
                experimental_delegates=None if delegate is None else [delegate],
            )
            interpreter.allocate_tensors()
            # A name that is not UTF-8 shows up here, as a ValueError.
            return interpreter, interpreter.get_input_details(), interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{self._name} cannot be loaded: {_one_line(error)}",
                f"this is {runtime_version()}; is the file whole, and made for it?",
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
    package = dict(_RUNTIMES)[runtime_module().__name__]
    return f"{package} {importlib.metadata.version(package)}"


def runtime_module() -> Any:
    """The runtime's module with its Interpreter. Raises ``TargetUnavailable`` without one."""
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


def _source(model: Path | bytes) -> dict[str, Any]:
    """The runtime's argument for a model. It maps a file into memory, and copies no content."""
    if isinstance(model, Path):
        if not os.path.isfile(model):
            raise InputError(f"{model} does not exist", "check the path")
        if model.stat().st_size == 0:
            raise InputError(f"{model} is empty", "it should be a .tflite model")
        return {"model_path": str(model)}
    if not model:
        raise InputError("the model is empty", "it should be a .tflite model")
    return {"model_content": model}


def _tensors(details: list[_Details]) -> tuple[list[int], tuple[TensorInfo, ...]]:
    return [detail["index"] for detail in details], tuple(_info(detail) for detail in details)


def _info(detail: _Details) -> TensorInfo:
    dtype = np.dtype(detail["dtype"])
    shape = tuple(int(size) for size in detail["shape"])
    return TensorInfo(detail["name"], shape, dtype, *_grid(dtype, *detail["quantization"]))


def _grid(
    dtype: np.dtype[Any], scale: float, zero_point: int
) -> tuple[float, int] | tuple[None, None]:
    """Scale and zero point if they mean anything: files may give them for floats, or as 0."""
    quantized = scale > 0 and np.issubdtype(dtype, np.integer)
    return (float(scale), int(zero_point)) if quantized else (None, None)


def _check(array: NDArray[Any], info: TensorInfo) -> None:
    if array.dtype != info.dtype or array.shape != info.shape:
        raise InputError(
            f"input {info.name} takes {info.dtype}{list(info.shape)}, "
            f"not {array.dtype}{list(array.shape)}"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _by_picture(output: NDArray[Any], size: int) -> NDArray[Any]:
    return output if output.shape[:1] == (size,) else output.reshape(size, -1)
