"""The processor: ai-edge-litert with XNNPACK, or tflite-runtime where only that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.accelerators.delegates import delegation
from edgeeff.accelerators.machine import emulated, processor_name
from edgeeff.accelerators.plan import HARDWARE, Facts, Plan, Profile, TargetStatus
from edgeeff.errors import GateFailed, TargetUnavailable
from edgeeff.tflite.model import WEIGHTED
from edgeeff.tflite.runner import Runner, TensorInfo, dequantize, runtime_version

CRASH_HINT = (
    "the runtime crashed on this file: edgeeff inspect tells whether it is a whole model, "
    "and another version of ai-edge-litert may read it"
)


class CpuSession:
    """A model on the processor; ``invoke`` leaves the outputs in this process' memory."""

    def __init__(self, model: Path, plan: Plan) -> None:
        self._xnnpack = plan.options.get("xnnpack", "on") != "off"
        self._model = Runner(model, threads=plan.threads, xnnpack=self._xnnpack, quiet=False)
        self.invoke = self._model.invoke
        self.feed = self._model.feed
        self.outputs = self._model.read

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs in the file's order."""
        return self._model.inputs

    def facts(self) -> Facts:
        """Runtime, and how many of the file's operators XNNPACK took."""
        found = delegation(self._model)
        # The few that reshape and convert take no time, and nobody can do anything about them.
        heavy = sum(kind in WEIGHTED for kind in found.left)
        warnings = []
        if self._xnnpack and heavy:
            warnings.append(
                f"XNNPACK left {heavy} convolutions and dense layers to slower kernels: it takes "
                "those of int8 and of float32 networks, in runtimes of today"
            )
        return Facts(
            provenance=provenance(),
            runtime=runtime_version(),
            adapter=processor_name(),
            delegate="XNNPACK" if found.partitions else "",
            nodes=found.nodes,
            delegated=found.delegated,
            partitions=found.partitions,
            warnings=tuple(warnings),
        )

    def verify(self) -> dict[str, Any]:
        """The outputs are finite. Raises ``GateFailed`` if not."""
        for info, array in zip(self._model.outputs, self.outputs(), strict=True):
            if not np.isfinite(dequantize(array, info)).all():
                raise GateFailed(
                    f"output {info.name} holds values that are not numbers",
                    "the model is broken: its latency says nothing",
                )
        return {"outputs_finite": True}

    def close(self) -> None:
        """Nothing outside this process is held."""


def open(model: Path, plan: Plan) -> CpuSession:
    """Load a model. Raises ``InputError`` for a file that is none."""
    return CpuSession(model, plan)


def probe() -> TargetStatus:
    """The processor can be used if a runtime is installed."""
    try:
        version = runtime_version()
    except TargetUnavailable as error:
        return TargetStatus("cpu", "unavailable", reason=error.message, fix=error.hint)
    return TargetStatus("cpu", "available", provenance(), processor_name(), version)


def profile(model: Path, plan: Plan) -> Profile:
    """Time per operator. Raises ``TargetUnavailable`` where the runtime cannot tell."""
    # Reads a C library by hand, which nothing but a profile should depend on.
    from edgeeff.accelerators.cpu_profile import profile_cpu

    return profile_cpu(model, plan)


def provenance() -> str:
    """``emulated`` where another processor plays this one, else ``hardware``."""
    return "emulated" if emulated() else HARDWARE
