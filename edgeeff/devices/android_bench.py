"""One model on one phone, timed by processes of ``benchmark_model``."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edgeeff.accelerators.deviation import deviation
from edgeeff.accelerators.plan import Facts, Loaded, Plan, Profile, Samples, WarmedUp
from edgeeff.accelerators.session import random_inputs
from edgeeff.arrays import Array
from edgeeff.devices import Progress
from edgeeff.devices import benchmark_model as program
from edgeeff.devices.adb import Adb
from edgeeff.devices.android_system import read_warmth
from edgeeff.devices.benchmark_model import Output
from edgeeff.devices.benchmark_profile import parse_profile
from edgeeff.devices.local import Local
from edgeeff.devices.process_log import ProcessLog
from edgeeff.errors import GateFailed, InputError, TargetUnavailable
from edgeeff.tflite.model import Model, Tensor
from edgeeff.tflite.reader import read_model
from edgeeff.tflite.runner import TensorInfo
from edgeeff.worker.arrays import unpacked

SETTLE_SECONDS = 0.5
"""Least warm-up of each further process: benchmark_model's own default."""

SUSTAINED_SETTLE_SECONDS = 2.0
"""The same in a sustained run, where the phone must be as busy as in an app."""

HEAT_SECONDS = 60.0
"""How often a phone is asked for its heat while it is timed; that pauses it for 0.1 s."""

CONTINUOUS_RUNS = 50
"""Runs in one go after the warm-up, at most: benchmark_model's own default, to compare with."""

SETTLED = 0.03
"""Warm-up counts as settled when its median is this close to that of the runs after it."""

LARGEST_ERROR = {"cpu": 1e-3, "gpu fp32": 1e-2, "gpu fp16": 1e-1}
"""Largest ``Deviation.relative_rmse`` of float outputs."""

LARGEST_STEPS = {"cpu": 3.0, "gpu fp32": 26.0, "gpu fp16": 26.0}
"""Largest difference of quantized outputs, in steps: kernels of GPUs round differently."""


@dataclass(frozen=True)
class Place:
    """Where a bench works: the phone, what it runs there, and the figures' provenance.

    Attributes:
        executable: ``benchmark_model`` on the phone.
        work: a directory of this bench alone, removed at its end.
    """

    adb: Adb
    executable: PurePosixPath
    model: PurePosixPath
    work: PurePosixPath
    runtime: str
    provenance: str
    adapter: str


