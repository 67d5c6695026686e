"""Google's Edge TPU: a compiled model on libedgetpu, loaded as a delegate.

Both are the user's: Google's compiler makes the model (``edgeeff compile``), Google's libedgetpu
runs it.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.accelerators.delegates import delegation, load_delegate
from edgeeff.accelerators.deviation import deviation
from edgeeff.accelerators.plan import HARDWARE, Facts, Plan, TargetStatus
from edgeeff.arrays import Array
from edgeeff.errors import GateFailed, InputError, TargetUnavailable
from edgeeff.prediction.edgetpu_model import CUSTOM_OPERATOR, require_compiled
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import Runner, TensorInfo, dequantize, runtime_version

LIBRARIES = {"darwin": "libedgetpu.1.dylib", "win32": "edgetpu.dll"}
LIBRARY_VARIABLE = "EDGEEFF_EDGETPU_LIBRARY"
"""Environment variable with the path of libedgetpu, where the loader does not find it."""

GET_LIBRARY = (
    "install libedgetpu1-std (apt source coral-edgetpu-stable, see docs/edge-tpu.md), or give its "
    f"path: --option library=PATH or the variable {LIBRARY_VARIABLE}"
)
PLUG_IN = (
    "plug the accelerator in; lsusb shows it as 1a6e:089a or 18d1:9302, and its udev rule needs "
    "you in the group plugdev"
)
EXCLUSIVE = True
"""libedgetpu lets one process have the device."""

CRASH_HINT = (
    "libedgetpu and the runtime were built against different versions of TensorFlow Lite (the "
    "stock library: 2.5), which ends in a crash: install a libedgetpu built for a newer one (see "
    "docs/edge-tpu.md), or use tflite-runtime 2.5 in an environment of its own"
)
_FAILURES = (
    (
        r"requires runtime version \((\d+)\)",
        "update libedgetpu, or compile for its version: edgeeff compile --min-runtime",
    ),
    (r"unresolved custom op", "the delegate did not take the operator: is it libedgetpu?"),
)
"""Messages of a delegate that cannot run the model, and what to do."""

LARGEST_DEVIATION = 0.2
"""RMSE over the reference's spread above which the outputs are not those of the same model."""


class EdgeTpuSession:
    """A compiled model on the Edge TPU; ``invoke`` leaves the outputs in this process' memory."""

    def __init__(self, model: Path, plan: Plan) -> None:
        require_compiled(read_model(model))
        self._library = library(plan.options)
        self._reference = plan.options.get("reference")
        self._threads = plan.threads
        chosen = {name: plan.options[name] for name in ("device",) if name in plan.options}
        delegate = _load(self._library, chosen)
        try:
            self._model = Runner(model, threads=plan.threads, quiet=False, delegate=delegate)
        except InputError as error:
            hint = next((fix for words, fix in _FAILURES if re.search(words, error.message)), "")
            raise TargetUnavailable(error.message, hint or error.hint) from error
        self.invoke = self._model.invoke
        self.outputs = self._model.read
        self._fed: Sequence[Array] = ()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs in the file's order."""
        return self._model.inputs

    def feed(self, arrays: Sequence[Array]) -> None:
        """Set the inputs, raw values of their shapes and dtypes."""
        self._fed = arrays
        self._model.feed(arrays)

    def facts(self) -> Facts:
        """How many operators are Edge TPU programs, and whether the library is Google's."""
        found = delegation(self._model)
        names = [node["op_name"] for node in self._model.nodes()]
        programs = names.count(CUSTOM_OPERATOR)
        google = _version(self._library)
        warnings = []
        if found.nodes > programs:
            warnings.append(f"{found.nodes - programs} operators after the program run on the CPU")
        if google is None:
            warnings.append(f"{self._library} is not Google's libedgetpu: a test double")
        if self._reference is None:
            warnings.append(
                "outputs not compared with the CPU's: --option reference=INT8.tflite does"
            )
        return Facts(
            provenance="test-double" if google is None else HARDWARE,
            runtime=runtime_version() + (f", {google}" if google else ""),
            adapter="Edge TPU" if google else str(self._library),
            delegate=self._library.name,
            nodes=found.nodes,
            delegated=programs,
            partitions=programs,
            warnings=tuple(warnings),
        )

    def verify(self) -> dict[str, Any]:
        """Compare with the model before compiling on the CPU, if the plan names it.

        Raises:
            GateFailed: outputs that are not finite, or not those of that model.
        """
        found = [
            dequantize(array, info)
            for array, info in zip(self.outputs(), self._model.outputs, strict=True)
        ]
        if not all(np.isfinite(array).all() for array in found):
            raise GateFailed(
                "an output of the Edge TPU holds values that are not numbers",
                "does the model it was compiled of give numbers? edgeeff evaluate runs it",
            )
        if self._reference is None:
            return {"reference": None}
        runner = Runner(Path(self._reference), threads=self._threads)
        wanted = [
            dequantize(array, info)
            for array, info in zip(runner.run(*self._fed), runner.outputs, strict=True)
        ]
        measured = deviation(wanted, found)
        if measured.relative_rmse > LARGEST_DEVIATION:
            raise GateFailed(
                f"the Edge TPU computes something else than {self._reference}: the outputs differ "
                f"by {measured.relative_rmse:.2g} of their spread",
                "is it the model that was compiled?",
            )
        return {"reference": self._reference, **measured.to_json()}

    def close(self) -> None:
        """The worker's end lets go of the device."""


