"""TFLite Model Metadata: what a file says of itself to app frameworks such as MediaPipe.

A FlatBuffer of its own inside the model, and files (class labels, mostly) in a zip archive that
is appended to it. Schema: ``metadata_schema.fbs`` of tflite-support and of MediaPipe 1.2.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgeeff import foreign
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.flatbuffer import Table, decode, read_schema
from edgeeff.tflite.model import Model

ENTRY = "TFLITE_METADATA"
"""Name under which the model holds it."""

PREPROCESSING_ENTRY = "edgeeff.preprocessing/1"
"""Name under which it holds the preprocessing of the float network, as JSON: TFLite's metadata
knows neither the crop nor the interpolation, and of a graph that normalises no mean and std."""

ROOT = "ModelMetadata"
IDENTIFIER = b"M001"
LABELS_TYPE = 2
"""``AssociatedFileType.TENSOR_AXIS_LABELS``."""

MOST_FILE_BYTES = 16 * 2**20
"""Larger associated files are refused: label files have some ten kilobytes."""

MOST_FILES = 1_000


@dataclass(frozen=True)
class AssociatedFile:
    """A file that belongs to the model, such as the labels of an output.

    Attributes:
        kind: such as ``"TENSOR_AXIS_LABELS"``.
        locale: such as ``"en"``, often empty.
    """

    name: str
    kind: str
    locale: str


@dataclass(frozen=True)
class TensorMetadata:
    """What an app should know of an input or output.

    Attributes:
        color_space: ``"RGB"``, ``"GRAYSCALE"`` or ``"UNKNOWN"`` of an image, else ``None``.
        mean: per channel, on the scale of the picture's values; empty if not given. An app feeds
            ``(x - mean) / std``.
        std: likewise.
        minimum: smallest values, per channel.
        maximum: largest values, per channel.
        files: those that belong to this tensor.
    """

    name: str
    description: str
    color_space: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    files: tuple[AssociatedFile, ...]


@dataclass(frozen=True)
class ModelMetadata:
    """What the model says of itself; texts may be empty."""

    name: str
    description: str
    version: str
    author: str
    license: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    files: tuple[AssociatedFile, ...]


def read_metadata(model: Model) -> ModelMetadata | None:
    """The metadata of a model, ``None`` if it has none.

    Raises:
        InputError: it is damaged.
    """
    content = model.metadata.get(ENTRY)
    if content is None:
        return None
    name = f"the metadata of {model.name}"
    root = decode(bytes(content), read_schema("metadata"), ROOT, IDENTIFIER, name)
    # The first subgraph's entry is the model's: its inputs and outputs.
    graph = (root["subgraph_metadata"] or [{}])[0]
    return ModelMetadata(
        name=root["name"] or "",
        description=root["description"] or "",
        version=root["version"] or "",
        author=root["author"] or "",
        license=root["license"] or "",
        inputs=_tensors(graph.get("input_tensor_metadata"), name),
        outputs=_tensors(graph.get("output_tensor_metadata"), name),
        files=_files([*(root["associated_files"] or ()), *(graph.get("associated_files") or ())]),
    )


def read_preprocessing(model: Model) -> Preprocessing | None:
    """The preprocessing that edgeeff wrote into a model; ``None`` if it has none.

    Raises:
        InputError: it is damaged.
    """
    content = model.metadata.get(PREPROCESSING_ENTRY)
    if content is None:
        return None
    with foreign.parsing(f"the preprocessing in {model.name} is damaged"):
        fields = json.loads(bytes(content))
    return Preprocessing.from_json(fields)


def is_labels(file: Table) -> bool:
    """Whether an associated file names the classes of an output."""
    return bool(file["type"] == LABELS_TYPE)


def files_behind(content: bytes) -> dict[str, bytes]:
    """Every file in the archive appended to a model, by name.

    Raises:
        InputError: the archive is damaged or too large, or has two files of a name.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    name, room = "the model", foreign.most_unpacked(len(content))
    found: dict[str, bytes] = {}
    with _archive(io.BytesIO(content), name) as archive:
        for entry in archive.namelist():
            if entry in found:
                raise InputError(f"the archive appended to {name} has two files of the same name")
            found[entry] = _member(archive, entry, name)
            room -= len(found[entry])
            if room < 0:
                raise InputError(f"the archive appended to {name} unpacks to far more than it is")
    return found