@dataclass
class AndroidBench:
    """A ``devices.Bench`` whose every call is one process or more on the phone.

    A process is timed only after a warm-up of its own, and only ``benchmark_model.RUNS``
    inferences are taken from it, because then every sample of it is known. So the samples are
    spread over a phone that infers nearly all the time.
    """

    place: Place
    local: Path
    plan: Plan
    gpu: bool
    _loaded: Output | None = None
    _continuous: Output | None = None
    _inputs: list[tuple[PurePosixPath, tuple[int, ...]]] = field(default_factory=list)

    @property
    def mode(self) -> str:
        """Target and precision, a key of the tables of differences."""
        if not self.gpu:
            return "cpu"
        return f"gpu {self.plan.options.get('precision', 'fp32')}"

    def load(self) -> Loaded:
        """Load once, run twice, keep the outputs for ``verify``."""
        model = read_model(self.local)
        self._push_inputs(model)
        self._loaded = self._run(runs=1, output=self._outputs)
        return Loaded(self._loaded.load_us * 1000, self._facts(model, self._loaded))

    def warm_up(self, progress: Progress | None = None) -> WarmedUp:
        """Run until timings settle, then a series in one go."""
        plan, start, runs, first_us = self.plan, time.monotonic(), 0, None
        while True:
            output = self._run(
                runs=max(program.RUNS, min(CONTINUOUS_RUNS, plan.min_runs)),
                warmup_runs=plan.warmup_runs,
                warmup_seconds=plan.warmup_seconds,
            )
            first_us = output.first_us if first_us is None else first_us
            runs += output.warm_up.runs
            elapsed = time.monotonic() - start
            settled = _settled(output)
            if settled or elapsed >= plan.warmup_max_seconds:
                self._continuous = output
                return WarmedUp(first_us * 1000, runs, elapsed, settled)

    def verify(self) -> dict[str, Any]:
        """Compare the outputs with this computer's processor on the same inputs.

        Raises:
            GateFailed: they differ by more than rounding explains.
        """
        expected = self._expected()
        got = self._computed(expected)
        checked = _difference(expected, got, self.mode)
        if self._continuous is not None:
            timed = self._continuous.timed
            checked["continuous_us"] = {
                "runs": timed.runs,
                "median": timed.median,
                "p5": timed.p5,
                "p95": timed.p95,
            }
        return checked

    def sample(
        self,
        *,
        min_runs: int,
        min_seconds: float,
        max_seconds: float,
        progress: Progress | None = None,
    ) -> Samples:
        """Processes of ``RUNS`` timed inferences until both minima are reached, or the cap.

        In ``per_second`` the samples of a process count where it began.
        """
        log = ProcessLog()
        runs_reached = False
        while True:
            began = log.elapsed
            output = self._run(warmup_seconds=self._settle_seconds)
            log.add(began, output)
            was_reached, runs_reached = runs_reached, len(log.times_ns) >= min_runs
            if runs_reached and log.elapsed >= min_seconds:
                return log.samples("seconds" if was_reached else "runs")
            if log.elapsed >= max_seconds:
                return log.samples("cap")
            if log.elapsed >= (len(log.heat) + 1) * HEAT_SECONDS:
                log.look(read_warmth(self.place.adb))
            if progress is not None:
                progress(len(log.times_ns))

    def answer(self, inputs: Sequence[Array]) -> list[Array]:
        """The raw outputs for raw inputs, from a process of its own."""
        self._push(inputs)
        self._run(runs=1, output=self._outputs)
        tensors = [_info(tensor) for tensor in read_model(self.local).outputs]
        return self._computed([np.empty(tensor.shape, tensor.dtype) for tensor in tensors])

    def sha256(self) -> str:
        """That of the model's file on the phone."""
        return self.place.adb.sha256(self.place.model)

    def memory(self) -> int | None:
        """Growth of peak resident memory by loading and running, in bytes."""
        return None if self._loaded is None else self._loaded.peak_growth_bytes

    def profile(self) -> Profile:
        """Time per operator, as ``benchmark_profile.parse_profile`` reads it."""
        model = read_model(self.local)
        self._push_inputs(model)
        text = self._printed(
            runs=CONTINUOUS_RUNS,
            warmup_runs=self.plan.warmup_runs,
            warmup_seconds=self.plan.warmup_seconds,
            profile=True,
        )
        return parse_profile(text, model)

    @property
    def _settle_seconds(self) -> float:
        if self.plan.preset == "sustained":
            return SUSTAINED_SETTLE_SECONDS
        return min(SETTLE_SECONDS, self.plan.warmup_seconds)

    @property
    def _outputs(self) -> PurePosixPath:
        return self.place.work / "outputs"

    def _run(
        self,
        *,
        runs: int = program.RUNS,
        warmup_runs: int = 1,
        warmup_seconds: float = 0.0,
        output: PurePosixPath | None = None,
    ) -> Output:
        return program.parse(
            self._printed(
                runs=runs, warmup_runs=warmup_runs, warmup_seconds=warmup_seconds, output=output
            )
        )

    def _printed(
        self,
        *,
        runs: int,
        warmup_runs: int,
        warmup_seconds: float,
        output: PurePosixPath | None = None,
        profile: bool = False,
    ) -> str:
        plan, place = self.plan, self.place
        words = program.flags(
            place.model,
            gpu=self.gpu,
            threads=plan.threads,
            fp16=self.mode == "gpu fp16",
            xnnpack=plan.options.get("xnnpack", "on") != "off",
            runs=runs,
            max_seconds=plan.timeout,
            warmup_runs=warmup_runs,
            warmup_seconds=warmup_seconds,
            inputs=self._inputs,
            output=output,
            # The first process compiles for the GPU as an app's first start does; later ones
            # need not spend seconds on it again.
            compiled=None if output else place.work,
            profile=profile,
        )
        # exec keeps the number of the process that must be ended if we are.
        line = (
            f"echo $$ > {self.place.work}/pid && exec {shlex.join([str(place.executable), *words])}"
        )
        answer = place.adb.script(line, timeout=3 * plan.timeout)
        text = answer.output + "\n" + answer.errors
        if answer.status > 128:
            raise TargetUnavailable(
                f"benchmark_model crashed on phone {place.adb.serial} "
                f"(signal {answer.status - 128})",
                "another version of benchmark_model, or --target cpu",
            )
        if answer.status:
            raise program.failure(text)
        return text

    def _push_inputs(self, model: Model) -> None:
        self._push(random_inputs([_info(tensor) for tensor in model.inputs], self.plan.seed))

    def _push(self, arrays: Sequence[Array]) -> None:
        self._inputs = []
        for index, array in enumerate(arrays):
            path = self.place.work / f"input{index}"
            self.place.adb.push(array.tobytes(), path)
            self._inputs.append((path, array.shape))

    def _facts(self, model: Model, output: Output) -> Facts:
        delegated, nodes = output.delegated, len(model.operators)
        if self.gpu and (delegated is None or delegated.name != "GPU" or delegated.nodes == 0):
            raise TargetUnavailable(
                "the GPU delegate took no operator of the model: it would run on the processor",
                "edgeeff inspect --check gpu shows why",
            )
        taken = delegated.nodes if delegated else 0
        if delegated is not None and delegated.completely:
            taken = nodes
        return Facts(
            provenance=self.place.provenance,
            runtime=self.place.runtime,
            adapter=self.place.adapter,
            delegate=delegated.name if delegated else "",
            nodes=nodes,
            delegated=taken,
            partitions=delegated.partitions if delegated else 0,
            warnings=("times are whole microseconds: benchmark_model's clock",),
        )

    def _expected(self) -> list[Array]:
        # Like with like: XNNPACK's kernels and LiteRT's own round differently.
        options = {"xnnpack": self.plan.options.get("xnnpack", "on")}
        plan = Plan(threads=2, timeout=self.plan.timeout, seed=self.plan.seed, options=options)
        stop = self.place.adb.stop
        with Local().bench(self.local, "cpu", plan) as bench, stop.ending(bench.channel.kill):
            bench.load()
            return [unpacked(reply) for reply in bench.channel.ask("outputs")]

    def _computed(self, expected: list[Array]) -> list[Array]:
        with tempfile.TemporaryDirectory(prefix="edgeeff-") as directory:
            content = self.place.adb.pull(self._outputs, Path(directory) / "outputs")
        wanted = sum(array.nbytes for array in expected)
        if len(content) != wanted:
            raise GateFailed(
                f"phone {self.place.adb.serial} gave {len(content)} bytes of outputs, not {wanted}",
                "is its benchmark_model older than the model?",
            )
        arrays, start = [], 0
        for array in expected:
            piece = content[start : start + array.nbytes]
            arrays.append(np.frombuffer(piece, array.dtype).reshape(array.shape))
            start += array.nbytes
        return arrays


