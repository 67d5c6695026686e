"""From a variant's name, or any float .tflite, to a quantized .tflite that was looked at.

``convert`` and ``quantize`` are the functions behind the commands of these names.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeeff import extras, files
from edgeeff.architectures.variants import Variant, find_variant
from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.evaluation.gate import LADDERS
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.pictures.images import read_images, read_labels
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline.candidates import Conversion, Job, make
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import (
    SYNTHETIC,
    CalibrationPair,
    folder_pair,
    synthetic_pair,
)
from edgeeff.quantization.quantize import check_network
from edgeeff.quantization.recipes.recipe import Recipe, find_recipe
from edgeeff.state_dicts.reading import StateDict, is_state_dict
from edgeeff.state_dicts.reading import read as read_state_dict
from edgeeff.tflite import rewrite, statistics
from edgeeff.tflite.manifest import describe, path_of, read_manifest, refuse_foreign
from edgeeff.tflite.probe import probe
from edgeeff.tflite.reader import read_model

__all__ = [
    "DEFAULT_RECIPES",
    "SYNTHETIC_COUNT",
    "Conversion",
    "Settings",
    "convert",
    "plan",
    "quantize",
]

DEFAULT_RECIPES = {
    "int8": {"b": "int8-swish", "lite": "int8", "edgetpu": "int8"},
    "int16x8": {},
    "dynamic": {},
    "float16": {},
    "float32": {},
}
"""The best measured recipe of a precision by family; the precision's own name elsewhere."""

NAMED_WEIGHTS = ("auto", "imagenet", "none")
"""What ``Settings.weights`` may be other than a file."""

SYNTHETIC_COUNT = 48
"""Made-up pictures that calibrate; a few seconds even for B7 would buy nothing more."""


def plan(variant: Variant, settings: Settings) -> Recipe:
    """The recipe a conversion takes. Raises ``UsageError`` if options contradict."""
    name = settings.recipe
    if name is None:
        name = DEFAULT_RECIPES[settings.precision].get(variant.family, settings.precision)
    recipe = find_recipe(name)
    if settings.recipe is None and recipe.scheme != settings.precision:
        raise UsageError(f"recipe {name} gives {recipe.scheme}, not {settings.precision}")
    return recipe


def _ladder(variant: Variant, settings: Settings, recipe: Recipe) -> list[Recipe]:
    """The recipes to try: with limits and no recipe named, from cheap to costly."""
    chosen = settings.recipe is not None or settings.mixed is not None
    if settings.limits.set and not chosen and recipe.scheme == "int8":
        return [find_recipe(name) for name in LADDERS[variant.family]]
    return [recipe]


def convert(
    name: str, settings: Settings | None = None, progress: Progress | None = None
) -> Conversion:
    """Build a variant, load weights, export, calibrate, quantize and verify it.

    Args:
        name: of the variant, such as ``b0``.
        settings: what is not as usual.
        progress: told of every stage.

    Raises:
        UsageError: unknown names or contradicting options.
        ExtraMissing: TensorFlow or the quantizer is not installed.
        InputError: weights, pictures or labels that do not fit.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    variant = find_variant(name)
    recipe = plan(variant, settings)
    extras.require("convert", "convert")
    _check_weights(settings.weights)
    state = _state_dict(variant, settings)
    network = variant if state is None else state.variant
    usual = _preprocessing(network, state, settings)
    labels = _labels(settings, network)
    _check_eval_data(settings)
    model = _target(settings, variant, recipe.scheme, trained=True)
    _refuse(settings, model, _target(settings, variant, recipe.scheme, trained=False))
    for trained in (True, False):
        # A float model that is there already stays if it is the same one.
        refuse_foreign(_target(settings, variant, "float32", trained=trained), force=settings.force)
    _refuse_full(settings.output)
    calibration = _pictures(settings, recipe, usual, progress)
    with files.scratch_folder(settings.output) as scratch:
        exported = scratch / "float32.tflite"
        weights, preprocessing = _export(network, state, settings, usual, exported, progress)
        if preprocessing.crop != usual.crop:
            calibration = _pictures(settings, recipe, preprocessing, progress)
        trained = bool(weights["trained"])
        known = {
            "variant": variant.name,
            "weights": weights,
            "seed": settings.seed,
            "labels": labels,
        }
        reference = _target(settings, variant, "float32", trained=trained)
        model = _target(settings, variant, recipe.scheme, trained=trained)
        _keep_reference(exported, reference, preprocessing, known, settings)
    job = Job(reference, preprocessing, calibration, settings, known, progress)
    made = make(job, _ladder(variant, settings, recipe), model)
    notes = (*weights["notes"], *calibration.used.warnings(), *made.notes)
    return replace(made, notes=notes)


def quantize(
    source: Path,
    recipe_name: str,
    settings: Settings | None = None,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Quantize any float .tflite classifier.

    Args:
        source: the float model.
        recipe_name: name or file.
        settings: calibration, types, seed, output, force; the rest is of the network.
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
    recipe = find_recipe(recipe_name)
    extras.require("quantize", "quantize")
    probe(source)
    preprocessing = preprocessing or find_preprocessing(source)
    known = _known_of(source)
    check_network(files.read_bytes(source), recipe)
    stem = source.stem.removesuffix("-float32")
    model = settings.output / f"{stem}-{recipe.scheme}.tflite"
    if model.resolve() == source.resolve():
        raise UsageError(f"{source} would be overwritten", "choose another --output DIR")
    _check_eval_data(settings)
    _refuse(settings, model)
    _refuse_full(settings.output)
    calibration = _pictures(settings, recipe, preprocessing, progress)
    job = Job(source, preprocessing, calibration, settings, known, progress)
    made = make(job, [recipe], model)
    notes = (*_outdated(source), *calibration.used.warnings(), *made.notes)
    return replace(made, notes=notes)


def _pictures(
    settings: Settings, recipe: Recipe, preprocessing: Preprocessing, progress: Progress
) -> CalibrationPair:
    folder = settings.calibration
    if folder is None or str(folder) == SYNTHETIC:
        with progress.stage("make synthetic pictures"):
            count = settings.calibration_count or SYNTHETIC_COUNT
            return synthetic_pair(count if recipe.calibrated else 1, preprocessing, settings.seed)
    return folder_pair(
        folder,
        preprocessing,
        count=settings.calibration_count,
        seed=settings.seed,
        progress=progress,
    )


def _check_weights(weights: str) -> None:
    """Miss a weight file before TensorFlow's import and the building of a network, not after."""
    files_of_it = (Path(weights), Path(f"{weights}.index"))
    if weights not in NAMED_WEIGHTS and not any(path.exists() for path in files_of_it):
        raise InputError(
            f"{weights}: no such weight file",
            f"give the path of one, or {', '.join(NAMED_WEIGHTS)}",
        )


