"""From a variant's name, or any float .tflite, to a quantized .tflite that was looked at.

``convert`` and ``quantize`` are the functions behind the commands of these names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff import files
from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.evaluate import evaluate
from edgeeff.evaluation.fidelity import Fidelity, fidelity
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.gate import LADDERS, NO_LIMITS, AccuracyGateFailed, Limits, Trial, judge
from edgeeff.images import read_images, read_labels
from edgeeff.litert.probe import probe
from edgeeff.litert.reader import read_model
from edgeeff.manifest import Manifest, describe, path_of, read_manifest
from edgeeff.mixed_precision import Budget, Search, search
from edgeeff.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.quantization.calibration import (
    SYNTHETIC,
    CalibrationPair,
    CalibrationSet,
    folder_pair,
    synthetic_pair,
)
from edgeeff.quantization.coverage import Coverage
from edgeeff.quantization.quantize import Ends, default_ends, quantize_model
from edgeeff.quantization.recipe import Recipe, find_recipe
from edgeeff.variants import Variant, find_variant

ARTIFACTS = Path("artifacts")

DEFAULT_RECIPES = {
    "int8": {"b": "int8-swish", "lite": "int8", "edgetpu": "int8"},
    "int16x8": {},
    "dynamic": {},
    "float16": {},
    "float32": {},
}
"""The best measured recipe of a precision by family; the precision's own name elsewhere."""

SYNTHETIC_COUNT = 48
"""Made-up pictures that calibrate; a few seconds even for B7 would buy nothing more."""


@dataclass(frozen=True)
class Settings:
    """What the user may decide about a conversion; every field has the command's default.

    Attributes:
        precision: ``int8``, ``int16x8``, ``dynamic``, ``float16`` or ``float32``.
        recipe: name or file, in place of the precision's default.
        weights: ``auto``, ``imagenet``, ``none`` or a file.
        calibration: a folder of pictures, or ``None``: no data (synthetic pictures).
        calibration_count: pictures of it that are used.
        classes: outputs of the network; ``None``: the variant's.
        labels: a file with their names.
        resolution: side of the input; ``None``: the variant's.
        resize: how pictures get there, such as ``bilinear`` or ``bicubic:0.875``; ``None``: as
            for the variant, or whole pictures for weights that come with other preprocessing.
        batch: pictures per run.
        input_type: ``uint8``, ``int8`` or ``float32``; ``None``: bytes for integer networks.
        output_type: likewise.
        logits: leave out the softmax.
        eval_data: labelled pictures to measure accuracy on.
        limits: what the model must reach, else ``AccuracyGateFailed``.
        mixed: what a search for layers to keep in a higher precision may spend; ``None``: no
            search.
        seed: of everything drawn at random.
        output: folder of the results.
        force: replace existing files.
        threads: kernel threads while calibrating.
    """

    precision: str = "int8"
    recipe: str | None = None
    weights: str = "auto"
    calibration: Path | None = None
    calibration_count: int | None = None
    classes: int | None = None
    labels: Path | None = None
    resolution: int | None = None
    resize: str | None = None
    batch: int = 1
    input_type: str | None = None
    output_type: str | None = None
    logits: bool = False
    eval_data: Path | None = None
    limits: Limits = NO_LIMITS
    mixed: Budget | None = None
    seed: int = 0
    output: Path = ARTIFACTS
    force: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Conversion:
    """What came out.

    Attributes:
        model: the file.
        manifest: of it.
        reference: the float model it was made from.
        notes: what the user must be told, a sentence each.
    """

    model: Path
    manifest: Manifest
    reference: Path
    notes: tuple[str, ...] = ()


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
        InputError: weights, pictures or labels that do not fit.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    variant = find_variant(name)
    recipe = plan(variant, settings)
    usual = Preprocessing.of(variant, settings.resolution)
    usual = usual.resized(settings.resize) if settings.resize else usual
    labels = _labels(settings, variant)
    model = _target(settings, variant, recipe.scheme, trained=True)
    _refuse(settings, model, _target(settings, variant, recipe.scheme, trained=False))
    _refuse_full(settings.output)
    calibration = _pictures(settings, recipe, usual, progress)
    with _scratch(settings.output) as scratch:
        exported = scratch / "float32.tflite"
        weights, preprocessing = _export(variant, settings, usual, exported, progress)
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
    job = _Job(reference, preprocessing, calibration, settings, known, progress)
    made = _make(job, _ladder(variant, settings, recipe), model)
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
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    settings, progress = settings or Settings(), progress or Progress()
    recipe = find_recipe(recipe_name)
    probe(source)
    preprocessing = preprocessing or find_preprocessing(source)
    known = _known_of(source)
    stem = source.stem.removesuffix("-float32")
    model = settings.output / f"{stem}-{recipe.scheme}.tflite"
    if model.resolve() == source.resolve():
        raise UsageError(f"{source} would be overwritten", "choose another --output DIR")
    _refuse(settings, model)
    _refuse_full(settings.output)
    calibration = _pictures(settings, recipe, preprocessing, progress)
    job = _Job(source, preprocessing, calibration, settings, known, progress)
    made = _make(job, [recipe], model)
    return replace(made, notes=(*calibration.used.warnings(), *made.notes))


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


