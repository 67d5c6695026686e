"""A mutant of a graph that the reader accepts is quantized, or refused with one clear error.

A few by default; ``make fuzz`` tries 2,000. A failure names the seed and the number of its mutant.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from edgeeff.errors import EdgeeffError
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.reader import parse_model
from tests import mutants
from tests.forked import MADE, worker
from tests.small_classifiers import LAYERS, SmallClassifier
from tests.tflite import tiny

SIDE, CLASSES = 16, 5
TRIES = int(os.environ.get("EDGEEFF_FUZZ_QUANTIZED", "6"))
SEED = int(os.environ.get("EDGEEFF_FUZZ_SEED", "0"))


def graphs() -> list[bytes]:
    """Float classifiers, one of each layer."""
    made = [tiny.FLOAT32.read_bytes()]
    for layer in LAYERS.values():
        net = SmallClassifier(SIDE)
        last = net.mean(layer(net, net.convolution(net.image, 8, activation="RELU6")))
        made.append(net.content(net.alone(net.dense(last, CLASSES), "SOFTMAX")))
    return made


def accepted(content: bytes) -> bool:
    """Whether the reader takes a file."""
    try:
        parse_model(content)
        Graph.of(content)
    except EdgeeffError:
        return False
    return True


@pytest.mark.slow
def test_a_mutant_is_quantized_or_refused(tmp_path: Path):
    whole, number, tried, made = graphs(), 0, 0, 0
    path, longest, largest = tmp_path / "mutant.tflite", 0.0, 0
    with worker("quantize") as ask:
        while tried < TRIES:
            draw = random.Random(f"{SEED} {number}")  # noqa: S311 - not for secrets
            mutate = mutants.graph_of if draw.randrange(4) else mutants.bytes_of
            content = mutate(draw.choice(whole), draw)
            number += 1
            if not accepted(content):
                continue
            path.write_bytes(content)
            answer = ask(path)
            shutil.rmtree(tmp_path / MADE, ignore_errors=True)
            if fault := answer.wrong:
                kept = Path(os.environ.get("EDGEEFF_FUZZ_KEEP", tmp_path)) / f"{number}.tflite"
                kept.write_bytes(content)
                pytest.fail(f"seed {SEED}, mutant {number} ({kept}): {fault}")
            tried, made = tried + 1, made + answer.made
            longest = max(longest, answer.seconds)
            largest = max(largest, answer.peak_bytes)
    print(f"{tried} graphs: {made} quantized, the others refused")
    print(f"{longest:.1f} s and {largest / 1e6:.0f} MB at most")
    assert made