def _check_eval_data(settings: Settings) -> None:
    """Miss pictures or labels that will judge the model before it is made, not after."""
    images = read_images(settings.eval_data, labels=settings.labels) if settings.eval_data else None
    if settings.limits.max_drop is not None and not (images and images.labelled):
        raise UsageError("--max-drop needs labelled pictures", "give --eval-data DIR")


def _state_dict(variant: Variant, settings: Settings) -> StateDict | None:
    """PyTorch's weights, read before TensorFlow's import; ``None`` for any others."""
    path = Path(settings.weights)
    named = settings.weights in NAMED_WEIGHTS
    if named or not path.is_file() or not is_state_dict(path):
        return None
    return read_state_dict(path, variant, settings.weights_from)


def _preprocessing(network: Variant, state: StateDict | None, settings: Settings) -> Preprocessing:
    usual = Preprocessing.of(network, settings.resolution)
    if state is not None:
        usual = state.preprocessing(settings.resolution)
    return usual.resized(settings.resize) if settings.resize else usual


def _export(
    variant: Variant,
    state: StateDict | None,
    settings: Settings,
    preprocessing: Preprocessing,
    path: Path,
    progress: Progress,
) -> tuple[dict[str, Any], Preprocessing]:
    """Write the float model; what its weights are, and the preprocessing these ask for."""
    with progress.stage("import TensorFlow"):
        import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
        from edgeeff.network.builder import build
        from edgeeff.network.export import export
        from edgeeff.network.weights import load
    with progress.stage("build network"):
        network = build(variant, classes=settings.classes, resolution=settings.resolution)
    with progress.stage("load weights"):
        named = settings.weights in NAMED_WEIGHTS
        file = None if named else Path(settings.weights)
        loaded = load(network, variant, state or file or settings.weights)
    notes = loaded.notes
    if loaded.scaling is not None:
        mean, std = loaded.scaling.mean, loaded.scaling.std
        preprocessing = replace(preprocessing, mean=mean, std=std)
        if settings.resize is None:
            # Not trained as the variant was: neither was its border cut off.
            preprocessing = replace(preprocessing, crop=1.0)
            notes = (*notes, "pictures are taken whole, not cropped: --resize changes that")
    with progress.stage("export"):
        export(
            network,
            path,
            preprocessing=preprocessing,
            batch=settings.batch,
            logits=settings.logits,
            force=True,
        )
    fields = {"source": loaded.source, "sha256": loaded.sha256, "trained": loaded.trained}
    return {**fields, "notes": list(notes)}, preprocessing


def _keep_reference(
    exported: Path,
    reference: Path,
    preprocessing: Preprocessing,
    known: dict[str, Any],
    settings: Settings,
) -> None:
    """Move the float model to its place; one that is there and the same stays."""
    if reference.exists() and not settings.force:
        if files.sha256(reference) != files.sha256(exported):
            raise OutputError(
                f"{reference} exists already and is another network",
                "--force replaces it, --output DIR goes elsewhere",
            )
        return
    files.write_bytes(reference, files.read_bytes(exported), force=True)
    manifest = describe(reference, "float32", preprocessing.to_json(), **known)
    files.write_bytes(path_of(reference), manifest.document().encode(), force=True)


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


def _labels(settings: Settings, variant: Variant) -> list[str] | None:
    if settings.labels is None:
        return None
    names = read_labels(settings.labels)
    classes = settings.classes or variant.classes
    if len(names) != classes:
        off = " (label 0 is the background there)" if classes - len(names) == 1 else ""
        raise InputError(
            f"{settings.labels} has {len(names)} names, the network {classes} classes{off}",
            f"give one name per line for each class, or --classes {len(names)}",
        )
    return list(names)


def _outdated(source: Path) -> tuple[str, ...]:
    """A note if a float file was changed after edgeeff exported it."""
    if not statistics.outdated(rewrite.unpack(files.read_bytes(source))):
        return ()
    return (
        f"{source.name} was changed since edgeeff exported it: its BatchNorm statistics count only "
        "for channels that pictures show to be as they were",
    )


def _known_of(source: Path) -> dict[str, Any]:
    """What the source's manifest says of the network, if it has one."""
    manifest = read_manifest(source)
    if manifest is None:
        read_model(source)
        return {}
    return {
        "variant": manifest.variant,
        "weights": manifest.weights,
        "labels": manifest.labels,
        "seed": manifest.seed,
    }