def _export(
    variant: Variant,
    settings: Settings,
    preprocessing: Preprocessing,
    path: Path,
    progress: Progress,
) -> tuple[dict[str, Any], Preprocessing]:
    """Write the float model; what its weights are, and the preprocessing these ask for."""
    with progress.stage("import TensorFlow"):
        import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter
        from edgeeff.export import export
        from edgeeff.network.builder import build
        from edgeeff.network.weights import load
    with progress.stage("build network"):
        network = build(variant, classes=settings.classes, resolution=settings.resolution)
    with progress.stage("load weights"):
        named = settings.weights in ("auto", "imagenet", "none")
        loaded = load(network, variant, settings.weights if named else Path(settings.weights))
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


@dataclass(frozen=True)
class _Job:
    """What all recipes that are tried on one network share."""

    reference: Path
    preprocessing: Preprocessing
    calibration: CalibrationPair
    settings: Settings
    known: dict[str, Any]
    progress: Progress


def _make(job: _Job, recipes: Sequence[Recipe], model: Path) -> Conversion:
    """Try recipes until one is within the limits; write the best with its manifest."""
    if model == job.reference:
        manifest, _ = _verify(job, recipes[0], model)
        files.write_bytes(path_of(model), manifest.document().encode(), force=True)
        return Conversion(model, manifest, model)
    tried: list[tuple[Manifest, Trial | None, Path]] = []
    with _scratch(job.settings.output) as scratch:
        for named in recipes:
            found = _search(job, named) if job.settings.mixed else None
            recipe = found.recipe if found else named
            candidate = scratch / recipe.name / model.name
            content, coverage = _quantized(job, recipe)
            files.write_bytes(candidate, content)
            manifest, trial = _verify(job, recipe, candidate, coverage)
            if found:
                manifest = replace(manifest, mixed=_explained(job, found, scratch))
            tried.append((manifest, trial, candidate))
            if tried[-1][1] is None or tried[-1][1].last:
                break
        trials = [trial for _, trial, _ in tried if trial is not None]
        best = max(tried, key=lambda made: made[1].rank if made[1] else (0, False, 0.0))
        manifest = replace(best[0], tried=[trial.to_json() for trial in trials] or None)
        files.write_bytes(model, best[2].read_bytes(), force=job.settings.force)
        files.write_bytes(path_of(model), manifest.document().encode(), force=True)
    if trials and all(trial.failed for trial in trials):
        raise AccuracyGateFailed(trials)
    return Conversion(model, manifest, job.reference, _coverage_notes(manifest))


def _search(job: _Job, recipe: Recipe) -> Search:
    return search(
        files.read_bytes(job.reference),
        recipe,
        job.preprocessing,
        job.calibration.used,
        job.settings.mixed,
        ends=_ends(job, recipe),
        seed=job.settings.seed,
        threads=job.settings.threads,
        progress=job.progress,
    )


def _explained(job: _Job, found: Search, scratch: Path) -> dict[str, Any]:
    """What a search kept and why, and full integer on the pictures that verify."""
    whole = scratch / "whole.tflite"
    files.write_bytes(whole, found.whole, force=True)
    held_out = None
    if _comparable(job):
        judged = job.calibration.held_out
        held_out = _fidelity(job.reference, whole, job.preprocessing, judged).to_json()
    return {**found.to_json(), "full_integer": {"bytes": len(found.whole), "fidelity": held_out}}


