"""A float network from a user's own Keras classifier."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.normalisation import scale
from edgeeff.pictures.class_names import check_count
from edgeeff.pictures.preprocessing import Preprocessing, from_options
from edgeeff.pictures.shapes import Shape
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.float_graph import refuse_constant
from edgeeff.shell import word
from edgeeff.state_dicts.reading import SUFFIXES as OF_PYTORCH
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.metadata_writer import Texts, write_metadata
from edgeeff.tflite.reader import IDENTIFIER

ARCHIVE, H5 = b"PK", b"\x89HDF"
SUFFIXES: Mapping[bytes, tuple[str, ...]] = {ARCHIVE: (".keras",), H5: (".h5", ".hdf5")}
"""By how a file of Keras begins, what its name has to end in: Keras goes by that."""

KINDS = (
    "--model takes a .keras or .h5 file of a whole model, or the folder of a SavedModel; weights "
    "alone: --weights FILE with --variant"
)


def check_file(model: Path) -> None:
    """See that a file can be a model, without TensorFlow.

    Raises:
        InputError: it is not there, of another kind, or called as another kind is.
    """
    if os.path.isdir(model):
        if not os.path.isfile(model / "saved_model.pb"):
            raise InputError(f"{model} is not a SavedModel: it has no saved_model.pb", KINDS)
        return
    if not os.path.exists(model):
        raise InputError(f"{model}: no such file", KINDS)
    content = files.read_bytes(model, foreign.MOST_UNPACKED)
    if content[4:8] == IDENTIFIER:
        raise InputError(
            f"{model} is a .tflite file, not of Keras", f"edgeeff quantize {word(model)}"
        )
    kind = next((start for start in SUFFIXES if content.startswith(start)), None)
    if kind is None or (kind == ARCHIVE and model.suffix in OF_PYTORCH):
        raise InputError(f"{model} is not a file of Keras", KINDS)
    if model.suffix not in SUFFIXES[kind]:
        called = model.with_suffix(SUFFIXES[kind][0])
        raise InputError(
            f"{model} may be a model, but is not called {' or '.join(SUFFIXES[kind])}",
            f"Keras goes by the name: rename it to {called}",
        )


def from_keras(
    model: Path | Any,
    settings: Settings,
    labels: tuple[str, ...] | None,
    progress: Progress,
) -> FloatModel:
    """Export a user's own Keras classifier, and see that the float model answers as it does.

    Args:
        model: a file or folder, or a model of Keras 3 or tf_keras in memory.
        settings: resolution, mean, std, resize, batch, logits, allow_code.
        labels: of its classes.
        progress: told of every stage.

    Raises:
        InputError: no such file, a model with code of its own, no picture classifier, one that
            does not say how its pictures are made, or one that TFLite cannot compute.
        UsageError: another resolution than the model's, or contradicting options.
    """
    with progress.stage("import TensorFlow"):
        import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
        from edgeeff.network import model_export, model_files
        from edgeeff.network.same_function import difference
    with progress.stage("load model"):
        if isinstance(model, Path):
            network = model_files.read(model, allow_code=settings.allow_code)
            source, digest = model.name, _digest(model)
        else:
            network, digest = model_files.of_model(model), None
            source = network.name
    shape = _shape(network.name, network.shape, settings.resolution)
    with progress.stage("export"):
        exported = model_export.exported(network, shape, settings.batch)
    graph, white = exported.graph, exported.scaling.white if exported.scaling else None
    preprocessing, notes = _pictures_of(network.name, white, shape, settings)
    if labels is not None:
        check_count(len(labels), graph.shape(graph.output)[-1], settings.labels)
    with progress.stage("compare with the model"):
        apart = difference(network.name, network.call, graph.content(), preprocessing)
    if settings.logits:
        refuse_constant(graph)
        graph = model_export.without_activation(graph)
    weights = Provenance(source, digest, True, notes, apart)
    texts = Texts(Path(source).stem, "Names what a picture shows, with a score for each class.")
    content = write_metadata(graph.content(), preprocessing, labels=labels, texts=texts)
    return FloatModel(content, preprocessing, None, weights, labels)


def _digest(model: Path) -> str:
    """Of the file; of a SavedModel the graph's, which is not all of it."""
    return files.sha256(model / "saved_model.pb" if model.is_dir() else model)


def _shape(name: str, known: tuple[int | None, ...], asked: int | None) -> Shape:
    """The shape of a model's pictures, their open sides as asked."""
    height, width, channels = known
    if None in (height, width) and asked is None:
        raise UsageError(f"{name} takes pictures of any size", "choose one with --resolution N")
    if asked is not None and {height, width} - {None, asked}:
        size = " x ".join(str(side or "any") for side in (height, width))
        raise UsageError(f"{name} takes {size} pixels, not {asked}", "leave out --resolution")
    return int(height or asked or 0), int(width or asked or 0), int(channels or 0)


def _pictures_of(
    name: str, white: float | None, shape: Shape, settings: Settings
) -> tuple[Preprocessing, tuple[str, ...]]:
    """How a user's model takes its pictures: as the user says, else as its first layers tell."""
    said = scale(settings.mean, settings.std)
    note = ""
    if said is not None:
        mean, std = said
        if white is not None and float(white) not in (255.0 / one for one in _floats(std)):
            note = (
                f"{name} itself scales pictures of 0 to {white:g}: with --mean {mean} --std {std} "
                "they are scaled twice"
            )
    elif white is not None:
        mean, std = "0", f"{255 / white:g}"
    else:
        raise InputError(
            f"{name} does not say how its pictures are normalised",
            "say it with --mean and --std, such as --mean 127.5 --std 127.5 for -1 to 1; "
            "--mean 0 --std 1 for pixels as they are",
        )
    whole = (
        f"the middle {'square' if shape[0] == shape[1] else 'part'} of pictures is taken, without "
        "a border cut off: --resize squash takes all of them, as Keras reads folders"
    )
    resize = settings.resize or "bilinear:1"
    notes = (note,) if note else ()
    notes = notes if settings.resize else (*notes, whole)
    return from_options(shape, mean, std, resize), notes


def _floats(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]
