"""A user's own Keras classifier: from a file, or as it is in memory.

Files are those of tf_keras and Keras 3 (``.keras``, whole-model ``.h5``) and SavedModels of any
origin. What a file would run beside the network itself is refused (``model_code``).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import tensorflow as tf
import tf_keras

from edgeeff import files, foreign
from edgeeff.errors import InputError
from edgeeff.network import keras_3
from edgeeff.network.export import SIGNATURE
from edgeeff.network.keras_files import CONFIG_LIMIT, attribute
from edgeeff.network.model_code import (
    ABSENT,
    own_layers,
    refuse_code,
    refuse_operators,
    refuse_saving,
    unknown_part,
)
from edgeeff.pictures.shapes import check_ends

EXPORT = 'save it there with model.export("FOLDER"), and give that folder to --model'


@dataclass(frozen=True)
class Classifier:
    """A user's network, ready to be called.

    Attributes:
        name: of it.
        call: from pictures, float32 [batch, height, width, channels], to answers [batch, classes],
            as the network gives them outside of training.
        shape: height, width and channels of a picture; ``None`` for a size that is open.
        kept: what has to stay in memory while ``call`` is used.
    """

    name: str
    call: Callable[[Any], Any]
    shape: tuple[int | None, ...]
    kept: Any


def read(path: Path, *, allow_code: bool = False) -> Classifier:
    """Load a user's network.

    Args:
        path: ``.keras`` or ``.h5`` of a whole model, or the folder of a SavedModel.
        allow_code: run code that the file brings along, such as a Lambda layer.

    Raises:
        InputError: not such a file, with code of its own, or no picture classifier.
    """
    if path.is_dir():
        return _saved_model(path, allow_code=allow_code)
    if not path.exists():
        raise InputError(f"{path}: no such file", "give a .keras or .h5 file or a SavedModel")
    version, own = _check_file(path, allow_code=allow_code)
    try:
        if version == 3:
            model = keras_3.load(path, allow_code=allow_code)
        else:
            model = tf_keras.models.load_model(path, compile=False, safe_mode=not allow_code)
    except foreign.MALFORMED as error:
        unknown = f"layer {own[0]}" if own else unknown_part(str(error))
        why = f", for its {unknown}" if unknown else f": {foreign.reason(error)}"
        raise InputError(f"{path} cannot be loaded{why}", f"{ABSENT}; or {EXPORT}") from error
    return of_model(model, str(path))


def of_model(model: Any, name: str | None = None) -> Classifier:
    """A model of tf_keras or Keras 3 in memory.

    Args:
        model: with one picture as its input and one output.
        name: how to call it in messages; ``None``: as it calls itself.

    Raises:
        InputError: no model of Keras, one of another backend, or no picture classifier.
    """
    name = name or str(getattr(model, "name", type(model).__name__))
    if keras_3.is_model(model):
        keras_3.check_backend(name)
    elif not isinstance(model, tf_keras.Model):
        raise InputError(
            f"a {type(model).__module__}.{type(model).__name__} is not a model of Keras", EXPORT
        )
    if not model.inputs:
        raise InputError(f"{name} does not say what it takes", f"call it once, then {EXPORT}")
    check_ends(len(model.inputs), len(model.outputs), name)
    shape = _sizes(model.inputs[0].shape)[1:]
    _check_shape(name, shape, _sizes(model.outputs[0].shape))
    _check_precision(name, model)
    called = keras_3.calling if keras_3.is_model(model) else _calling
    return _of_pictures(name, called(model), shape, model)


def _check_precision(name: str, model: Any) -> None:
    """Refuse a network that TFLite's kernels, which are of float32, cannot compute."""
    for layer in model._flatten_layers():
        computes = str(layer.compute_dtype)
        if re.search(r"float(?!32)", computes):
            raise InputError(
                f"{name} computes in {computes} from layer {layer.name} on, TFLite in float32",
                "build it with the policy float32, give it the weights and save that",
            )


def _calling(model: tf_keras.Model) -> Callable[[Any], Any]:
    return lambda image: model(image, training=False)


def _check_file(path: Path, *, allow_code: bool) -> tuple[int, list[str]]:
    """Look through a file before Keras loads it.

    Returns:
        The Keras version that wrote it, and its layers of the user's own classes.
    """
    content = files.read_bytes(path, foreign.MOST_UNPACKED)
    most = foreign.most_unpacked(len(content))
    with foreign.parsing(
        f"{path} is not a whole Keras model",
        "weights alone (model.save_weights) do not say which network they are of: use "
        "model.save, or give them to --weights with --variant",
    ):
        if content.startswith(b"PK"):
            configuration, version = _of_archive(content, most)
        else:
            configuration, version = _of_h5(content, most)
    major = version.split(".")[0]
    if major not in ("1", "2", "3"):
        raise InputError(
            f"{path} was saved by Keras {version}, which is not known here",
            f"where it was made, {EXPORT}",
        )
    if not allow_code:
        refuse_code(path, configuration)
    return int(major), own_layers(configuration)


