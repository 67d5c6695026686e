"""What a target needs: whether it is there is asked before any work, its files are compiled."""

from __future__ import annotations

from pathlib import Path

from edgeeff.devices import Device
from edgeeff.errors import TargetUnavailable
from edgeeff.prediction.edgetpu_compiler import compile_model, find_compiler

EDGE_TPU = "edgetpu"
"""The target whose files go through its compiler first."""


def require_compiler(target: str) -> None:
    """Raise ``TargetUnavailable`` if files of a target need a compiler that is not on PATH."""
    if target == EDGE_TPU:
        find_compiler()


def require_target(device: Device, target: str) -> None:
    """Raise ``TargetUnavailable``, with the reason, if a device cannot run a target."""
    status = device.probe(target)
    if status.state == "unavailable":
        raise TargetUnavailable(status.reason, status.fix)


def runnable(model: Path, target: str) -> Path:
    """The file that a target runs: for the Edge TPU what its compiler makes, beside the model.

    Raises:
        TargetUnavailable: the compiler is not on PATH.
        InputError: it refuses the model.
    """
    if target != EDGE_TPU:
        return model
    return compile_model(model, model.parent, find_compiler(), force=True).model
