"""Run a file of unknown origin once in a process of its own, where it can crash alone.

The native runtime checks offsets, not sense: a well-formed file with absurd sizes or indices can
take the process down. ``probe`` turns that into an ``InputError``; what passes it may be given to
``Runner`` here. Run as a module, this file is the child.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgeeff.errors import EdgeeffError, InputError, TargetUnavailable
from edgeeff.tflite.child_process import environment, last_words, signal_name
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import Runner

SECONDS = 120.0
"""Longest a child may take to load and run once: B7 takes a few seconds on a slow board."""

_FAILED = 2


Shapes = Mapping[int, tuple[int, ...]]

CRASH = (
    "the file is damaged, or made for another runtime; if it crashes on every file, it does not go "
    "with this processor or emulator"
)
"""What may be the matter where the runtime crashes: which of it, nobody can tell from outside."""


def probe(
    path: Path, *, seconds: float = SECONDS, xnnpack: bool = True, kernels: bool = False
) -> Shapes:
    """Read ``path``, then load, allocate and invoke it once in a child process.

    Args:
        path: a ``.tflite`` file.
        seconds: how long the child may take.
        xnnpack: as of ``Runner``.
        kernels: load it with the runtime's own kernels first. They check what XNNPACK does not,
            and work out the shape of every activation, whatever the file says.

    Returns:
        By its number, the shape of each tensor of the main graph for which the file says another
        one; empty without ``kernels``.

    Raises:
        InputError: the file is damaged, the runtime refuses it, crashes on it, or does not end.
        TargetUnavailable: no runtime is installed.
    """
    read_model(path)
    asked = [str(int(flag)) for flag in (xnnpack, kernels)]
    words = [sys.executable, "-m", __name__, str(path.absolute()), *asked]
    hint = "the file is damaged, or made for another runtime"
    try:
        child = subprocess.run(
            words,
            timeout=seconds,
            capture_output=True,
            check=False,
            env=environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path} did not run to its end in {seconds:g} s", hint) from error
    if child.returncode == _FAILED:
        failure = json.loads(child.stdout)
        missing = failure["exit"] == TargetUnavailable.exit_status
        kind = TargetUnavailable if missing else InputError
        raise kind(failure["message"], failure["hint"])
    if child.returncode < 0:
        name = signal_name(-child.returncode)
        raise InputError(f"the runtime crashed on {path} ({name}){last_words(child.stderr)}", CRASH)
    if child.returncode != 0:
        raise InputError(f"{path} breaks the runtime{last_words(child.stderr)}", hint)
    return {
        int(number): tuple(shape)
        for number, shape in json.loads(child.stdout.splitlines()[-1]).items()
    }


def run_once(path: Path, *, xnnpack: bool, kernels: bool) -> Shapes:
    """What ``probe`` does, in this process. Raises ``InputError``."""
    _limit_memory()
    found = _other_shapes(path) if kernels else {}
    # What a crash says must reach the parent at once: nothing may hold it back.
    runner = Runner(path, xnnpack=xnnpack, quiet=False)
    runner.run(*(np.zeros(info.shape, info.dtype) for info in runner.inputs))
    return found


def _other_shapes(path: Path) -> Shapes:
    runner = Runner(path, xnnpack=False, quiet=False)
    shapes = runner.shapes()
    return {
        tensor.index: shapes[tensor.index]
        for tensor in read_model(path).tensors
        if tensor.index in shapes and not _agree(tensor.shape, shapes[tensor.index])
    }


def _agree(said: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Whether a shape is the one that the file says, which may leave sizes open."""
    pairs = zip(said, found, strict=False)
    return len(said) == len(found) and all(one in (-1, other) for one, other in pairs)


def _limit_memory() -> None:
    """Let an absurdly large tensor fail here instead of exhausting the machine."""
    if sys.platform == "win32":
        return
    import resource

    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = physical if hard == resource.RLIM_INFINITY else min(physical, hard)
    # macOS refuses any limit below what its own libraries have mapped.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _main() -> int:
    try:
        xnnpack, kernels = (flag == "1" for flag in sys.argv[2:])
        shapes = run_once(Path(sys.argv[1]), xnnpack=xnnpack, kernels=kernels)
    except EdgeeffError as error:
        return _failed(error)
    except MemoryError:
        return _failed(InputError(f"{sys.argv[1]} needs more memory than there is"))
    print(json.dumps(shapes))
    return 0


def _failed(error: EdgeeffError) -> int:
    told = {"message": error.message, "hint": error.hint, "exit": error.exit_status}
    print(json.dumps(told))
    return _FAILED


if __name__ == "__main__":
    sys.exit(_main())
