"""Compare int8 of classifiers of keras.applications by edgeeff and by TensorFlow's own converter.

    python benchmarks/keras_applications.py --save benchmarks/results/keras-applications.json
    python benchmarks/keras_applications.py Xception DenseNet121 trained=FILE.h5@224

Each network is made with random weights from a fixed seed, since its trained ones cannot be had
offline; BatchNorm gets random gammas and betas, and means and variances of photographs, so that no
activation dies. A trained one, of pixels from -1 to 1, is given as NAME=FILE@SIDE. The ``.keras``
file goes through ``edgeeff convert --model`` and through ``TFLiteConverter`` (full integer, per
channel, uint8 at both ends), which calibrate on the same photographs. Crops of other photographs
judge both at the logits, against the float network. Each way runs in a process of its own: seconds
and peak memory are of the whole process. Latency is a ratio to TFLiteConverter's file, measured in
turn on one thread: run it on a quiet processor, or with ``taskset -c 0 chrt -r 1`` before it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from photographs import photographs
from PIL import Image
from quantization import latency_of, say
from results import of_this_run, save
from subjects import crops, opened

from edgeeff.accelerators.machine import peak_bytes
from edgeeff.accelerators.plan import preset
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import fidelity
from edgeeff.pictures.preprocessing import Preprocessing, from_options
from edgeeff.quantization.calibration.pictures import folder_pair
from edgeeff.tflite.reader import read_model

GIVEN = 40
"""Photographs' crops that calibrate; the folder holds some more, which only edgeeff's own
verification looks at."""

CALIBRATION_CROPS, JUDGED_CROPS = 6, 10
"""Of each photograph."""

BATCH = 8
"""Pictures at once while BatchNorm's statistics are measured."""

STOCK, OWN = "TFLiteConverter int8", "edgeeff convert --model"

TF = ("127.5", "127.5")
TORCH = ("123.675,116.28,103.53", "58.395,57.12,57.375")
CAFFE = ("123.68,116.779,103.939", "1")
WITHIN = ("0", "1")
"""Mean and std of the pixels, as ``preprocess_input`` of the network's module has them (that of
Caffe's networks with the channels as they are); the last: layers of the network do it."""


@dataclass(frozen=True)
class Network:
    """A function of ``tf_keras.applications``, or a file.

    Attributes:
        function: its name, or the file's.
        side: resolution of its input.
        pixels: mean and std.
        options: of the function.
    """

    function: str
    side: int = 224
    pixels: tuple[str, str] = TF
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def preprocessing(self) -> Preprocessing:
        """Of the pictures, which have its resolution already."""
        return from_options(self.side, *self.pixels, "bilinear:1")


NETWORKS: Mapping[str, Network] = {
    "VGG16": Network("VGG16", pixels=CAFFE),
    "Xception": Network("Xception", 299),
    "ResNet50": Network("ResNet50", pixels=CAFFE),
    "MobileNet": Network("MobileNet"),
    "MobileNet-0.25": Network("MobileNet", options={"alpha": 0.25}),
    "MobileNetV2": Network("MobileNetV2"),
    "MobileNetV3Large": Network("MobileNetV3Large", pixels=WITHIN),
    "EfficientNetV2B0": Network("EfficientNetV2B0", pixels=WITHIN),
    "DenseNet121": Network("DenseNet121", pixels=TORCH),
    "InceptionV3": Network("InceptionV3", 299),
    "NASNetMobile": Network("NASNetMobile"),
    "EfficientNetB0": Network("EfficientNetB0", pixels=WITHIN),
}


def _of(word: str) -> tuple[str, Network]:
    """A network as on the command line: its name, and what is known of it."""
    name, _, place = word.partition("=")
    if not place:
        return name, NETWORKS[name]
    file, _, side = place.rpartition("@")
    return name, Network(file, int(side))