def associated_files(path: Path) -> dict[str, int]:
    """Name and size of every file in the archive appended to the model; empty without one.

    Raises:
        InputError: the archive is damaged or has too many files.
    """
    if not zipfile.is_zipfile(path):
        return {}
    with _archive(path, path) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def read_associated_file(path: Path, name: str) -> bytes:
    """The content of one associated file.

    Raises:
        InputError: there is none of that name, or it is damaged or too large.
    """
    if name not in associated_files(path):
        raise InputError(f"{path} carries no file {name!r}", "edgeeff inspect lists its files")
    with _archive(path, path) as archive:
        return _member(archive, name, path)


def read_labels(path: Path, tensor: TensorMetadata) -> tuple[str, ...] | None:
    """Class names of an output from the label file its metadata names; ``None`` without one.

    Raises:
        InputError: the file is named but missing, damaged or not UTF-8.
    """
    for file in tensor.files:
        if file.kind == "TENSOR_AXIS_LABELS":
            content = read_associated_file(path, file.name)
            try:
                lines = content.decode("utf-8").removesuffix("\n").split("\n")
            except UnicodeDecodeError as error:
                raise InputError(f"{file.name!r} in {path} is not UTF-8 text") from error
            return tuple(line.removesuffix("\r") for line in lines)
    return None


def _archive(file: Path | IO[bytes], name: object) -> zipfile.ZipFile:
    with _parsing(name):
        archive = zipfile.ZipFile(file)
    if len(archive.infolist()) > MOST_FILES:
        archive.close()
        raise InputError(f"the archive appended to {name} has more than {MOST_FILES:,} files")
    return archive


def _member(archive: zipfile.ZipFile, member: str, name: object) -> bytes:
    with _parsing(name), archive.open(member) as opened:
        # The size in the archive's directory is a claim: never read more than the limit.
        content = opened.read(MOST_FILE_BYTES + 1)
    if len(content) > MOST_FILE_BYTES:
        raise InputError(f"{member!r} in {name} has more than {MOST_FILE_BYTES:,} bytes")
    return content


def _parsing(name: object) -> contextlib.AbstractContextManager[None]:
    return foreign.parsing(f"the archive appended to {name} is damaged", "add the files again")


def _tensors(tables: list[Table] | None, name: str) -> tuple[TensorMetadata, ...]:
    return tuple(_tensor(table, name) for table in tables or ())


def _tensor(table: Table, name: str) -> TensorMetadata:
    units: list[Mapping[str, Any]] = [
        unit["options"] for unit in table["process_units"] or () if unit["options"] is not None
    ]
    normalization = next((unit for unit in units if "mean" in unit), {})
    content = (table["content"] or {}).get("content_properties") or {}
    stats = table["stats"] or {}
    color_spaces = read_schema("metadata").enums["ColorSpaceType"]
    return TensorMetadata(
        table["name"] or "",
        table["description"] or "",
        color_spaces.get(content["color_space"]) if "color_space" in content else None,
        _floats(normalization.get("mean"), name),
        _floats(normalization.get("std"), name),
        _floats(stats.get("min"), name),
        _floats(stats.get("max"), name),
        _files(table["associated_files"]),
    )


def _floats(numbers: Any, name: str) -> tuple[float, ...]:
    values = () if numbers is None else tuple(float(number) for number in numbers)
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"{name} holds a value that is not a number")
    return values


def _files(tables: list[Table] | None) -> tuple[AssociatedFile, ...]:
    kinds = read_schema("metadata").enums["AssociatedFileType"]
    return tuple(
        AssociatedFile(
            table["name"] or "", kinds.get(table["type"], str(table["type"])), table["locale"] or ""
        )
        for table in tables or ()
    )
