"""The networks that benchmarks/quantization.py measures, and the pictures for each.

    python benchmarks/subjects.py lite0 FOLDER

writes the float network there; quantization.py starts it so that TensorFlow's memory and time
stay out of the measurements.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fashion_mnist
import gcompris
import numpy as np
import numpy.typing as npt
from photographs import photographs
from PIL import Image
from real_b0 import build_features, is_real_b0

from edgeeff import files
from edgeeff.architectures.variants import Variant, find_variant
from edgeeff.pictures.images import pixels, read_images
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.quantization.corrections.equalization import scalable_groups, scale_channels
from edgeeff.quantization.float_graph import float_graph

Pixels = npt.NDArray[np.uint8]

CROPS = 12
"""Of each photograph, where calibration gets its own."""

HELD_OUT_CROPS = 4
"""Of each photograph of gcompris.py."""

OUTLIER = 256.0

FASHION_CALIBRATION = 100
FASHION_CHOOSING = 300


@dataclass(frozen=True)
class Subject:
    """A network: a variant with packaged ImageNet weights, or with those of a file.

    Attributes:
        word: as on the command line: ``lite0``, ``b0=FILE.weights.h5``, or ``b0=FILE.pth``.
    """

    word: str

    @property
    def name(self) -> str:
        """The variant's name."""
        return self.word.partition("=")[0]

    @property
    def weights(self) -> Path | None:
        """Of ``fashion_mnist.py``, or PyTorch's; ``None``: the packaged ones of ImageNet."""
        path = self.word.partition("=")[2]
        return Path(path) if path else None

    @property
    def variant(self) -> Variant:
        """What it is built from."""
        return find_variant(self.name)

    @property
    def ending(self) -> str:
        """What follows the network's outputs: logits become probabilities, features stay."""
        return "linear" if is_real_b0(self.weights) else "softmax"

    def build(self) -> tuple[Any, Preprocessing]:
        """The Keras network, which gives logits or features, and its preprocessing."""
        if self.weights is not None and is_real_b0(self.weights):
            return build_features(self.variant, self.weights)
        import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
        from edgeeff.network.builder import build
        from edgeeff.network.weights import load

        preprocessing = Preprocessing.of(self.variant)
        if self.weights is None:
            network = build(self.variant)
            load(network, self.variant, "imagenet")
            return network, preprocessing
        side = fashion_mnist.SIDE
        network = build(self.variant, classes=fashion_mnist.CLASSES, resolution=side)
        scaling = load(network, self.variant, self.weights).scaling
        assert scaling is not None, "Keras' own network scales its pixels"
        preprocessing = Preprocessing.of(self.variant, side)
        return network, replace(preprocessing, mean=scaling.mean, std=scaling.std)


@dataclass(frozen=True)
class Pictures:
    """Raw RGB pictures, uint8 [count, side, side, 3]; none is in two of the three parts.

    Attributes:
        calibration: what quantizers may see.
        choosing: from the same photographs as ``calibration``, to choose between settings.
        judged: seen by no quantizer.
        labels: of ``judged``, where there are any.
    """

    calibration: Pixels
    choosing: Pixels
    judged: Pixels
    labels: npt.NDArray[np.int64] | None = None


def pictures(subject: Subject, preprocessing: Preprocessing) -> Pictures:
    """Crops of photographs, or Fashion-MNIST for a network trained on it."""
    if subject.weights is not None:
        return _fashion()
    found = opened(sorted(photographs(), key=lambda file: file.name))
    own, others = found[::2], found[1::2]
    return Pictures(
        calibration=crops(own, preprocessing, CROPS, seed=2),
        choosing=crops(own, preprocessing, CROPS, seed=3),
        judged=crops(others, preprocessing, CROPS, seed=1),
    )


def opened(files: Iterable[Path]) -> list[Image.Image]:
    """Photographs in RGB."""
    return [Image.open(file).convert("RGB") for file in files]


def held_out(preprocessing: Preprocessing) -> Pixels:
    """``HELD_OUT_CROPS`` of each photograph that nothing was tuned on, photograph by photograph."""
    return crops(gcompris.photographs(), preprocessing, HELD_OUT_CROPS, seed=1)


def labelled(
    data: Path, preprocessing: Preprocessing, count: int | None = None
) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Labelled pictures of a folder or a CSV, ``count`` of them, and their classes."""
    read = list(pixels(read_images(data, strict=True).take(count), preprocessing))
    if any(picture.label is None for picture, _ in read):
        sys.exit(f"{data}: pictures without labels")
    labels = np.array([picture.label for picture, _ in read], np.int64)
    return np.stack([array for _, array in read]), labels


def crops(
    images: Iterable[Image.Image], preprocessing: Preprocessing, count: int, *, seed: int
) -> Pixels:
    """Square crops of 60 to 100% of the short side, at random places."""
    random = np.random.default_rng(seed)
    found = []
    for image in images:
        for _ in range(count):
            side = int(min(image.size) * random.uniform(0.6, 1.0))
            left, top = (int(random.integers(0, size - side + 1)) for size in image.size)
            square = image.crop((left, top, left + side, top + side))
            found.append(preprocessing.pixels(square))
    return np.stack(found)


def with_outliers(content: bytes) -> bytes:
    """A float network in which single channels reach ``OUTLIER`` times as far; same function.

    Two channels of every group of tensors that are only added up until weights read them: scaled
    up where they are made, and down where they are read.
    """
    graph, random = float_graph(content), np.random.default_rng(0)
    for group in scalable_groups(graph):
        factor = np.ones(graph.shape(group[0])[-1])
        factor[random.choice(len(factor), 2, replace=False)] = OUTLIER
        for tensor in group:
            scale_channels(graph, tensor, factor)
    return graph.content()


def _fashion() -> Pictures:
    train, _ = fashion_mnist.read("train")
    test, labels = fashion_mnist.read("t10k")
    order = np.random.default_rng(0).permutation(len(train))
    few = train[order[: FASHION_CALIBRATION + FASHION_CHOOSING]]
    return Pictures(
        calibration=enlarged(few[:FASHION_CALIBRATION]),
        choosing=enlarged(few[FASHION_CALIBRATION:]),
        judged=enlarged(test),
        labels=labels.astype(np.int64),
    )


def enlarged(gray: Pixels) -> Pixels:
    """As the training enlarges them, rounded to bytes, in three equal channels."""
    size = (fashion_mnist.SIDE, fashion_mnist.SIDE)
    large = [Image.fromarray(p).resize(size, Image.Resampling.BILINEAR) for p in gray]
    return np.repeat(np.stack([np.asarray(p) for p in large])[..., None], 3, axis=-1)


FLOAT = "float32.tflite"
PREPROCESSING = "preprocessing.json"


def write(subject: Subject, folder: Path) -> None:
    """Export the float network with its ending, and write its preprocessing."""
    network, preprocessing = subject.build()
    from edgeeff.network.export import export

    export(network, folder / FLOAT, preprocessing=preprocessing, activation=subject.ending)
    files.write_bytes(folder / PREPROCESSING, json.dumps(preprocessing.to_json()).encode())


def read_preprocessing(folder: Path) -> Preprocessing:
    """What ``write`` wrote."""
    return Preprocessing.from_json(json.loads((folder / PREPROCESSING).read_text("utf-8")))


if __name__ == "__main__":
    write(Subject(sys.argv[1]), Path(sys.argv[2]))