def build(word: str, folder: Path) -> None:
    """Write the network as ``FOLDER/NAME.keras``."""
    import tf_keras

    name, network = _of(word)
    random = np.random.default_rng(0)
    if network not in NETWORKS.values():
        trained = tf_keras.models.load_model(network.function, compile=False)
        trained.save(folder / f"{name}.keras")
        return
    tf_keras.utils.set_random_seed(0)
    model = getattr(tf_keras.applications, network.function)(
        weights=None, input_shape=(network.side, network.side, 3), **network.options
    )
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.0
            channels = layer.moving_mean.shape[0]
            if layer.gamma is not None:
                layer.gamma.assign(random.uniform(0.6, 1.4, channels))
            layer.beta.assign(random.normal(0, 0.4, channels))
    pictures = folder_pair(folder / "calibration", network.preprocessing, count=GIVEN).used.pictures
    model(network.preprocessing.normalised(pictures[:: GIVEN // BATCH]), training=True)
    model.save(folder / f"{name}.keras")


def convert_by_tensorflow(word: str, folder: Path) -> None:
    """What the documentation of TensorFlow says for full integer."""
    import tensorflow as tf
    import tf_keras

    name, network = _of(word)
    how = network.preprocessing
    pictures = folder_pair(folder / "calibration", how, count=GIVEN).used.pictures
    model = tf_keras.models.load_model(folder / f"{name}.keras", compile=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([how.normalised(it)[None]] for it in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    (folder / f"{name}-stock.tflite").write_bytes(converter.convert())


def write_pictures(side: int, folder: Path) -> None:
    """Crops of every other photograph to calibrate with, of the others to judge."""
    how = from_options(side, *WITHIN, "bilinear:1")
    found = opened(sorted(photographs(), key=lambda file: file.name))
    for part, images, count, seed in (
        ("calibration", found[::2], CALIBRATION_CROPS, 2),
        ("judged", found[1::2], JUDGED_CROPS, 1),
    ):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(crops(images, how, count, seed=seed)):
            Image.fromarray(picture).save(folder / part / f"{number:03d}.png")


@dataclass(frozen=True)
class Made:
    """A file, and what it took."""

    path: Path
    seconds: float
    peak_bytes: int


def alone(*arguments: str) -> tuple[str, float]:
    """What a fresh Python process prints, and the seconds it takes."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stderr[-4000:]}{done.stdout[-4000:]}")
    return done.stdout, time.perf_counter() - start


def by_tensorflow(word: str, folder: Path) -> Made:
    """The stock converter's file."""
    told, seconds = alone(__file__, "--convert", str(folder), word)
    return Made(folder / f"{_of(word)[0]}-stock.tflite", seconds, int(told.splitlines()[-1]))


def by_edgeeff(word: str, folder: Path) -> Made:
    """The file of ``convert --model``."""
    name, network = _of(word)
    mean, std = network.pixels
    command = ("-m", "edgeeff", "convert", "--model", str(folder / f"{name}.keras"), "--json")
    scaling = ("--mean", mean, "--std", std)
    pictures = ("--calibration", str(folder / "calibration"), "--calibration-count", str(GIVEN))
    told, seconds = alone(*command, *scaling, *pictures, "--output", str(folder), "--force")
    peak = json.loads(told)["peak_memory_bytes"]
    return Made(folder / f"{name}-int8.tflite", seconds, peak)


def rows(word: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Both files of one network."""
    name, network = _of(word)
    stock = folder / f"{name}-stock.tflite"
    made = {}
    if not stock.exists():
        write_pictures(network.side, folder)
        alone(__file__, "--build", str(folder), word)
        made[STOCK] = by_tensorflow(word, folder)
    made[OWN] = by_edgeeff(word, folder)
    judged = [np.asarray(Image.open(file)) for file in sorted((folder / "judged").iterdir())]

    def logits(model: Path) -> Any:
        classifier = Classifier(model, network.preprocessing)
        return np.concatenate([classifier(picture[None]).logits for picture in judged])

    truth = logits(folder / f"{name}-float32.tflite")
    times = latency_of([stock, made[OWN].path], preset("quick", threads=1))
    for method, one in made.items():
        found = fidelity(truth, logits(one.path))
        yield {
            "network": name,
            "method": method,
            "calibration": "photographs",
            "integer_only": read_model(one.path).integer_only,
            "sqnr_db": found.sqnr_db,
            "median_image_sqnr_db": found.median_image_sqnr_db,
            "kl": found.kl,
            "agreement": {"value": found.agreement, "images": found.images},
            "operators": len(read_model(one.path).operators),
            "seconds": one.seconds,
            "megabytes": one.path.stat().st_size / 1e6,
            "peak_megabytes": one.peak_bytes / 1e6,
        } | times(one.path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="put the rows into this")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave the files there, and make no file of TensorFlow's again",
    )
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--convert", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    given = parser.parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    for word in given.networks:
        if "=" not in word and word not in NETWORKS:
            parser.error(f"{word} is none of {', '.join(NETWORKS)}")
    if given.build:
        build(given.networks[0], given.build)
    elif given.convert:
        convert_by_tensorflow(given.networks[0], given.convert)
        print(peak_bytes())
    else:
        compare(given)


def compare(given: argparse.Namespace) -> None:
    """All networks that were asked for, one after the other."""
    for word in given.networks:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.keep or Path(scratch)) / _of(word)[0]
            found = []
            for row in rows(word, folder):
                say(json.dumps(row))
                found.append(row)
        if given.save:
            save(given.save, of_this_run(found))


if __name__ == "__main__":
    main()
