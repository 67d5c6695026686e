"""The host's GPU through LiteRT's CompiledModel: Vulkan (by WebGPU) on Linux, Metal on macOS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.accelerators.deviation import deviation
from edgeeff.accelerators.gpu_runtime import (
    NO_ADAPTER_FIX,
    Messages,
    api,
    compiled_model,
    read_messages,
    runtime_version,
    tiny_model,
)
from edgeeff.accelerators.plan import HARDWARE, Facts, Plan, TargetStatus
from edgeeff.arrays import Array
from edgeeff.errors import GateFailed, InputError, TargetUnavailable, unknown_name
from edgeeff.tflite.model import Model, Tensor
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import Runner, TensorInfo, dequantize, quantize

PRECISIONS = {"fp16": 0.2, "fp32": 0.01}
"""Arithmetic on the GPU, and by how much of the reference's spread the outputs may differ (root
mean square). Models in int8 are computed in floating point, which differs from the CPU's
integers as much as fp16 does from fp32."""

LEAST_SHARE = 0.5
"""Below this share of operators on the GPU a figure would not be the GPU's."""

CRASH_HINT = (
    "the GPU's driver crashed: update it, or choose another one with VK_ICD_FILENAMES (see "
    "docs/gpu.md)"
)


class GpuSession:
    """A model on the GPU; ``invoke`` runs it and waits for its outputs.

    LiteRT's run call returns before the GPU has computed anything; only reading the outputs
    waits. So both are one step here.
    """

    def __init__(self, model: Path, plan: Plan) -> None:
        self._path = model
        self._plan = plan
        self._file = read_model(model)
        self.precision = _precision(plan.options.get("precision", "fp32"))
        content = bytes(self._file.content)
        self._compiled, printed = compiled_model(content, self.precision, plan.threads)
        self._said = read_messages(printed, len(self._file.operators))
        _require_share(self._said, self._file)
        names = self._compiled.get_signature_by_index(0)
        self.inputs = tuple(TensorInfo.of(_find(self._file, name, 0)) for name in names["inputs"])
        self.output_infos = tuple(
            TensorInfo.of(_find(self._file, name, 1)) for name in names["outputs"]
        )
        self._in = self._compiled.create_input_buffers(0)
        self._out = self._compiled.create_output_buffers(0)
        self._read: list[Array] = []
        self._fed: Sequence[Array] = ()
        self.invoke = self._step()

    def _step(self) -> Callable[[], None]:
        """``invoke`` with everything looked up beforehand, so that only the work is timed."""
        run, inputs, outputs = self._compiled.run_by_index, self._in, self._out
        sizes = [int(np.prod(info.shape)) for info in self.output_infos]
        wanted = [
            (buffer.read, size, info.dtype.type)
            for buffer, size, info in zip(outputs, sizes, self.output_infos, strict=True)
        ]

        def invoke() -> None:
            run(0, inputs, outputs)
            self._read = [read(size, dtype) for read, size, dtype in wanted]

        return invoke

    def feed(self, arrays: Sequence[Array]) -> None:
        """Copy the inputs to the GPU, raw values of their shapes and dtypes."""
        self._fed = arrays
        for buffer, array in zip(self._in, arrays, strict=True):
            buffer.write(np.ascontiguousarray(array))

    def outputs(self) -> list[Array]:
        """Copies of the raw outputs of the last ``invoke``."""
        return [
            np.array(array, dtype=info.dtype).reshape(info.shape)
            for array, info in zip(self._read, self.output_infos, strict=True)
        ]

    def facts(self) -> Facts:
        """The adapter, and how many of the file's operators run on it."""
        said = self._said
        left = said.nodes - said.delegated
        warnings = [f"{left} of {said.nodes} operators run on the CPU"] if left else []
        provenance = said.provenance
        if provenance != HARDWARE:
            warnings.append(f"{said.adapter or 'an unnamed adapter'} is software: no GPU's figure")
        return Facts(
            provenance=provenance,
            runtime=runtime_version(),
            adapter=said.adapter,
            delegate=f"{api()} {self.precision}",
            nodes=said.nodes,
            delegated=said.delegated,
            partitions=1 if said.delegated else 0,
            warnings=tuple(warnings),
        )

    def verify(self) -> dict[str, Any]:
        """Compare with the CPU: the same file, or the float model named ``reference``.

        Raises:
            GateFailed: the outputs differ by more than ``PRECISIONS`` allows.
        """
        reference = Path(self._plan.options.get("reference", self._path))
        runner = Runner(reference, threads=self._plan.threads)
        wanted = _real(runner.run(*self._converted(runner)), runner.outputs)
        measured = deviation(wanted, _real(self.outputs(), self.output_infos))
        integer = any(info.dtype != np.float32 for info in self.output_infos)
        quantized = integer or self._file.integer_only
        limit = PRECISIONS["fp16" if quantized else self.precision]
        if measured.relative_rmse > limit:
            wrong = "the driver is wrong: update it"
            half = f"leave --fp16 out; if it differs then too, {wrong}"
            raise GateFailed(
                f"the GPU computes something else than the CPU: the outputs of {self._path.name} "
                f"differ by {measured.relative_rmse:.2g} of their spread (limit {limit:g})",
                half if self.precision == "fp16" else wrong,
            )
        record = {"reference": str(reference), "precision": self.precision, **measured.to_json()}
        # Half precision rounds every value by up to 5e-4; no network hides that.
        if self.precision == "fp16" and not quantized and measured.relative_rmse < 2e-5:
            record["note"] = "as exact as fp32: the adapter seems to have no fp16"
        return record

    def _converted(self, runner: Runner) -> list[Array]:
        """The inputs as the reference takes them, by their real values."""
        if len(runner.inputs) != len(self.inputs):
            raise InputError("the reference has another number of inputs than the model")
        return [
            array if there == here else quantize(dequantize(array, here), there)
            for array, here, there in zip(self._fed, self.inputs, runner.inputs, strict=True)
        ]

    def close(self) -> None:
        """Let go of the model and its memory on the GPU."""
        self._compiled.close()


