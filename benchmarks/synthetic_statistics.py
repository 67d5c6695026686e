"""How near the synthetic pictures come to photographs, in the eyes of a trained network.

    python benchmarks/synthetic_statistics.py efficientnet-lite0-float32.tflite

The file is one that edgeeff exported: it carries the mean and deviation of every activation
channel over the network's training pictures, as its BatchNorm layers knew them. Pictures of each
kind are run through it and compared channel by channel. The photographs are those that ship with
scikit-image and scikit-learn, cut into windows.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image
from results import SAVE, of_this_run, save

from edgeeff.evaluation.inputs import find_preprocessing, input_shape
from edgeeff.pictures.preprocessing import Preprocessing, of_family
from edgeeff.pictures.synthetic import synthetic_pictures
from edgeeff.tflite import statistics
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner

COUNT = 64
PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
               "motorcycle_left.png", "rocket.jpg")  # fmt: skip
SCIKIT_LEARN = ("china.jpg", "flower.jpg")


@dataclass
class Seen:
    """What pictures of one kind did to each tensor: per channel, over pictures and places."""

    mean: list[NDArray[np.float64]]
    deviation: list[NDArray[np.float64]]
    highest: list[float]


def photographs(preprocessing: Preprocessing, count: int) -> Iterator[NDArray[np.uint8]]:
    """Windows of photographs: every size from all of it to 0.4 of it."""
    folder = Path(skimage.__file__).parent / "data"
    other = Path(sklearn.datasets.__file__).parent / "images"
    paths = [folder / name for name in PHOTOGRAPHS] + [other / name for name in SCIKIT_LEARN]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    random = np.random.default_rng(0)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        side = int(min(picture.size) * random.uniform(0.4, 1))
        left, top = (int(random.integers(0, length - side + 1)) for length in picture.size)
        yield preprocessing.pixels(picture.crop((left, top, left + side, top + side)))


def noise(resolution: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """Uniform noise, the usual makeshift."""
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.integers(0, 256, (resolution, resolution, 3), dtype=np.uint8)


def see(
    runner: Runner, pictures: Iterator[NDArray[np.uint8]], preprocessing: Preprocessing
) -> Seen:
    """Run the pictures and sum up each tensor."""
    count, totals, squares, highest = 0, [], [], []
    for picture in pictures:
        found = runner.run(preprocessing.normalised(picture)[None])
        flat = [values.reshape(-1, values.shape[-1]).astype(np.float64) for values in found]
        if not count:
            totals, squares = ([np.zeros(v.shape[-1]) for v in flat] for _ in range(2))
            highest = [0.0] * len(flat)
        count += 1
        for index, values in enumerate(flat):
            totals[index] += values.mean(0)
            squares[index] += np.square(values).mean(0)
            highest[index] = max(highest[index], float(abs(values).max()))
    mean = [total / count for total in totals]
    pairs = zip(squares, mean, strict=True)
    return Seen(mean, [np.sqrt(np.maximum(s / count - m * m, 0)) for s, m in pairs], highest)


def is_linear(name: str) -> bool:
    """Whether no activation follows, by the names that edgeeff gives tensors."""
    return name.endswith(("_project_bn", "_add"))


def main() -> None:
    """Print one row per kind of pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a float .tflite that edgeeff exported")
    parser.add_argument(SAVE, type=Path, metavar="FILE.json", help="put the rows into this")
    chosen = parser.parse_args()
    path = chosen.model
    graph = Graph.of(path.read_bytes())
    embedded = statistics.attached(graph)
    if embedded is None:
        parser.error(f"{path} carries no statistics: was it exported by edgeeff?")
    known = embedded.tensors
    # Outputs without activation: means can be told in deviations, and no ReLU6 bounds the rest.
    linear = {
        tensor.name: tensor.index
        for tensor in graph.tensors
        if tensor.name in known and is_linear(tensor.name)
    }
    graph.expose(list(linear.values()))
    runner = Runner(graph.content())
    resolution, *_ = input_shape(path)
    preprocessing = find_preprocessing(path, otherwise=of_family("lite", resolution))
    kinds = {
        "photographs": photographs(preprocessing, COUNT),
        "synthetic": synthetic_pictures(COUNT, resolution, seed=1),
        "noise": noise(resolution, COUNT),
    }
    seen = {kind: see(runner, pictures, preprocessing) for kind, pictures in kinds.items()}
    for kind, found in seen.items():
        off, spread = [], []
        for name, mean, deviation in zip(linear, found.mean, found.deviation, strict=True):
            truth = known[name]
            assert truth.deviation is not None, f"{name} has no deviation"
            off.append((abs(mean - truth.mean) / truth.deviation).mean())
            spread.append(np.log(deviation / truth.deviation).mean())
        pairs = zip(found.highest, seen["photographs"].highest, strict=True)
        row = {
            "network": path.stem.removeprefix("efficientnet-").removesuffix("-float32"),
            "method": kind,
            "mean_off": float(np.mean(off)),
            "deviation_ratio": float(np.exp(np.mean(spread))),
            "largest_ratio": float(np.median([ours / theirs for ours, theirs in pairs])),
        }
        print(json.dumps(row), flush=True)
        if chosen.save is not None:
            save(chosen.save, of_this_run([row]))


if __name__ == "__main__":
    main()
