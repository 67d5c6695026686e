"""Write into a .tflite file what app frameworks should know of it: see ``metadata``.

Tables that a file has already are kept but for what was changed, and so are the files behind it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeeff.pictures.class_names import check_count
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.feeding import takes_pixels
from edgeeff.tflite.flatbuffer import Table, decode, read_schema
from edgeeff.tflite.flatbuffer_writer import encode
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.metadata import (
    ENTRY,
    IDENTIFIER,
    LABELS_TYPE,
    PREPROCESSING_ENTRY,
    ROOT,
    files_behind,
    is_labels,
)
from edgeeff.tflite.runner import TensorInfo

PerChannel = tuple[float, ...]

LABELS_FILE = "labels.txt"
"""Name of the label file that we add."""

PARSER_VERSION = "1.0.0"
"""Of the oldest reader of metadata that understands what we write."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""What every entry of an archive is dated: the same files give the same bytes."""


@dataclass(frozen=True)
class Texts:
    """What people should know of a model; an empty text leaves what its file says already.

    Attributes:
        name: of the network.
        description: a sentence or two.
        version: of the model, as its makers count.
        author: who made it.
        license: under which it may be used.
    """

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""


def write_metadata(
    content: bytes,
    preprocessing: Preprocessing,
    *,
    labels: tuple[str, ...] | None = None,
    texts: Texts | None = None,
    source: bytes | None = None,
) -> bytes:
    """A classifier with TFLite metadata, and its labels in an archive behind the model.

    The normalization is what makes values of pixels that, quantized as the input says, are what
    the input takes: mean 0 and std 1 for one whose graph normalises.

    Args:
        content: a ``.tflite`` with one input of pictures and one output of classes.
        preprocessing: of the float network, which the file tells edgeeff as well.
        labels: class names in the order of the outputs; ``None``: those of ``source``.
        texts: what to say of the model.
        source: the file whose metadata and archive are taken over; ``None``: ``content``.

    Raises:
        InputError: damaged metadata, or labels that are more or fewer than the outputs.
    """
    source = content if source is None else source
    graph = Graph.of(content)
    root, files = _known(source), files_behind(source)
    for name, text in vars(texts or Texts()).items():
        if text:
            root[name] = text
    root["min_parser_version"] = root.get("min_parser_version") or PARSER_VERSION
    ends = (root.get("subgraph_metadata") or [{}])[0]
    image, result = TensorInfo.of(graph.tensor(graph.input)), graph.tensor(graph.output)
    first, *others = ends.get("input_tensor_metadata") or [{}]
    ends["input_tensor_metadata"] = [_input(first, image, preprocessing), *others]
    first, *others = ends.get("output_tensor_metadata") or [{}]
    ends["output_tensor_metadata"] = [_output(first, result.name), *others]
    root["subgraph_metadata"] = [ends]
    if labels is not None:
        check_count(len(labels), result.shape[-1])
        _name_classes(ends["output_tensor_metadata"][0], files, labels)
    graph.attach(ENTRY, encode(root, read_schema("metadata"), ROOT, IDENTIFIER))
    graph.attach(PREPROCESSING_ENTRY, json.dumps(preprocessing.to_json()).encode())
    return graph.content() + archive(files)


def normalization(info: TensorInfo, preprocessing: Preprocessing) -> tuple[PerChannel, PerChannel]:
    """Mean and std with which an app makes the real values of an input, on pixels 0..255.

    Raises ``InputError`` as ``feeding`` does.
    """
    if takes_pixels(info, preprocessing):
        return (0.0,) * preprocessing.channels, (1.0,) * preprocessing.channels
    return preprocessing.mean, preprocessing.std


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive, not compressed as MediaPipe wants it; nothing without files."""
    if not files:
        return b""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as written:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = 0o644 << 16
            written.writestr(entry, content)
    return buffer.getvalue()


def _known(content: bytes) -> Table:
    """The tables of the metadata that a file has, or none."""
    found = Graph.of(content).attached(ENTRY)
    if found is None:
        return {}
    return decode(found, read_schema("metadata"), ROOT, IDENTIFIER, "the metadata of the model")


def _input(table: Table, info: TensorInfo, preprocessing: Preprocessing) -> Table:
    mean, std = map(np.asarray, normalization(info, preprocessing))
    others = [each for each in table.get("process_units") or () if not _normalizes(each)]
    unit: Table = {
        "options_type": _kind("ProcessUnitOptions", "NormalizationOptions"),
        "options": {"mean": mean, "std": std},
    }
    return {
        **table,
        "name": table.get("name") or info.name,
        "content": table.get("content") or _image(preprocessing),
        "process_units": [unit, *others],
        "stats": {"min": (0 - mean) / std, "max": (255 - mean) / std},
    }


def _normalizes(unit: Table) -> bool:
    return bool(unit["options_type"] == _kind("ProcessUnitOptions", "NormalizationOptions"))


def _image(preprocessing: Preprocessing) -> Table:
    height, width, channels = preprocessing.shape
    spaces = read_schema("metadata").enums["ColorSpaceType"]
    wanted = "RGB" if channels == 3 else "GRAYSCALE"
    space = next(number for number, name in spaces.items() if name == wanted)
    return {
        "content_properties_type": _kind("ContentProperties", "ImageProperties"),
        "content_properties": {
            "color_space": space,
            "default_size": {"width": width, "height": height},
        },
    }


def _output(table: Table, name: str) -> Table:
    features: Table = {
        "content_properties_type": _kind("ContentProperties", "FeatureProperties"),
        "content_properties": {},
    }
    return {
        **table,
        "name": table.get("name") or name,
        "content": table.get("content") or features,
    }


def _name_classes(output: Table, files: dict[str, bytes], labels: tuple[str, ...]) -> None:
    """Put labels in place of those that an output has, unless they are the same."""
    known = output.get("associated_files") or []
    content = "".join(f"{label}\n" for label in labels).encode()
    before = [file["name"] for file in known if is_labels(file)]
    if before and files.get(before[0], b"").splitlines() == content.splitlines():
        return
    for name in before:
        files.pop(name, None)
    files[LABELS_FILE] = content
    file = {"name": LABELS_FILE, "description": "Names of the classes.", "type": LABELS_TYPE}
    output["associated_files"] = [file, *(file for file in known if not is_labels(file))]


def _kind(union: str, member: str) -> int:
    members: Mapping[int, Any] = read_schema("metadata").unions[union]
    return next(number for number, name in members.items() if name == member)
