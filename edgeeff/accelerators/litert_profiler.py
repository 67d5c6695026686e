"""Time per operator from LiteRT's own profiler, which sees into the XNNPACK delegate.

The Python binding does not show it, so this calls the C functions of ``libLiteRt.so`` in the
ai-edge-litert wheel (litert/c/litert_profiler.h). Other versions may have other signatures:
call it in a process that may crash.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError, TargetUnavailable

Pointer = ctypes.c_void_p
SIZE = ctypes.c_size_t

CPU = 1
"""kLiteRtHwAcceleratorCpu."""

OPERATOR_EVENTS = (2, 4, 8)
"""Event types of one operator: of the interpreter, of a delegate, of a delegate's inside."""


class _TensorType(ctypes.Structure):
    """LiteRtRankedTensorType: element type, rank and a flag in one word, sizes, strides."""

    _fields_ = (
        ("element_type", ctypes.c_int),
        ("rank_bits", ctypes.c_uint),
        ("sizes", ctypes.c_int32 * 8),
        ("strides", ctypes.c_int32 * 8),
    )


class _Event(ctypes.Structure):
    """ProfiledEventData; the two memory usages of three sizes each are not looked at."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", SIZE * 6),
        ("index", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


def operator_times(model: Path, *, threads: int, runs: int) -> list[tuple[str, list[int]]]:
    """Run a model with the profiler on.

    Args:
        model: a ``.tflite`` file with static shapes.
        threads: kernel threads.
        runs: how often.

    Returns:
        Per operator in the order of execution: its kernel's name, and the microseconds of
        every run (whole numbers: only their mean tells of an operator under 1 us).

    Raises:
        TargetUnavailable: the installed runtime has no such profiler.
        InputError: the model cannot be compiled for it.
    """
    library = _Library(_library_path())
    compiled, run = _prepare(library, model, threads)
    profiler = library.new("LiteRtCompiledModelGetProfiler", compiled)
    run()
    run()
    library.call("LiteRtStartProfiler", profiler)
    for _ in range(runs):
        run()
    library.call("LiteRtStopProfiler", profiler)
    return _grouped(library, profiler)


class _Library:
    """Calls functions that return a LiteRtStatus; names the one that failed."""

    def __init__(self, path: Path) -> None:
        self._functions = ctypes.CDLL(str(path))
        self.kept: list[Any] = []

    def call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._functions, name)
        except AttributeError as error:
            raise _no_profiler(f"this ai-edge-litert has no {name}") from error
        if status := function(*arguments):
            raise InputError(
                f"LiteRT cannot profile the model: {name} gave status {status}",
                "a file with static shapes (convert --batch 1) can be profiled",
            )

    def new(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        made = Pointer()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def count(self, name: str, *arguments: Any) -> int:
        number = SIZE()
        self.call(name, *arguments, ctypes.byref(number))
        return number.value


def _prepare(
    library: _Library, model: Path, threads: int
) -> tuple[ctypes.c_void_p, Callable[[], None]]:
    environment = library.new("LiteRtCreateEnvironment", 0, None)
    handle = library.new("LiteRtCreateModelFromFile", environment, str(model).encode())
    options = library.new("LiteRtCreateOptions")
    library.call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
    _add_option(library, options, b"runtime_options_string", b"enable_profiling = true\n")
    _add_option(library, options, b"xnnpack", f"num_threads = {threads}\n".encode())
    compiled = library.new("LiteRtCreateCompiledModel", environment, handle, options)
    subgraph = library.new("LiteRtGetModelSubgraph", handle, SIZE(0))
    inputs = _buffers(library, environment, compiled, subgraph, "Input")
    outputs = _buffers(library, environment, compiled, subgraph, "Output")
    counts = SIZE(len(inputs)), SIZE(len(outputs))

    def run() -> None:
        library.call(
            "LiteRtRunCompiledModel", compiled, SIZE(0), counts[0], inputs, counts[1], outputs
        )

    return compiled, run


def _add_option(library: _Library, options: ctypes.c_void_p, name: bytes, toml: bytes) -> None:
    payload = ctypes.create_string_buffer(toml)
    # The payload is Python's own: nothing to free for the runtime, but it must outlive it.
    release = ctypes.CFUNCTYPE(None, Pointer)(lambda pointer: None)
    library.kept.extend([payload, release])
    made = library.new("LiteRtCreateOpaqueOptions", name, ctypes.cast(payload, Pointer), release)
    library.call("LiteRtAddOpaqueOptions", options, made)


def _buffers(
    library: _Library,
    environment: ctypes.c_void_p,
    compiled: ctypes.c_void_p,
    subgraph: ctypes.c_void_p,
    side: str,
) -> Any:
    made = []
    for number in range(library.count(f"LiteRtGetNumSubgraph{side}s", subgraph)):
        tensor = library.new(f"LiteRtGetSubgraph{side}", subgraph, SIZE(number))
        kind = _TensorType()
        library.call("LiteRtGetRankedTensorType", tensor, ctypes.byref(kind))
        needs = library.new(
            f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, SIZE(0), SIZE(number)
        )
        made.append(
            library.new(
                "LiteRtCreateManagedTensorBufferFromRequirements",
                environment,
                ctypes.byref(kind),
                needs,
            )
        )
    return (Pointer * len(made))(*made)


def _grouped(library: _Library, profiler: ctypes.c_void_p) -> list[tuple[str, list[int]]]:
    number = ctypes.c_int()
    library.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(number))
    events = (_Event * number.value)()
    library.call("LiteRtGetProfilerEvents", profiler, number, events)
    times: dict[tuple[int, bytes, int, int], list[int]] = {}
    for event in events:
        if event.kind in OPERATOR_EVENTS:
            key = (event.kind, event.tag, event.index, event.subgraph)
            times.setdefault(key, []).append(int(event.elapsed_us))
    return [(key[1].decode("utf-8", "replace"), found) for key, found in times.items()]


def _library_path() -> Path:
    package = importlib.util.find_spec("ai_edge_litert")
    folders = package.submodule_search_locations if package else None
    for folder in folders or ():
        for name in ("libLiteRt.so", "libLiteRt.dylib"):
            if (Path(folder) / name).exists():
                return Path(folder) / name
    raise _no_profiler("no ai-edge-litert with its C library is installed")


def _no_profiler(reason: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"no per-operator profile: {reason}", "pip install 'ai-edge-litert>=2.3,<3'"
    )
