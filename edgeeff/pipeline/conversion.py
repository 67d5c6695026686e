"""From a variant's name, or any float .tflite, to a quantized .tflite that was looked at.

``convert`` and ``quantize`` are the functions behind the commands of these names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeeff import extras, files, memory
from edgeeff.architectures.blocks import shrunk
from edgeeff.architectures.variants import Variant, counts, find_variant
from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.evaluation.classifier import excludes
from edgeeff.evaluation.gate import check_agreement
from edgeeff.evaluation.normalisation import scale
from edgeeff.pictures.class_names import LABELS
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline import (
    early,
    learning,
    network_process,
    own_models,
    policy,
    source_notes,
    sources,
)
from edgeeff.pipeline.candidates import Conversion, Job, make
from edgeeff.pipeline.command import command
from edgeeff.pipeline.network_process import Order
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import (
    SYNTHETIC,
    CalibrationPair,
    folder_pair,
    synthetic_pair,
)
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.quantize import check_network
from edgeeff.quantization.recipes.recipe import Recipe, find_recipe
from edgeeff.shell import word
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.manifest import describe, described, refuse_foreign, write_model
from edgeeff.training.runs import Run, check_variant, is_run

__all__ = [
    "SYNTHETIC_COUNT",
    "Conversion",
    "Settings",
    "convert",
    "convert_model",
    "is_run",
    "quantize",
]

SYNTHETIC_COUNT = 48
"""Made-up pictures that calibrate; a few seconds even for B7 would buy nothing more."""


@dataclass(frozen=True)
class Prepared:
    """A conversion of which nothing is known that would make it fail.

    Attributes:
        variant: the network, as its name says.
        recipe: the one that is tried last.
        weighted: the network with its weights, as far as TensorFlow is not needed.
        labels: names of the classes, if given.
        settings: with what a run that the weights are of says instead of ``None``.
        model: the file that is written if the weights are whole.
        notes: what the user must be told of the pictures, a sentence each.
        untrained: why the network will not be trained; ``None``: nothing tells it yet.
    """

    variant: Variant
    recipe: Recipe
    weighted: sources.WeightedVariant
    labels: tuple[str, ...] | None
    settings: Settings
    model: Path
    notes: tuple[str, ...] = ()
    untrained: str | None = None


def prepare(name: str | None, settings: Settings) -> Prepared:
    """Look at all that ``convert`` will need, write nothing, and refuse what would fail.

    Raises:
        UsageError, ExtraMissing, InputError, OutputError: as ``convert``.
    """
    run = sources.run_of(settings.weights)
    if run is not None:
        settings = _as_trained(run, name, settings)
    variant = find_variant(_named(name, run))
    recipe = policy.plan(settings, policy.expected_of(variant))
    if settings.qat and settings.weights == "none":
        raise learning.untrained()
    check_memory(variant, settings)
    extras.require("convert", "convert")
    weighted = sources.find(variant, settings)
    labels = early.labels(settings)
    early.count_labels(settings, labels, settings.classes or weighted.variant.classes)
    if run is not None and labels is None:
        labels = run.labels
    told = early.told(settings, labels, early.eval_data(settings))
    early.list_pictures(settings)
    untrained = early.untrained(weighted, settings)
    outcomes = early.outcomes(settings, untrained)
    for trained in outcomes:
        _refuse(settings, _target(settings, variant, recipe.scheme, trained=trained))
        # A float model that is there already stays if it is the same one.
        refuse_foreign(_target(settings, variant, "float32", trained=trained), force=settings.force)
    files.refuse_unwritable(settings.output)
    if settings.qat and untrained:
        raise learning.untrained(untrained)
    model = _target(settings, variant, recipe.scheme, trained=outcomes[0])
    return Prepared(variant, recipe, weighted, labels, settings, model, told, untrained)


def convert(
    name: str | None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    *,
    warn: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Build a variant, load weights, export, calibrate, quantize and verify it.

    Args:
        name: of the variant, such as ``b0``; ``None``: that of the run that ``settings.weights``
            is the folder of, whose classes, labels, preprocessing and resolution count too.
        settings: what is not as usual.
        progress: told of every stage.
        warn: told as soon as it is known that the network stays untrained, and why.

    Raises:
        UsageError: unknown names or contradicting options.
        ExtraMissing: TensorFlow or the quantizer is not installed.
        InputError: weights, pictures or labels that do not fit.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    line = command("convert", *(("--variant", name) if name else ()), settings=settings)
    prepared = prepare(name, settings)
    settings = prepared.settings
    variant, expected, weighted = prepared.variant, prepared.recipe, prepared.weighted
    usual = weighted.preprocessing
    told = prepared.notes
    if prepared.untrained:
        warn(early.stays_untrained(prepared.untrained, variant.name))
    _refuse_full(settings.output)
    with network_process.begun(Order(weighted, settings, prepared.labels)) as wait:
        calibration = _pictures(settings, expected, usual, progress)
        network = wait(progress)
    if network.untrained and not prepared.untrained and settings.weights != "none":
        warn(early.stays_untrained("; ".join(_of_weights(network)), variant.name))
    check_network(network)
    if settings.qat:
        learning.check(network)
    if network.preprocessing.crop != usual.crop:
        calibration = _pictures(settings, expected, network.preprocessing, progress)
    reference, model = (
        _target(settings, variant, scheme, trained=not network.untrained)
        for scheme in ("float32", expected.scheme)
    )
    _keep_reference(network, reference, settings)
    recipes = policy.to_try(settings, policy.held_by(network.graph))
    job = _job(network, reference, calibration, settings, progress, line)
    return _made(job, recipes, model, (*told, *_of_weights(network)))


def _named(name: str | None, run: Run | None) -> str:
    """The name of the variant that is meant."""
    if name is not None:
        return name
    if run is None:
        raise UsageError(
            "no variant is named", "--variant NAME, or a training's folder as --weights"
        )
    return run.settings.variant


def _as_trained(run: Run, name: str | None, settings: Settings) -> Settings:
    """The settings with the classes and the resolution of a run; others must not contradict."""
    check_variant(run, name or run.settings.variant)
    if run.best is None:
        raise InputError(
            f"{run.folder} has no epoch that is done yet",
            f"edgeeff train --resume {word(run.folder)}",
        )
    if settings.classes not in (None, len(run.labels)):
        raise InputError(
            f"{run.folder} was trained on {len(run.labels)} classes, not {settings.classes}",
            "leave out --classes",
        )
    resolution = settings.resolution or run.preprocessing.resolution
    return replace(settings, classes=len(run.labels), resolution=resolution)


def convert_model(
    model: Path | Any, settings: Settings | None = None, progress: Progress | None = None
) -> Conversion:
    """Export a user's own Keras classifier, quantize and verify it: ``convert --model``.

    The float model answers as the user's does, to 1e-4, or none is made. Augmentation does
    nothing, as outside of training; preprocessing layers stay.

    Args:
        model: a ``.keras`` or whole-model ``.h5`` file, the folder of a SavedModel, or
            a model of Keras 3 or tf_keras in memory.
        settings: what is not as usual. ``weights`` and ``classes`` are the model's own.
        progress: told of every stage.

    Raises:
        UsageError: unknown names or contradicting options.
        ExtraMissing: TensorFlow or the quantizer is not installed.
        InputError: a model, pictures or labels that do not fit.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    scheme = policy.plan(settings, frozenset()).scheme
    extras.require("convert", "convert")
    _refuse_of_variants(settings)
    if isinstance(model, Path):
        own_models.check_file(model)
    scale(settings.mean, settings.std, settings.resize)
    stem = model.stem if isinstance(model, Path) else str(model.name)
    target, reference = (
        settings.output / f"{stem}-{precision}.tflite" for precision in (scheme, "float32")
    )
    labels = early.labels(settings)
    told = early.told(settings, labels, early.eval_data(settings))
    early.list_pictures(settings)
    files.refuse_unwritable(settings.output)
    _refuse(settings, target)
    refuse_foreign(reference, force=settings.force)
    _refuse_full(settings.output)
    with network_process.begun(Order(model, settings, labels)) as wait:
        network = wait(progress)
    recipes = policy.to_try(settings, policy.held_by(correctable(network.graph)))
    check_network(network)
    if settings.qat:
        learning.check(network)
    _check_limits(network, settings)
    calibration = _pictures(settings, recipes[-1], network.preprocessing, progress)
    _keep_reference(network, reference, settings)
    line = None
    if isinstance(model, Path):
        line = command("convert", "--model", model, settings=settings)
    job = _job(network, reference, calibration, settings, progress, line)
    return _made(job, recipes, target, (*told, *_of_weights(network)))


