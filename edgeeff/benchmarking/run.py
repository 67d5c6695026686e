"""One call of ``edgeeff benchmark``: devices, targets and models to figures."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeeff.accelerators import find_target
from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.compare import compare_session
from edgeeff.benchmarking.comparison import Comparison
from edgeeff.benchmarking.document import benchmark_document
from edgeeff.benchmarking.environment import Environment
from edgeeff.benchmarking.measurement import Measurement
from edgeeff.benchmarking.session import Failure, Pass, Subject
from edgeeff.benchmarking.together import measure_all
from edgeeff.devices import check_options, connect
from edgeeff.errors import UsageError
from edgeeff.progress import Progress


@dataclass(frozen=True)
class Result:
    """What a call gave."""

    environments: tuple[Environment, ...]
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def status(self) -> int:
        """0 if everything was measured, else the highest status of the failures."""
        return max((failure.error.exit_status for failure in self.failures), default=0)

    def document(self) -> str:
        """The edgeeff.benchmark/1 document."""
        return benchmark_document(
            self.environments,
            self.measurements,
            self.failures,
            self.comparisons,
        )


def benchmark(
    models: Sequence[Path],
    *,
    targets: Sequence[str] = ("cpu",),
    device: str = "local",
    plan: Plan | None = None,
    passes: dict[str, Pass] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Time models on targets of one device, or of several phones at once.

    Args:
        models: ``.tflite`` files; several are measured in turn and compared.
        targets: names of ``accelerators.TARGETS``.
        device: an address as in ``devices.connect``.
        plan: how; ``None``: the standard preset.
        passes: as in ``session.measure``.
        progress: told what is going on.

    Raises:
        UsageError: an unknown name, or an option that no target here takes.
        TargetUnavailable: the device cannot be reached.
        EdgeeffError: the only subject failed; of several, failures are in the result.
    """
    plan = plan or Plan()
    for target in targets:
        find_target(target)
    check_options(plan.options, targets, device)
    subjects = list(dict.fromkeys(Subject(model, target) for model in models for target in targets))
    if not subjects:
        raise UsageError("nothing to measure", "name a .tflite file")
    with contextlib.ExitStack() as opened:
        devices = connect(device)
        for place in devices:
            opened.callback(place.close)
        outcomes = measure_all(
            devices, subjects, plan, passes=passes, progress=progress or Progress()
        )
    measurements = [which for outcome in outcomes for which in outcome.measurements]
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    if len(failures) == 1 and not measurements:
        raise failures[0].error
    return Result(
        tuple(outcome.environment for outcome in outcomes),
        tuple(measurements),
        tuple(failures),
        tuple(compare_session(measurements)),
    )


def too_slow(result: Result, most_ms: float) -> str:
    """What has a median above ``most_ms`` milliseconds, in words; ``""`` if nothing has.

    Raises ``UsageError`` for a limit that is not a finite number: nothing is above NaN.
    """
    if not math.isfinite(most_ms):
        raise UsageError(f"a latency of {most_ms} ms is not a finite number", "a limit is one")
    slow = [which for which in result.measurements if which.latency.median > most_ms]
    names = ", ".join(f"{which.model} ({which.latency.median:.3g} ms)" for which in slow)
    return f"slower than {most_ms:g} ms: {names}" if slow else ""