def _ends(job: _Job, recipe: Recipe) -> Ends:
    usual, settings = default_ends(recipe), job.settings
    return Ends(settings.input_type or usual.input, settings.output_type or usual.output)


def _comparable(job: _Job) -> bool:
    """Not an untrained network: its answers are noise, and nothing can agree with them."""
    weights = job.known.get("weights")
    return not weights or bool(weights["trained"])


def _coverage_notes(manifest: Manifest) -> tuple[str, ...]:
    found = (manifest.calibration or {}).get("coverage")
    if not found or found["enough"]:
        return ()
    return (f"the calibration pictures are {found['verdict']}",)


def _quantized(job: _Job, recipe: Recipe) -> tuple[bytes, Coverage | None]:
    """The model, and how far the user's pictures reach."""
    found: list[Coverage | None] = []
    content = quantize_model(
        files.read_bytes(job.reference),
        recipe,
        job.preprocessing,
        job.calibration.used,
        ends=_ends(job, recipe),
        seed=job.settings.seed,
        threads=job.settings.threads,
        progress=job.progress,
        covered=None if job.calibration.used.synthetic else found.append,
    )
    return content, found[0] if found else None


def _verify(
    job: _Job, recipe: Recipe, model: Path, coverage: Coverage | None = None
) -> tuple[Manifest, Trial | None]:
    """Measure a model on pictures that calibration did not see."""
    settings, measured, held_out, found = job.settings, {}, None, None
    with job.progress.stage("verify"):
        if model != job.reference and _comparable(job):
            pictures = job.calibration.held_out
            held_out = _fidelity(job.reference, model, job.preprocessing, pictures)
            measured["fidelity"] = {
                **held_out.to_json(),
                "pictures": pictures.source,
                "sha256": pictures.sha256,
            }
        if settings.eval_data is not None:
            images = read_images(settings.eval_data, labels=settings.labels)
            found = evaluate(
                model, images, reference=job.reference, preprocessing=job.preprocessing
            )
            measured["accuracy"] = {**found.to_json(), "model": model.name}
    if recipe.calibrated:
        measured["calibration"] = _listed(job.calibration.used, coverage)
    manifest = describe(
        model,
        recipe.scheme,
        job.preprocessing.to_json(),
        recipe={"name": recipe.name, "text": recipe.text},
        float_bytes=job.reference.stat().st_size,
        seconds={name: round(value, 3) for name, value in job.progress.seconds.items()},
        **measured,
        **job.known,
    )
    if not settings.limits.set:
        return manifest, None
    return manifest, judge(recipe.name, manifest.bytes, held_out, found, settings.limits)


def _listed(used: CalibrationSet, coverage: Coverage | None) -> dict[str, Any]:
    """A calibration set as the manifest lists it."""
    return {
        "source": used.source,
        "count": len(used.pictures),
        "sha256": used.sha256,
        "pictures": [] if used.synthetic else list(used.digests),
        "coverage": coverage.to_json() if coverage else None,
    }


def _fidelity(
    reference: Path, model: Path, preprocessing: Preprocessing, held_out: CalibrationSet
) -> Fidelity:
    answers = []
    for path in (reference, model):
        classifier = Classifier(path, preprocessing)
        pictures = held_out.pictures
        starts = range(0, len(pictures), classifier.batch)
        parts = [classifier(pictures[i : i + classifier.batch]).logits for i in starts]
        answers.append(np.concatenate(parts))
    return fidelity(*answers)


def _target(settings: Settings, variant: Variant, scheme: str, *, trained: bool) -> Path:
    mark = "" if trained else "-untrained"
    return settings.output / f"efficientnet-{variant.name}{mark}-{scheme}.tflite"


def _refuse(settings: Settings, *models: Path) -> None:
    for model in models:
        files.refuse_existing(model, force=settings.force)


def _refuse_full(folder: Path) -> None:
    """Fail now, not after a minute of work, if the folder cannot be written."""
    with files.writing(folder / ".edgeeff-writable", force=True) as probe_file:
        probe_file.write_bytes(b"\0")
    (folder / ".edgeeff-writable").unlink(missing_ok=True)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".edgeeff-", dir=folder) as name:
        yield Path(name)


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