def _refuse_of_variants(settings: Settings) -> None:
    """Raise ``UsageError`` for options that a model of its own has no use for."""
    given = {
        "--weights": settings.weights != "auto",
        "--weights-from": settings.weights_from is not None,
        "--classes": settings.classes is not None,
    }
    for option, there in given.items():
        if there:
            raise UsageError(f"{option} goes with --variant", "a model has its own: leave it out")


def quantize(
    source: Path,
    settings: Settings | None = None,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Quantize any float .tflite classifier.

    Args:
        source: the float model.
        settings: recipe, calibration, labels, types, limits, seed, output, force; the rest is of
            the network.
        preprocessing: of the model; ``None``: as its manifest or metadata says.
        progress: told of every stage.

    Raises:
        InputError: a model that is damaged, quantized already, or says no preprocessing.
        UsageError: unknown recipe or contradicting options.
        ExtraMissing: the quantizer is not installed.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    if settings.recipe is not None:
        # Miss a recipe before the source is looked at.
        find_recipe(settings.recipe)
    extras.require("quantize", "quantize")
    files.refuse_unwritable(settings.output)
    labels, judging = early.labels(settings), early.eval_data(settings)
    early.list_pictures(settings)
    network = sources.from_tflite(source, preprocessing, labels, settings.labels or LABELS)
    recipes = policy.to_try(settings, policy.held_by(correctable(network.graph)))
    recipe = recipes[-1]
    check_network(network)
    _check_limits(network, settings)
    stem = source.stem.removesuffix("-float32")
    model = settings.output / f"{stem}-{recipe.scheme}.tflite"
    if model.resolve() == source.resolve():
        raise UsageError(f"{source} would be overwritten", "choose another --output DIR")
    told = early.told(settings, network.labels, judging)
    _refuse(settings, model)
    _refuse_full(settings.output)
    if settings.qat:
        learning.check(network)
    calibration = _pictures(settings, recipe, network.preprocessing, progress)
    line = command("quantize", source, settings=settings, preprocessing=preprocessing)
    job = _job(network, source, calibration, settings, progress, line)
    return _made(job, recipes, model, (*told, *source_notes.of(source, network)))


def check_memory(variant: Variant, settings: Settings) -> None:
    """Refuse a network that this machine cannot hold. Raises ``UsageError``.

    Counted are the largest activation with the one before and the one after it, and the weights
    as TensorFlow, the converter, the quantizer and the files hold them: float32, six times.
    """
    side, largest = shrunk(settings.resolution or variant.resolution, 2), 0
    for block in variant.blocks:
        largest = max(largest, side * side * max(block.filters_expanded, block.filters_out))
        side = shrunk(side, block.stride)
    weights = counts(variant, classes=settings.classes).parameters
    memory.check(
        4 * (3 * largest * settings.batch + 6 * weights),
        f"the steps of converting {variant.name} of this resolution, batch and count of classes",
        "lower --resolution, --batch or --classes",
    )


def _job(
    network: FloatModel,
    reference: Path,
    calibration: CalibrationPair,
    settings: Settings,
    progress: Progress,
    line: str | None,
) -> Job:
    """The work on a network, with what it learns from if it is to be trained."""
    training = None
    if settings.qat:
        pictures = learning.lessons(settings, network.preprocessing, calibration, progress)
        training = learning.Training(pictures, settings, progress)
        of_run = settings.calibration is None and sources.run_of(settings.weights) is not None
        if of_run and pictures is calibration.used:
            calibration = learning.calibrating(calibration)
    return Job(network, reference, calibration, settings, progress, training, line)


def _made(job: Job, recipes: Sequence[Recipe], model: Path, notes: tuple[str, ...]) -> Conversion:
    made = make(job, recipes, model)
    return replace(made, notes=(*notes, *job.calibration.used.warnings(), *made.notes))


def _of_weights(network: FloatModel) -> tuple[str, ...]:
    return network.weights.notes if network.weights else ()


def _pictures(
    settings: Settings, recipe: Recipe, preprocessing: Preprocessing, progress: Progress
) -> CalibrationPair:
    folder, count = settings.calibration, settings.calibration_count
    run = sources.run_of(settings.weights) if settings.qat else None
    if run is not None and folder is None and settings.data is None:
        return learning.pictures_of(run, preprocessing, progress)
    if folder is None and settings.data is not None:
        folder, count = settings.data, count or learning.CALIBRATING
    if folder is None or str(folder) == SYNTHETIC:
        with progress.stage("make synthetic pictures"):
            count = count or SYNTHETIC_COUNT
            return synthetic_pair(count if recipe.calibrated else 1, preprocessing, settings.seed)
    return folder_pair(
        folder,
        preprocessing,
        count=count,
        seed=settings.seed,
        progress=progress,
    )


def _check_limits(network: FloatModel, settings: Settings) -> None:
    """Miss a limit that this network's answers cannot be held against before the work."""
    if settings.limits.min_agreement is not None:
        check_agreement(settings.limits, exclusive=excludes(network.graph))


def _keep_reference(network: FloatModel, reference: Path, settings: Settings) -> None:
    """Write the float model to its place; one that is there and the same stays."""
    if os.path.exists(reference) and not settings.force:
        if files.read_bytes(reference) != network.content:
            raise OutputError(
                f"{reference} exists already and is another network",
                "--force replaces it, --output DIR goes elsewhere",
            )
        if described(reference):
            return
    refuse_foreign(reference, force=settings.force)
    manifest = describe(reference.name, network.content, "float32", network, seed=settings.seed)
    write_model(reference, network.content, manifest, force=True)


def _target(settings: Settings, variant: Variant, scheme: str, *, trained: bool) -> Path:
    mark = "" if trained else "-untrained"
    return settings.output / f"efficientnet-{variant.name}{mark}-{scheme}.tflite"


def _refuse(settings: Settings, *models: Path) -> None:
    for model in models:
        files.refuse_existing(model, force=settings.force)
        refuse_foreign(model, force=settings.force)


def _refuse_full(folder: Path) -> None:
    """Fail now, not after a minute of work, if the folder cannot be written."""
    with files.scratch_folder(folder) as scratch:
        files.write_bytes(scratch / "probe", b"\0")
