"""Where a model's preprocessing is written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeeff.errors import InputError
from edgeeff.pictures.class_names import check_count
from edgeeff.pictures.preprocessing import Preprocessing, of_shape, usual_crop
from edgeeff.pictures.shapes import Shape, check_ends, picture_shape
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.metadata import read_labels, read_metadata, read_preprocessing
from edgeeff.tflite.model import Model
from edgeeff.tflite.reader import read_model

BY_OPTIONS = "say it with --mean, --std and --resize (such as --mean 127 --std 128)"
BY_THE_FILE = (
    "its manifest or its metadata has to say it: edgeeff quantize FLOAT.tflite writes both"
)
"""What to do about a model that says no preprocessing: where options can say it, and elsewhere."""


def find_preprocessing(
    model: Path, *, otherwise: Preprocessing | None = None, hint: str = BY_OPTIONS
) -> Preprocessing:
    """The preprocessing of a model: as its manifest says, else as its TFLite metadata does.

    The manifest is the ``.json`` that edgeeff writes beside a model, which says the same itself.
    Metadata of others knows mean and std only: the picture is resized bilinearly, as app frameworks
    do.

    Args:
        model: a ``.tflite`` file.
        otherwise: what holds if it says nothing.
        hint: what to do then.

    Raises:
        InputError: it says nothing, and neither does the caller; or what it says is damaged.
    """
    found = _from_manifest(model) or _from_metadata(model) or otherwise
    if found is None:
        input_shape(model)  # What takes no pictures needs nothing said of them.
        raise InputError(f"{model} does not say how its pictures are preprocessed", hint)
    return found


def find_labels(model: Path) -> tuple[str, ...] | None:
    """Class names of a model in the order of its outputs: of its manifest, else of its metadata.

    Raises:
        InputError: what it says is damaged, or names more or fewer classes than there are.
    """
    manifest = read_manifest(model)
    if manifest is not None and manifest.labels:
        return tuple(manifest.labels)
    parsed = read_model(model)
    metadata = read_metadata(parsed)
    if metadata is None or not metadata.outputs:
        return None
    labels = read_labels(model, metadata.outputs[0])
    if labels is not None:
        check_count(len(labels), parsed.classes, f"the labels in {model}")
    return labels


def input_shape(model: Path) -> Shape:
    """Height, width and channels of the pictures a classifier takes. Raises ``InputError``."""
    parsed = read_model(model)
    check_ends(len(parsed.inputs), len(parsed.outputs), parsed.name)
    return _shape(parsed)


def _shape(parsed: Model) -> Shape:
    graph = channels_last(Graph(parsed))
    return picture_shape(graph.shape(graph.input) if parsed.inputs else (), parsed.name)


def _from_manifest(model: Path) -> Preprocessing | None:
    manifest = read_manifest(model)
    return None if manifest is None else manifest.preprocessing


def _from_metadata(model: Path) -> Preprocessing | None:
    parsed = read_model(model)
    written = read_preprocessing(parsed)
    if written is not None:
        return written
    metadata = read_metadata(parsed)
    if metadata is None or not metadata.inputs or not metadata.inputs[0].mean:
        return None
    tensor = metadata.inputs[0]
    usual = of_shape(_shape(parsed))
    mean, std = (_of_channels(v, usual.channels, model) for v in (tensor.mean, tensor.std))
    return replace(usual, mean=mean, std=std, crop=usual_crop(min(usual.shape[:2])))


def _of_channels(values: tuple[float, ...], channels: int, model: Path) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        found = f"the metadata of {model} normalises {len(values)} channels"
        raise InputError(found, f"its pictures have {channels}")
    return values * channels if len(values) == 1 else values


def find_weights(model: Path) -> str | None:
    """Where a model's manifest says that its weights are from; ``None`` where nothing says it."""
    manifest = read_manifest(model)
    return manifest.weights.source if manifest is not None and manifest.weights else None
