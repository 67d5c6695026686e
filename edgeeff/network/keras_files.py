"""Weights from the files that Keras saves: .h5, .weights.h5 and .keras.

Three layouts exist. The older .h5 (whole model or weights only) has a path
``layer/layer/variable`` for each tensor. ``.weights.h5`` and the archive ``.keras`` that
wraps one number layers by class instead: ``layers/conv2d_3/vars/0``; the archive's
config.json says which layer that is. Keras builds the layers that such a configuration
describes, custom code included; here it is only looked through (``saved_layers``).
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy.typing as npt

from edgeeff import files, foreign
from edgeeff.errors import InputError
from edgeeff.network.input_scaling import separated
from edgeeff.network.named_tensors import VARIABLES, NamedTensors, check_size
from edgeeff.network.saved_layers import SavedLayer, parse

CONFIG_LIMIT = 64 << 20
"""Bytes of a config.json; that of B7 has half a million."""

OF_TRAINING = ("optimizer", "metrics/", "loss_tracker/", "compile_metrics/")
"""What a compiled model saves beside its layers: the optimizer's state, sums of its metrics."""

NUMBERED = re.compile(r"layers/([a-z0-9_]+?)(?:_(\d+))?/vars/(\d+)")


@dataclass(frozen=True)
class LayerNames:
    """Layers in the order of a network, as (class such as ``conv2d``, name)."""

    layers: Sequence[tuple[str, str]]

    def of_class(self, kind: str) -> list[str]:
        """Names of the layers of one class, in order."""
        return [name for found, name in self.layers if found == kind]


def read(path: Path, network: LayerNames, *, rescaled: bool | None = None) -> NamedTensors:
    """Read any of Keras' files.

    Args:
        path: the file.
        network: the layers of the network that the weights are for; they name the layers of
            a .weights.h5, which has no names.
        rescaled: as ``input_scaling.separated`` takes it.

    Raises:
        InputError: not such a file, cut short, or a tensor too large.
    """
    content = files.read_bytes(path, foreign.MOST_UNPACKED)
    with foreign.parsing(
        f"{path} is not a readable Keras file",
        "it may be cut short: compare its size with that of the original",
    ):
        most = foreign.most_unpacked(len(content))
        layers, content = _unwrapped(content, most)
        with h5py.File(io.BytesIO(content), "r") as stored:
            group = stored.get("model_weights", stored)
            tensors = dict(_tensors(path, group, _named(layers) if layers else network, most))
            layers = layers or _described(stored)
            names = _layer_names(group)
    return replace(separated(path, tensors, layers or names, rescaled=rescaled), layers=layers)


def snake_case(name: str) -> str:
    """``BatchNormalization`` is ``batch_normalization``: Keras' rule for its paths."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _unwrapped(content: bytes, most: int) -> tuple[tuple[SavedLayer, ...] | None, bytes]:
    """The layers that a .keras archive names and the h5 file inside; or the h5 file itself."""
    if not content.startswith(b"PK"):
        return None, content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.getinfo("config.json")
        weights = archive.getinfo("model.weights.h5")
        if entry.file_size > CONFIG_LIMIT or weights.file_size > most:
            raise ValueError("it unpacks to more than an EfficientNet can have")
        return parse(archive.read(entry)), archive.read(weights)


def _named(layers: Sequence[SavedLayer]) -> LayerNames:
    return LayerNames([(snake_case(layer.kind), layer.name) for layer in layers])


def _described(stored: Any) -> tuple[SavedLayer, ...] | None:
    """The layers that an older .h5 of a whole model describes."""
    text = attribute(stored, "model_config") if "model_config" in stored.attrs else None
    return parse(text) if isinstance(text, (str, bytes)) else None


def attribute(stored: Any, key: str) -> Any:
    """An attribute, if it has no more bytes than a configuration: a few can declare terabytes."""
    declared = stored.attrs.get_id(key)
    if math.prod(declared.shape) * declared.dtype.itemsize > CONFIG_LIMIT:
        raise ValueError(f"its {key} is larger than that of an EfficientNet can be")
    value = stored.attrs[key]
    if isinstance(value, (str, bytes)) and len(value) > CONFIG_LIMIT:
        raise ValueError(f"its {key} is larger than that of an EfficientNet can be")
    return value


def _tensors(
    path: Path, group: Any, network: LayerNames, most: int
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Every tensor as (layer/variable, values). Links out of the file are not followed."""
    names: list[str] = []
    total = 0
    group.visit(names.append)
    for name in names:
        stored = group[name]
        if not isinstance(stored, h5py.Dataset) or name.startswith(OF_TRAINING):
            continue
        if stored.external or stored.is_virtual:
            raise InputError(f"{path}: tensor {name!r} points to another file", "save it again")
        check_size(path, name, stored.shape)
        # A few bytes of file can declare terabytes of text.
        if stored.dtype.kind not in "biuf":
            raise InputError(f"{path}: tensor {name!r} holds {stored.dtype}, not numbers")
        total += stored.nbytes
        if total > most:
            raise InputError(f"{path} holds more numbers than an EfficientNet can have")
        yield _name(name, network), stored[()]


def _name(stored: str, network: LayerNames) -> str:
    numbered = NUMBERED.fullmatch(stored)
    if numbered is None:
        layer, _, variable = stored.rpartition("/")
        variable = variable.partition(":")[0]
        layer = layer.rpartition("/")[2]
        # Keras 3 calls the kernel of every layer "kernel".
        if layer.endswith("dwconv") and variable == "kernel":
            variable = "depthwise_kernel"
        return f"{layer}/{variable}"
    kind, number, position = numbered[1], int(numbered[2] or 0), int(numbered[3])
    layers = network.of_class(kind) or ([kind] if kind == "normalization" else [])
    if number >= len(layers) or position >= len(VARIABLES.get(kind, ())):
        return stored
    return f"{layers[number]}/{VARIABLES[kind][position]}"


def _layer_names(group: Any) -> list[str] | None:
    """All layers of an older .h5, those without weights included; large lists are split."""
    chunks = sorted(
        (key for key in group.attrs if re.fullmatch(r"layer_names\d*", key)),
        key=lambda key: int(key.removeprefix("layer_names") or 0),
    )
    found = [name for key in chunks for name in attribute(group, key)]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found] or None