def open(model: Path, plan: Plan) -> GpuSession:
    """Load a model on the GPU.

    Options of the plan: ``precision`` (``fp32``, the default, or ``fp16``), ``reference`` (a
    float model to compare the outputs with; default: the model itself on the CPU).

    Raises:
        InputError: the file is no model.
        TargetUnavailable: no adapter, no delegate for this system, or it takes too few operators.
    """
    return GpuSession(model, plan)


def probe() -> TargetStatus:
    """Whether there is an adapter, and whether it is hardware, by compiling a tiny model."""
    try:
        compiled, printed = compiled_model(tiny_model(), "fp32", 1)
    except TargetUnavailable as error:
        return TargetStatus("gpu", "unavailable", reason=error.message, fix=error.hint)
    compiled.close()
    said = read_messages(printed, 1)
    if said.provenance == HARDWARE:
        return TargetStatus("gpu", "available", HARDWARE, said.adapter or api(), runtime_version())
    return TargetStatus(
        "gpu",
        "software",
        said.provenance,
        said.adapter,
        runtime_version(),
        "a processor plays the GPU: results are real, latencies are not a GPU's",
        NO_ADAPTER_FIX,
    )


def _require_share(said: Messages, model: Model) -> None:
    if said.nodes and said.delegated / said.nodes >= LEAST_SHARE:
        return
    raise TargetUnavailable(
        f"the GPU takes {said.delegated} of {said.nodes} operators of {model.name}: the figure "
        "would be the CPU's",
        "; ".join(said.reasons[:3]) or "edgeeff inspect MODEL --check gpu tells why",
    )


def _precision(name: str) -> str:
    if name not in PRECISIONS:
        raise unknown_name("precision", name, PRECISIONS)
    return name


def _find(model: Model, name: str, side: int) -> Tensor:
    """An input (side 0) or output (1) by the name its signature, or else the tensor, has."""
    for signature in model.signatures[:1]:
        named = signature.outputs if side else signature.inputs
        if name in named:
            return model.graphs[signature.graph].tensors[named[name]]
    for tensor in model.outputs if side else model.inputs:
        if tensor.name == name:
            return tensor
    raise InputError(f"{model.name} has no input or output {name!r}", "is the file whole?")


def _real(arrays: Sequence[Array], infos: Sequence[TensorInfo]) -> list[Any]:
    return [dequantize(array, info) for array, info in zip(arrays, infos, strict=True)]