def _of_archive(content: bytes, most: int) -> tuple[Any, str]:
    """The configuration in a ``.keras`` archive, and the version of Keras that wrote it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            limit = most if entry.filename.endswith(".h5") else CONFIG_LIMIT
            if entry.file_size > limit:
                raise ValueError(f"{entry.filename} unpacks to {entry.file_size} bytes")
        configuration = json.loads(archive.read("config.json"))
        metadata = json.loads(archive.read("metadata.json"))
        with archive.open("model.weights.h5") as weights:
            _check_tensors(weights.read(), most)
    return configuration, str(metadata["keras_version"])


def _of_h5(content: bytes, most: int) -> tuple[Any, str]:
    """Likewise of a whole-model ``.h5``."""
    with h5py.File(io.BytesIO(content), "r") as stored:
        text = attribute(stored, "model_config")
        version = attribute(stored, "keras_version") if "keras_version" in stored.attrs else "2"
    _check_tensors(content, most)
    return json.loads(text), version.decode() if isinstance(version, bytes) else str(version)


def _check_tensors(content: bytes, most: int) -> None:
    """Refuse tensors that lie in other files, or are more than memory can be asked for."""
    names: list[str] = []
    with h5py.File(io.BytesIO(content), "r") as stored:
        stored.visit(names.append)
        found = [stored[name] for name in names]
        tensors = [tensor for tensor in found if isinstance(tensor, h5py.Dataset)]
        if any(tensor.external or tensor.is_virtual for tensor in tensors):
            raise ValueError("a tensor points to another file")
        if sum(tensor.nbytes for tensor in tensors) > most:
            raise ValueError("it declares more numbers than an image classifier has")


def _saved_model(path: Path, *, allow_code: bool) -> Classifier:
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path} is not a SavedModel: it has no saved_model.pb")
    if not allow_code:
        _check_operators(path)
    try:
        loaded = tf.saved_model.load(str(path))
        signature = loaded.signatures[SIGNATURE]
    except (*foreign.MALFORMED, tf.errors.OpError) as error:
        raise InputError(
            f"{path} cannot be loaded, or has no signature {SIGNATURE}: {foreign.reason(error)}",
            'save it with model.export("FOLDER") or model.save("FOLDER", save_format="tf")',
        ) from error
    _refuse_random(path, signature.graph.as_graph_def())
    inputs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    check_ends(len(inputs), len(outputs), str(path))
    ((key, spec),) = inputs.items()
    (answer,) = outputs
    shape = _sizes(spec.shape)[1:]
    _check_shape(str(path), shape, _sizes(outputs[answer].shape))

    def call(image: Any) -> Any:
        return signature(**{key: tf.cast(image, spec.dtype)})[answer]

    return _of_pictures(path.name, call, shape, loaded)


def _of_pictures(
    name: str, call: Callable[[Any], Any], shape: tuple[int | None, ...], kept: Any
) -> Classifier:
    """A network whose pictures have channels: one that takes [height, width] takes grey."""
    if len(shape) == 3:
        return Classifier(name, call, shape, kept)
    return Classifier(name, lambda image: call(tf.squeeze(image, -1)), (*shape, 1), kept)


def _check_operators(path: Path) -> None:
    """Look through a SavedModel's graphs before TensorFlow loads it, which runs parts of them."""
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    try:
        stored = parse_saved_model(str(path))
    except OSError as error:
        raise InputError(f"{path}/saved_model.pb is damaged") from error
    kinds: set[str] = set()
    for graph in stored.meta_graphs:
        refuse_saving(path, graph)
        kinds |= {node.op for node in graph.graph_def.node}
        functions = graph.graph_def.library.function
        kinds |= {node.op for function in functions for node in function.node_def}
        kinds -= {function.signature.name for function in functions}
    refuse_operators(path, kinds, [kind for kind in kinds if _stateful(kind)])


RANDOM = re.compile(r"Rng\w+|(?:Stateful|Stateless)?(?:Random|Uniform|TruncatedNormal)\w*")
"""Operators that draw numbers."""


def _refuse_random(path: Path, graph: Any) -> None:
    """Refuse an export that augments its pictures: of RandomFlip and its like Keras exports that.

    Raises:
        InputError: names the layer.
    """
    functions = [node for function in graph.library.function for node in function.node_def]
    for node in (*graph.node, *functions):
        if RANDOM.fullmatch(node.op):
            layers = [part for part in node.name.split("/") if part.startswith("random")]
            raise InputError(
                f"{path}: {layers[0] if layers else node.name} changes pictures at random, which "
                "the export left switched on",
                "save it with model.save, or export it without its augmentation layers",
            )


def _stateful(kind: str) -> bool:
    """Whether TensorFlow says that an operator has a state, or does not know it."""
    from tensorflow.python.framework import op_def_registry

    described = op_def_registry.get(kind)
    return described is None or bool(described.is_stateful)


def _sizes(shape: Any) -> tuple[int | None, ...]:
    """Of a shape; none where not even their number is known."""
    known = tf.TensorShape(shape)
    return () if known.rank is None else tuple(known.as_list())


def _check_shape(name: str, picture: tuple[Any, ...], answer: tuple[Any, ...]) -> None:
    if len(picture) not in (2, 3) or (*picture, 1)[2] not in (1, 3):
        raise InputError(
            f"{name} takes {list(picture)}",
            "a classifier of pictures has [height, width, 3] for RGB, or 1 for grey",
        )
    if len(answer) != 2 or not answer[1]:
        raise InputError(f"{name} answers {list(answer)}", "a classifier has [batch, classes]")
