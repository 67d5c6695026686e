"""Measurements with known samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeeff.accelerators.plan import Facts, Plan, Run
from edgeeff.benchmarking.measurement import Measurement, measured


def samples(
    median_ms: float, *, count: int = 200, spread: float = 0.01, seed: int = 0
) -> list[int]:
    """Nanoseconds around a median with a relative spread."""
    generator = np.random.default_rng(seed)
    return [int(value) for value in generator.normal(median_ms, median_ms * spread, count) * 1e6]


def run(samples_ns: Sequence[int], *, provenance: str = "hardware", blocks: int = 1) -> Run:
    """A raw record of one process."""
    parts = [len(part) for part in np.array_split(np.asarray(samples_ns), blocks)]
    return Run(
        load_ns=5_000_000,
        first_ns=3_000_000,
        warmup_runs=20,
        settled=True,
        samples_ns=tuple(samples_ns),
        blocks=tuple(parts),
        stopped_by="runs",
        per_second=(len(samples_ns),),
        busy_share=1.0,
        facts=Facts(provenance, "ai-edge-litert 2.3.0", "a processor", "XNNPACK", 10, 9, 1),
        checked={"outputs_finite": True},
    )


def measurement(
    median_ms: float = 2.0,
    *,
    model: str = "model.tflite",
    processes: int = 3,
    blocks: int = 4,
    provenance: str = "hardware",
    target: str = "cpu",
    device: str = "local",
    seed: int = 0,
    spread: float = 0.01,
    **passes: Any,
) -> Measurement:
    """A measurement of several processes with some blocks each."""
    runs = [
        run(
            samples(median_ms, seed=seed * 100 + number, spread=spread),
            provenance=provenance,
            blocks=blocks,
        )
        for number in range(processes)
    ]
    what = {
        "model": model,
        "sha256": f"{seed:064x}",
        "size": 1234,
        "target": target,
        "device": device,
    }
    return measured(what, Plan(repeats=processes), runs, passes=passes)
