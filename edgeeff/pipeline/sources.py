"""Where a float network comes from: a variant and its weights, or a .tflite."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeeff import files
from edgeeff.architectures.variants import Variant
from edgeeff.errors import UsageError
from edgeeff.evaluation.inputs import find_labels, find_preprocessing
from edgeeff.evaluation.normalisation import scale
from edgeeff.pictures.class_names import LABELS, check_count
from edgeeff.pictures.imagenet import imagenet_labels
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.shapes import check_ends
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.float_graph import softmax_of_one
from edgeeff.shell import word
from edgeeff.state_dicts.reading import StateDict, is_state_dict, read
from edgeeff.state_dicts.weight_files import check_kind, check_there
from edgeeff.tflite.fixed_batch import fix_batch
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.leading_layout import channels_last, float_pixels
from edgeeff.tflite.manifest import read_manifest
from edgeeff.tflite.metadata_writer import Texts, write_metadata
from edgeeff.tflite.probe import probe
from edgeeff.tflite.reader import read_model
from edgeeff.training.runs import BEST, Run, checked, is_run, read_run
from edgeeff.training.settings import NAMED_WEIGHTS

if TYPE_CHECKING:
    from edgeeff.network.weights import Weights


@dataclass(frozen=True)
class WeightedVariant:
    """A variant and what is known of its weights without TensorFlow.

    Attributes:
        variant: the network, built as its weights want it.
        weights: one of ``NAMED_WEIGHTS``, a file, or a state dict that was read already.
        preprocessing: of the network; a Keras file may turn out to ask for another one.
        run: the training whose weights they are; ``None``: none's.
    """

    variant: Variant
    weights: str | Path | StateDict
    preprocessing: Preprocessing
    run: Run | None = None


def find(variant: Variant, settings: Settings) -> WeightedVariant:
    """Look at a variant's weights before TensorFlow's import and the building of a network.

    Args:
        variant: as its name says.
        settings: weights, weights_from, resolution, mean, std, resize.

    Raises:
        InputError: no such weight file, or one that is damaged or does not fit.
        UsageError: an unknown origin, or contradicting options.
    """
    weights: str | Path | StateDict = settings.weights
    preprocessing = Preprocessing.of(variant, settings.resolution)
    run = run_of(settings.weights)
    if run is not None:
        checked(run, BEST)
        variant, weights = run.variant, run.folder / BEST
        side = settings.resolution or run.preprocessing.resolution
        preprocessing = replace(run.preprocessing, resolution=side)
    elif settings.weights not in NAMED_WEIGHTS:
        weights = Path(settings.weights)
        check_there(weights, ", ".join(NAMED_WEIGHTS))
        check_kind(weights, variant.name)
        if os.path.isfile(weights) and is_state_dict(weights):
            weights = read(weights, variant, settings.weights_from)
            variant = weights.variant
            preprocessing = weights.preprocessing(settings.resolution)
    if settings.weights_from is not None and not isinstance(weights, StateDict):
        raise UsageError(
            f"--weights-from goes with a PyTorch file, which --weights {settings.weights} is not",
            "give --weights FILE, or leave out --weights-from",
        )
    said = scale(settings.mean, settings.std)
    if said:
        preprocessing = preprocessing.scaled(*said)
    if settings.resize:
        preprocessing = preprocessing.resized(settings.resize)
    return WeightedVariant(variant, weights, preprocessing, run)


def run_of(weights: str) -> Run | None:
    """The run that weights are the folder of; ``None`` if they are none. ``InputError``."""
    there = weights not in NAMED_WEIGHTS and is_run(Path(weights))
    return read_run(Path(weights)) if there else None


def from_variant(
    source: WeightedVariant,
    settings: Settings,
    labels: tuple[str, ...] | None,
    progress: Progress,
) -> FloatModel:
    """Build a variant, load its weights and export it.

    Args:
        source: the network, as ``find`` gives it.
        settings: classes, resolution, resize, batch, logits.
        labels: of its classes.
        progress: told of every stage.

    Raises:
        InputError: weights that do not fit.
    """
    with progress.stage("import TensorFlow"):
        import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
        from edgeeff.network.builder import build
        from edgeeff.network.export import exported
        from edgeeff.network.same_function import difference
        from edgeeff.network.weights import load, usual_activation
    variant = source.variant
    with progress.stage("build network"):
        network = build(variant, classes=settings.classes, resolution=settings.resolution)
    with progress.stage("load weights"):
        loaded = load(network, variant, source.weights)
    preprocessing, notes = _asked_for(loaded, source.preprocessing, settings)
    activation = loaded.activation
    if activation in (None, "linear"):
        activation = usual_activation(network.outputs[0].shape[-1])
    if activation == "softmax" and network.outputs[0].shape[-1] == 1:
        raise softmax_of_one()
    with progress.stage("export"):
        made = exported(
            network,
            preprocessing=preprocessing,
            batch=settings.batch,
            activation="linear" if settings.logits else str(activation),
        )
    with progress.stage("compare with the network"):
        apart = difference(network.name, made.function, made.content, preprocessing)
    if labels is None and loaded.trained and settings.weights in NAMED_WEIGHTS:
        labels = imagenet_labels(network.outputs[0].shape[-1])
    described = write_metadata(made.content, preprocessing, labels=labels, texts=_texts(variant))
    called = loaded.source if source.run is None else str(source.run.folder / BEST)
    notes = (*notes, *_unfinished(source.run))
    weights = Provenance(called, loaded.sha256, loaded.trained, notes, apart)
    return FloatModel(described, preprocessing, variant.name, weights, labels)


def _unfinished(run: Run | None) -> tuple[str, ...]:
    """A note if a training was stopped before its end."""
    if run is None or run.finished:
        return ()
    done = f"{len(run.epochs)} of {run.plan['epochs']} epochs"
    again = f"edgeeff train --resume {word(run.folder)}"
    return (f"the training {run.folder} was stopped after {done}: {again} goes on",)


def _texts(variant: Variant) -> Texts:
    name = f"efficientnet-{variant.name}"
    return Texts(name, "Names what a picture shows, with a score for each class.")


def _asked_for(
    loaded: Weights, usual: Preprocessing, settings: Settings
) -> tuple[Preprocessing, tuple[str, ...]]:
    """The preprocessing that weights ask for in place of the usual one, and what to say of them."""
    if loaded.scaling is None:
        return usual, loaded.notes
    if settings.mean is not None:
        raise UsageError(f"{loaded.source} says its own mean and std", "leave out --mean, --std")
    asked = replace(usual, mean=loaded.scaling.mean, std=loaded.scaling.std)
    if settings.resize is not None:
        return asked, loaded.notes
    # Not trained as the variant was: neither was its border cut off.
    whole = "pictures are taken whole, not cropped: --resize changes that"
    return replace(asked, crop=1.0), (*loaded.notes, whole)


def from_tflite(
    path: Path,
    preprocessing: Preprocessing | None = None,
    labels: tuple[str, ...] | None = None,
    labels_of: object = LABELS,
) -> FloatModel:
    """Read a float .tflite and what its manifest says of it, if it has one.

    Args:
        path: the file.
        preprocessing: of the network; ``None``: as its manifest or metadata says.
        labels: of its classes; ``None``: as its manifest or metadata says.
        labels_of: where they stand, for messages.

    Raises:
        InputError: a file that is damaged or crashes the runtime, one that says no preprocessing,
            or labels that are more or fewer than its outputs.
    """
    shapes = probe(path, kernels=True)
    preprocessing = preprocessing or find_preprocessing(path)
    manifest, content = read_manifest(path), files.read_bytes(path)
    graph = Graph.of(content, str(path))
    check_ends(len(graph.inputs), len(graph.outputs), str(path))
    for number, shape in shapes.items():
        graph.resize(number, shape)
    fed = channels_last(graph)
    if (floating := float_pixels(fed)) is not fed:
        # Bytes are fed as they are, whatever is said of mean and std.
        fed, preprocessing = channels_last(floating), preprocessing.scaled("0", "1")
    fed = fix_batch(fed)
    if shapes or fed is not graph:
        content = fed.content()
    if labels is None:
        labels = find_labels(path)
    else:
        check_count(len(labels), read_model(path).classes, labels_of)
    if manifest is None:
        return FloatModel(content, preprocessing, labels=labels)
    return FloatModel(content, preprocessing, manifest.variant, manifest.weights, labels)
