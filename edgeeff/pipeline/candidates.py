"""Quantizes one network by one recipe after another, looks at each result and keeps the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeeff import files
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.evaluate import Evaluation, evaluate
from edgeeff.evaluation.fidelity import Fidelity, fidelity
from edgeeff.evaluation.gate import AccuracyGateFailed, Trial, judge
from edgeeff.evaluation.grades import GOOD, SQNR_DB
from edgeeff.evaluation.verdict import Compared, faults
from edgeeff.pictures.images import read_images
from edgeeff.pipeline.helpful import Comparison, Helpful, helpful
from edgeeff.pipeline.learning import Training
from edgeeff.pipeline.mixed_precision import Search, search
from edgeeff.pipeline.policy import RIVALS, by_pictures, ends, is_checked, is_over, safer
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.coverage import Coverage
from edgeeff.quantization.calibration.observation import Observations
from edgeeff.quantization.calibration.pictures import CalibrationPair, CalibrationSet
from edgeeff.quantization.calibration.training_scale import unlike_training
from edgeeff.quantization.quantize import quantize_model
from edgeeff.quantization.recipes.recipe import Recipe, find_recipe
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.manifest import Manifest, describe, path_of, write_model
from edgeeff.tflite.metadata_writer import write_metadata
from edgeeff.tflite.reader import read_model


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


@dataclass(frozen=True)
class Job:
    """What all recipes that are tried on one network share.

    Attributes:
        network: the float model.
        reference: its file.
        calibration: pictures to calibrate with, and others to verify on.
        settings: of the user.
        progress: told of every stage.
        training: of the corrected network before it is written; ``None``: it is not trained.
        command: the line that makes the result again; ``None``: no line does.
        observations: of the float model on these pictures.
    """

    network: FloatModel
    reference: Path
    calibration: CalibrationPair
    settings: Settings
    progress: Progress
    training: Training | None = None
    command: str | None = None
    observations: Observations = field(default_factory=Observations)


def make(job: Job, recipes: Sequence[Recipe], model: Path) -> Conversion:
    """Try recipes until one is within the limits; write the best with its manifest.

    Raises:
        InputError: a network or pictures that cannot be quantized, or compared.
        UsageError: an exception of a recipe that no layer fits, or types that do not go.
        OutputError: results that exist already, or cannot be written.
        AccuracyGateFailed: no recipe reaches the limits; the best model was written.
    """
    if model == job.reference:
        manifest, _ = _verify(job, recipes[0], model)
        files.write_bytes(path_of(model), manifest.document().encode(), force=True)
        return Conversion(model, manifest, model)
    tried: list[_Candidate] = []
    trials: list[Trial] = []
    with files.scratch_folder(job.settings.output) as scratch:
        for recipe in recipes:
            tried.append(_candidate(job, recipe, scratch, model.name))
            trials += [it for it in (tried[-1].trial,) if it is not None]
            if not trials or is_over(recipes[: len(tried)], trials):
                break
        best = max(tried, key=lambda it: it.trial.rank if it.trial else (0, False, 0.0, 0.0))
        manifest = replace(best.manifest, tried=[trial.to_json() for trial in trials] or None)
        write_model(model, best.file.read_bytes(), manifest, force=job.settings.force)
    if trials and all(trial.failed for trial in trials):
        raise AccuracyGateFailed(trials)
    rival = _rival_notes(job, best)
    doubts = (manifest.accuracy or {}).get("doubts", ())
    normalised = unlike_training(job.network, job.calibration.used.pictures)
    told = (*_coverage_notes(manifest), *_float_notes(model, best.recipe))
    notes = (*doubts, *normalised, *told, *rival)
    return Conversion(model, manifest, job.reference, notes)


_Quantized = tuple[bytes, Coverage | None]
"""A model, and how far the user's pictures reach."""


@dataclass(frozen=True)
class _Candidate:
    """One recipe's model, in a file that does not last, and the verdict if there are limits."""

    recipe: Recipe
    manifest: Manifest
    trial: Trial | None
    file: Path


Maker = Callable[[Recipe, Progress], _Quantized]
"""Makes the network of a recipe, and tells of every stage."""


def _maker(job: Job) -> Maker:
    """What makes each recipe once, on the pictures of a job."""
    made: dict[Recipe, _Quantized] = {}

    def quantized(recipe: Recipe, progress: Progress) -> _Quantized:
        # A recipe that is spelled out after it was tried does the same.
        same = replace(recipe, text="")
        if same not in made:
            # What is only tried is not trained: that would take minutes each time.
            made[same] = _quantized(replace(job, training=None, progress=progress), recipe)
        return made[same]

    return quantized


