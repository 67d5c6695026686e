"""Whether the interval that one benchmark reports holds what the next ones find.

    python benchmarks/latency_repeats.py model.tflite [--calls 5]

Runs the standard benchmark several times, as a user would, and counts for every call how many
of the other calls' medians lie in its interval. The claim is: at least four calls of five hold
all the others, or say that the machine is too noisy. Ends with status 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgeeff.accelerators.plan import preset
from edgeeff.benchmarking.run import benchmark

CLAIM = 0.8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    plan = preset("standard", threads=options.threads)
    found = [benchmark([options.model], plan=plan).measurements[0] for _ in range(options.calls)]
    good = 0
    for number, call in enumerate(found):
        low, high = call.latency.ci95
        others = [other.latency.median for other in found if other is not call]
        held = sum(low <= median <= high for median in others)
        noisy = any("too noisy" in warning for warning in call.warnings)
        good += noisy or held == len(others)
        print(
            f"call {number + 1}: {call.latency.median:.3f} ms ({low:.3f} to {high:.3f}) holds "
            f"{held} of {len(others)} other medians"
            + (", and says the machine is too noisy" if noisy else "")
        )
    print(f"{good} of {len(found)} calls hold all the others, or say that they cannot")
    return int(good < CLAIM * len(found))


if __name__ == "__main__":
    sys.exit(main())
