"""What the module of a target offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgeeff.accelerators.plan import Facts, Plan, TargetStatus
from edgeeff.arrays import Array
from edgeeff.tflite.runner import TensorInfo


class Session(Protocol):
    """A model loaded on a target, in the process that times it."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs in the file's order."""

    def feed(self, arrays: Sequence[Array]) -> None:
        """Set the inputs; not timed."""

    def invoke(self) -> None:
        """Everything that must be timed: run, and read the outputs back if they are elsewhere."""

    def outputs(self) -> list[Array]:
        """The outputs of the last ``invoke``, copied."""

    def facts(self) -> Facts:
        """How the model runs: provenance, runtime, delegated nodes, warnings."""

    def verify(self) -> dict[str, Any]:
        """Prove that the outputs are right, after the warm-up, before any figure.

        Returns:
            JSON values for the record, such as ``{"max_difference": 1e-5}``.

        Raises:
            GateFailed: the target computes something else; no figure is given then.
        """

    def close(self) -> None:
        """Let go of the model."""


class Target(Protocol):
    """The names a module of ``TARGETS`` has; its functions are called in a worker process.

    A module may also have ``profile(model, plan) -> Profile``, ``CRASH_HINT`` (a str: what to do
    when the runtime crashes) and ``EXCLUSIVE`` (a bool: only one process may hold the
    accelerator, so that benchmarks take turns with whole processes).
    """

    def probe(self) -> TargetStatus:
        """Whether it can be used here. May crash or hang: the caller is ready for that."""

    def open(self, model: Path, plan: Plan) -> Session:
        """Load a model.

        Raises:
            TargetUnavailable: the accelerator, driver or delegate is not here or broke down.
            InputError: the file is no model for this target.
        """


def random_inputs(specs: Sequence[TensorInfo], seed: int) -> list[Array]:
    """Inputs like a normalised picture: uniform over the integers' range, or -1 to 1.

    Args:
        specs: the inputs' shapes and dtypes.
        seed: the same seed gives the same inputs on every target and device.
    """
    generator = np.random.default_rng(seed)
    arrays: list[Array] = []
    for spec in specs:
        dtype = spec.dtype
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            low, high = max(limits.min, -128), min(limits.max, 255)
            arrays.append(generator.integers(low, high, spec.shape, dtype=dtype, endpoint=True))
        elif dtype == np.bool_:
            arrays.append(generator.integers(0, 2, spec.shape).astype(np.bool_))
        else:
            arrays.append(generator.uniform(-1, 1, spec.shape).astype(dtype))
    return arrays