def _candidate(job: Job, named: Recipe, scratch: Path, name: str) -> _Candidate:
    quantized = _maker(job)
    checked, helps = _checked(job, named, quantized)
    found = _search(job, checked) if job.settings.mixed else None
    recipe = found.recipe if found else checked
    candidate = scratch / recipe.name / name
    content, coverage = _quantized(job, recipe) if job.training else quantized(recipe, job.progress)
    files.write_bytes(candidate, content)
    manifest, trial = _verify(job, recipe, candidate, coverage)
    if helps:
        manifest = replace(manifest, corrections=helps.to_json())
    if found:
        manifest = replace(manifest, mixed=_explained(job, found, scratch))
    return _Candidate(recipe, manifest, trial, candidate)


def _checked(job: Job, recipe: Recipe, quantized: Maker) -> tuple[Recipe, Helpful | None]:
    """The recipe with what of it helps the network, if that has to be looked at."""
    if not is_checked(job.settings, job.network, recipe):
        return recipe, None
    recipe = by_pictures(recipe, job.calibration.used)
    quantized(recipe, job.progress)
    with job.progress.stage("compare with plain rounding"):
        pictures = job.calibration.checking(job.network.preprocessing, job.settings.seed).pictures
        seen = Comparison(lambda it: quantized(it, Progress())[0], pictures)
        return helpful(job.network, recipe, seen, _unseen(job))


def _unseen(job: Job) -> Comparison | None:
    """A comparison on pictures of the user that do not calibrate, if those of the usual one do."""
    parts = job.calibration.set_aside()
    if parts is None:
        return None
    calibrates, judges = parts
    meanwhile = replace(job.calibration, used=calibrates)
    quantized = _maker(replace(job, calibration=meanwhile, observations=Observations()))
    return Comparison(lambda it: quantized(it, Progress())[0], judges.pictures)


def _search(job: Job, recipe: Recipe) -> Search:
    return search(
        job.network,
        recipe,
        job.calibration.used,
        job.settings.mixed,
        ends=ends(job.settings, recipe),
        seed=job.settings.seed,
        threads=job.settings.threads,
        progress=job.progress,
    )


def _explained(job: Job, found: Search, scratch: Path) -> dict[str, Any]:
    """What a search kept and why, and full integer on the pictures that verify."""
    whole = scratch / "whole.tflite"
    content = _described(job, found.whole)
    files.write_bytes(whole, content, force=True)
    held_out = None
    if not job.network.untrained:
        judged = job.calibration.held_out
        held_out = _fidelity(job.network, whole, judged).to_json()
    return {**found.to_json(), "full_integer": {"bytes": len(content), "fidelity": held_out}}


def _coverage_notes(manifest: Manifest) -> tuple[str, ...]:
    found = (manifest.calibration or {}).get("coverage")
    notes = []
    if found and found["odd"]:
        notes.append(
            f"left out of the calibration pictures: {len(found['odd'])} that activations reach far "
            f"beyond all others in, such as {found['odd'][0]}; their like is answered less exactly"
        )
    if found and not found["enough"]:
        notes.append(f"the calibration pictures are {found['verdict']}")
    return tuple(notes)


def _float_notes(model: Path, recipe: Recipe) -> tuple[str, ...]:
    """Which operators compute in float although the recipe keeps none there."""
    if not recipe.static or recipe.exceptions:
        return ()
    parsed = read_model(model)
    floats = {tensor.index for tensor in parsed.float_tensors}
    kinds = Counter(
        operator.kind
        for operator in parsed.operators
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE")
        and floats.intersection((*operator.inputs, *operator.outputs))
    )
    if not kinds:
        return ()
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return (
        f"litert-quantizer leaves operators in float ({listed}): hardware that computes in "
        "integers alone does not take them",
    )


def _rival_notes(job: Job, made: _Candidate) -> tuple[str, ...]:
    """What another recipe of the same size gives where this one's result is not good."""
    rival, found = RIVALS.get(made.recipe.scheme), made.manifest.fidelity
    if rival is None or found is None or found["median_image_sqnr_db"] is None:
        return ()
    own = found["median_image_sqnr_db"]
    if SQNR_DB.grade(own) == GOOD:
        return ()
    with files.scratch_folder(job.settings.output) as scratch:
        path = scratch / "rival.tflite"
        files.write_bytes(path, _quantized(job, find_recipe(rival))[0])
        other = _fidelity(job.network, path, job.calibration.held_out).median_image_sqnr_db
    if other <= own:
        return ()
    return (
        f"{made.recipe.name} has {own:.1f} dB at the median picture, {rival} of the same size "
        f"{other:.1f} dB: try --recipe {rival}",
    )