@contextlib.contextmanager
def opened(bench: AndroidBench) -> Iterator[AndroidBench]:
    """The bench with its directory on the phone; afterwards nothing of it runs or is left.

    Also when the user interrupts: ending adb's client does not end the program on the phone.
    """
    place = bench.place
    try:
        place.adb.shell(["mkdir", "-p", str(place.work)])
        yield bench
    finally:
        # The number may belong to another program by now: only one that names us is ended.
        ours = f"grep -q {place.work.name} /proc/$p/cmdline 2>/dev/null"
        with contextlib.suppress(TargetUnavailable):
            place.adb.cleaning.script(
                f"p=$(cat {place.work}/pid 2>/dev/null); {ours} && kill -9 $p; "
                f"rm -rf {shlex.quote(str(place.work))}"
            )


def _info(tensor: Tensor) -> TensorInfo:
    if any(size < 0 for size in tensor.shape):
        raise InputError(
            f"{tensor.name} has an open size: {list(tensor.shape)}",
            "export the model with a fixed size",
        )
    return TensorInfo.of(tensor)


def _settled(output: Output) -> bool:
    before, after = output.warm_up.median, output.timed.median
    return before is not None and after is not None and abs(before - after) <= SETTLED * after


def _difference(expected: list[Array], got: list[Array], mode: str) -> dict[str, Any]:
    """How far the outputs are apart, as JSON values; ``GateFailed`` if too far."""
    floats = [
        (wanted, found)
        for wanted, found in zip(expected, got, strict=True)
        if not np.issubdtype(wanted.dtype, np.integer)
    ]
    steps = [
        float(np.abs(found.astype(np.int64) - wanted.astype(np.int64)).max())
        for wanted, found in zip(expected, got, strict=True)
        if np.issubdtype(wanted.dtype, np.integer)
    ]
    checked: dict[str, Any] = {}
    if floats:
        apart = deviation([wanted for wanted, _ in floats], [found for _, found in floats])
        checked |= apart.to_json()
        _require("their relative error", apart.relative_rmse, LARGEST_ERROR[mode], mode)
    if steps:
        checked["steps"] = max(steps)
        _require("quantization steps", max(steps), LARGEST_STEPS[mode], mode)
    return checked


def _require(name: str, value: float, limit: float, mode: str) -> None:
    if value <= limit:
        return
    raise GateFailed(
        f"the phone computes something else than this computer ({mode}): "
        f"{name} {value:.3g}, allowed {limit:g}",
        "another benchmark_model, or a fault of the driver: see docs/android.md",
    )