def open(model: Path, plan: Plan) -> EdgeTpuSession:
    """Load a compiled model on the Edge TPU.

    Options of the plan: ``library`` (path of libedgetpu), ``device`` (``usb``, ``pci``, ``usb:0``),
    ``reference`` (the int8 model before compiling, to compare the outputs with).

    Raises:
        InputError: the model is not compiled for the Edge TPU.
        TargetUnavailable: no libedgetpu, no device, or it cannot run the model.
    """
    return EdgeTpuSession(model, plan)


def probe() -> TargetStatus:
    """Whether libedgetpu is here and finds a device."""
    name = library({})
    try:
        loaded = ctypes.CDLL(str(name))
    except OSError as error:
        return _missing(f"{name} cannot be loaded: {error}", GET_LIBRARY)
    if not hasattr(loaded, "tflite_plugin_create_delegate"):
        return _missing(f"{name} is no delegate", GET_LIBRARY)
    google = _version(name)
    if google is None:
        return TargetStatus(
            "edgetpu", "software", "test-double", str(name), runtime_version(),
            "the library is not Google's: figures are those of a test double",
        )  # fmt: skip
    devices = _devices(loaded)
    if not devices:
        return _missing(f"{google} finds no Edge TPU", PLUG_IN)
    return TargetStatus("edgetpu", "available", HARDWARE, ", ".join(devices), google)


def library(options: Mapping[str, str]) -> Path:
    """The path or name of libedgetpu: the option ``library``, the variable, or the system's."""
    named = options.get("library") or os.environ.get(LIBRARY_VARIABLE)
    return Path(named or LIBRARIES.get(sys.platform, "libedgetpu.so.1"))


def _load(name: Path, options: dict[str, str]) -> Any:
    try:
        return load_delegate(name, options)
    except TargetUnavailable as error:
        started = "did not start" in error.message
        raise TargetUnavailable(error.message, PLUG_IN if started else GET_LIBRARY) from error


def _missing(reason: str, fix: str) -> TargetStatus:
    return TargetStatus("edgetpu", "unavailable", reason=reason, fix=fix)


def _version(name: Path) -> str | None:
    """What the library says of itself (``edgetpu_c.h``); ``None`` if it is not Google's."""
    loaded = ctypes.CDLL(str(name))
    if not hasattr(loaded, "edgetpu_version"):
        return None
    loaded.edgetpu_version.restype = ctypes.c_char_p
    text = loaded.edgetpu_version()
    return f"libedgetpu {text.decode(errors='replace')}" if text else "libedgetpu"


class _Device(ctypes.Structure):
    """``struct edgetpu_device`` of ``edgetpu_c.h``."""

    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


def _devices(loaded: ctypes.CDLL) -> list[str]:
    count = ctypes.c_size_t()
    loaded.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
    found = loaded.edgetpu_list_devices(ctypes.byref(count))
    kinds = {0: "PCIe", 1: "USB"}
    return [f"Edge TPU on {kinds.get(found[i].type, '?')}" for i in range(count.value)]