def _quantized(job: Job, recipe: Recipe) -> _Quantized:
    found: list[Coverage | None] = []
    training, types = job.training, ends(job.settings, recipe)
    content = quantize_model(
        job.network,
        recipe,
        job.calibration.used,
        ends=types,
        seed=job.settings.seed,
        threads=job.settings.threads,
        progress=job.progress,
        covered=None if job.calibration.used.synthetic else found.append,
        trained=training.of(recipe, job.network.preprocessing, types) if training else None,
        observations=job.observations,
    )
    return _described(job, content), found[0] if found else None


def _described(job: Job, content: bytes) -> bytes:
    """With the network's metadata, labels and files, as they are for its quantized input."""
    network = job.network
    return write_metadata(
        content, network.preprocessing, labels=network.labels, source=network.content
    )


def _verify(
    job: Job, recipe: Recipe, model: Path, coverage: Coverage | None = None
) -> tuple[Manifest, Trial | None]:
    """Measure a model on pictures that calibration did not see."""
    settings, held_out, found = job.settings, None, None
    measured: dict[str, Any] = {}
    with job.progress.stage("verify"):
        if model != job.reference and not job.network.untrained:
            pictures = job.calibration.held_out
            held_out = _fidelity(job.network, model, pictures)
            measured["fidelity"] = {
                **held_out.to_json(),
                "pictures": pictures.source,
                "sha256": pictures.sha256,
            }
        if settings.eval_data is not None:
            images = read_images(settings.eval_data, labels=settings.labels)
            how = job.network.preprocessing
            found = evaluate(model, images, reference=job.reference, preprocessing=how)
            measured["accuracy"] = {**found.to_json(), "model": model.name}
        measured["verdict"] = _verdict(job, recipe, held_out, found)
    if job.training is not None:
        measured["qat"] = job.training.to_json()
    if recipe.calibrated:
        measured["calibration"] = _listed(job, coverage)
    manifest = describe(
        model.name,
        files.read_bytes(model),
        recipe.scheme,
        job.network,
        command=job.command,
        seed=settings.seed,
        recipe={"name": recipe.name, "text": recipe.text},
        float_bytes=job.reference.stat().st_size,
        seconds={name: round(value, 3) for name, value in job.progress.seconds.items()},
        **measured,
    )
    if not settings.limits.set:
        return manifest, None
    return manifest, judge(recipe.name, manifest.bytes, held_out, found, settings.limits)


def _verdict(
    job: Job, recipe: Recipe, held_out: Fidelity | None, found: Evaluation | None
) -> dict[str, Any] | None:
    """Whether the model answers as the float network, and what to try if not."""
    seen = []
    if held_out is not None:
        synthetic = job.calibration.held_out.synthetic
        kind = "synthetic pictures" if synthetic else "held-out pictures"
        seen.append(Compared(held_out, kind, synthetic))
    if found is not None and found.fidelity is not None and not job.network.untrained:
        seen.append(Compared(found.fidelity, "of your pictures", drop=found.drop))
    if not seen:
        return None
    why = [fault for compared in seen for fault in faults(compared)]
    instead = safer(recipe, job.network.graph) if why else None
    return {"good": not why, "faults": why, "try": instead}


def _listed(job: Job, coverage: Coverage | None) -> dict[str, Any]:
    """What calibrated, as the manifest lists it."""
    used = job.calibration.used
    return {
        "source": used.source,
        "batchnorm": job.network.statistics is not None,
        "count": len(used.pictures),
        "sha256": used.sha256,
        "pictures": [] if used.synthetic else list(used.digests),
        "coverage": coverage.to_json() if coverage else None,
    }


def _fidelity(network: FloatModel, model: Path, held_out: CalibrationSet) -> Fidelity:
    classifiers = [Classifier(one, network.preprocessing) for one in (network.graph, model)]
    reference, own = (classifier(held_out.pictures).logits for classifier in classifiers)
    exclusive = all(it.exclusive for it in classifiers)
    shares = all(it.shares for it in classifiers)
    return fidelity(reference, own, exclusive=exclusive, shares=shares)
