"""Our median against that of LiteRT's own ``litert-benchmark``, measured in turn.

    python benchmarks/latency_against_litert.py lite0.tflite b0.tflite [--threads 1] [--rounds 6]

Each round runs ours and theirs in fresh processes, in the order A B, B A, A B, ... The ratio of
a model is the geometric mean of the rounds' ratios, with a Student's t interval. The claim is:
within 3%. Ends with status 1 if a ratio is outside, or if the rounds are too far apart to tell.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edgeeff.accelerators.plan import preset
from edgeeff.benchmarking.intervals import ratio_interval
from edgeeff.benchmarking.run import benchmark

CLAIM = 0.03
RUNS = 100


def ours(model: Path, threads: int) -> float:
    plan = preset("quick", threads=threads, min_runs=RUNS, min_seconds=0, warmup_seconds=0.5)
    return benchmark([model], plan=plan).measurements[0].latency.median


def theirs(model: Path, threads: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [
            *(sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"),
            *("--model", str(model), "--num_threads", str(threads)),
            *("--num_runs", str(RUNS), "--warmup_runs", "30", "--result_json", str(result)),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return float(json.loads(result.read_text())["latency"]["median_ms"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    status = 0
    for model in options.models:
        pairs = []
        for number in range(options.rounds):
            order = [ours, theirs] if number % 2 == 0 else [theirs, ours]
            found = {measure: measure(model, options.threads) for measure in order}
            pairs.append((found[theirs], found[ours]))
        columns = [[np.array([value]) for value in column] for column in zip(*pairs, strict=True)]
        ratio, (low, high) = ratio_interval(*columns)
        agrees = abs(ratio - 1) <= CLAIM
        if high / low > 1 + 2 * CLAIM:
            verdict = "machine too noisy to tell"
        else:
            verdict = "agrees" if agrees else "DIFFERS"
        print(
            f"{model.name}: litert-benchmark {np.median([pair[0] for pair in pairs]):.3f} ms, "
            f"edgeeff {np.median([pair[1] for pair in pairs]):.3f} ms, "
            f"ratio {ratio:.3f} ({low:.3f} to {high:.3f}): {verdict}"
        )
        status |= verdict != "agrees"
    return status


if __name__ == "__main__":
    sys.exit(main())
