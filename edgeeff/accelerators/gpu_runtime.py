"""LiteRT's CompiledModel on the GPU, and what it prints: the only way to learn what it does."""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import sys
from dataclasses import dataclass
from typing import Any

from edgeeff.accelerators.plan import HARDWARE
from edgeeff.errors import TargetUnavailable
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.messages import captured_stderr

NO_ADAPTER_FIX = (
    "install your GPU's Vulkan driver (vulkaninfo --summary lists what is there); to try the "
    "target without a GPU see SwiftShader in docs/gpu.md"
)
VULKAN_LOADER = "libvulkan.so.1"
"""Finds the drivers; LiteRT opens it by this name on Linux. Drivers do not bring it."""

_SOFTWARE = re.compile(r"software|cpu|swiftshader|llvmpipe|lavapipe", re.IGNORECASE)


@dataclass(frozen=True)
class Messages:
    """What the GPU delegate printed while it compiled a model.

    Attributes:
        adapter: the name that the adapter gives itself; ``""`` if it gave none.
        software: whether a processor plays the GPU; ``None`` if it did not say.
        nodes: operators of the model.
        delegated: how many of them run on the GPU.
        reasons: operator and reason for those that do not.
    """

    adapter: str
    software: bool | None
    nodes: int
    delegated: int
    reasons: tuple[str, ...] = ()

    @property
    def provenance(self) -> str:
        """``hardware`` only for an adapter that says so (Metal never is software)."""
        if self.software is None:
            return HARDWARE if sys.platform == "darwin" else "software"
        return "software" if self.software else HARDWARE


def runtime_version() -> str:
    """Name and version of the runtime. Raises ``TargetUnavailable`` where it has no GPU."""
    try:
        return f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"
    except importlib.metadata.PackageNotFoundError as error:
        raise TargetUnavailable(
            "the gpu target needs ai-edge-litert", "pip install ai-edge-litert"
        ) from error


def compiled_model(content: bytes, precision: str, threads: int) -> tuple[Any, str]:
    """Compile a model for the GPU, with the CPU for what it does not take.

    Returns:
        LiteRT's CompiledModel, and what it printed meanwhile.

    Raises:
        TargetUnavailable: no adapter, or no GPU delegate for this system.
    """
    runtime_version()
    from ai_edge_litert.compiled_model import (
        CompiledModel,
        CpuOptions,
        GpuOptions,
        HardwareAccelerator,
        Options,
    )

    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=threads),
        gpu_options=GpuOptions(enforce_f32=precision == "fp32"),
    )
    with captured_stderr() as printed:
        try:
            compiled = CompiledModel.from_buffer(content, options=options)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            failed: str | None = reason
        else:
            failed = None
    text = printed().decode(errors="replace")
    if failed is None:
        return compiled, text
    if "No adapters found" in text:
        raise _no_adapter()
    last = [line.strip() for line in text.splitlines() if line.startswith(("ERROR", "E0"))]
    raise TargetUnavailable(
        f"the GPU cannot take the model: {last[-1] if last else failed}",
        "edgeeff inspect MODEL --check gpu tells what it takes",
    )


def _no_adapter() -> TargetUnavailable:
    """Why there is none: LiteRT says the same without the loader and without a driver."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL(VULKAN_LOADER)
        except OSError:
            return TargetUnavailable(
                f"LiteRT finds no GPU: the Vulkan loader {VULKAN_LOADER} is missing",
                "install it (Debian and Ubuntu: libvulkan1); a GPU's driver does not bring it",
            )
    return TargetUnavailable("LiteRT finds no GPU: no Vulkan adapter", NO_ADAPTER_FIX)


def read_messages(printed: str, nodes: int) -> Messages:
    """What the delegate's messages say.

    It prints a summary only if something stays on the CPU. ``is_fully_accelerated`` is no help:
    with the CPU allowed it also counts what XNNPACK took.
    """
    adapter = re.search(r"Selected adapter: (.*)", printed)
    line = adapter.group(1) if adapter else ""
    kind = re.search(r"adapterType=(.*)", line)
    some = re.search(r"(\d+) operations will run on the GPU", printed)
    none = re.search(r"No operations will run on the GPU", printed)
    reasons = re.findall(r"^([A-Z0-9_]+: .*)$", _between(printed), re.MULTILINE)
    return Messages(
        adapter=line.partition(", arch=")[0].strip(),
        software=bool(_SOFTWARE.search(kind.group(1) if kind else line)) if line else None,
        nodes=nodes,
        delegated=0 if none else int(some.group(1)) if some else nodes,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _between(printed: str) -> str:
    _, _, rest = printed.partition("not supported by GPU delegate:")
    return rest.partition("will run on the")[0]


def tiny_model() -> bytes:
    """A model of one ADD, enough to make LiteRT look for a GPU."""
    graph = Graph.empty()
    source, result = (graph.add_tensor(name, (1, 4, 4, 4)) for name in ("input", "output"))
    graph.add_operator("ADD", [source, source], [result], {"fused_activation_function": "NONE"})
    graph.cut(inputs=[source], outputs=[result])
    return graph.content()


def api() -> str:
    """How LiteRT reaches this system's GPU."""
    return "Metal" if sys.platform == "darwin" else "Vulkan (WebGPU)"
