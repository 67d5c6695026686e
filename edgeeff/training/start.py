"""What a training begins with: a variant, its first weights, and how its pictures are made."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError
from edgeeff.network.weights import Weights, load
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.state_dicts.reading import StateDict, is_state_dict, read
from edgeeff.tflite.float_model import Provenance
from edgeeff.training.network import HEAD
from edgeeff.training.runs import BEST, Run, check_variant, checked, is_run, read_run
from edgeeff.training.settings import NAMED_WEIGHTS, TrainingSettings


@dataclass(frozen=True)
class Start:
    """The network before its first step, as far as no device is needed.

    Attributes:
        variant: built as its weights want it.
        weights: one of ``NAMED_WEIGHTS``, a file, or a state dict that was read already.
        preprocessing: of the network; a Keras file may turn out to ask for another one.
        run: the run whose weights they are; ``None``: none's.
    """

    variant: Variant
    weights: str | Path | StateDict
    preprocessing: Preprocessing
    run: Run | None = None


def find_start(variant: Variant, settings: TrainingSettings, *, whole: bool) -> Start:
    """Look for the weights that the settings name.

    Args:
        variant: as its name says.
        settings: weights, resolution, resize.
        whole: the pictures have no border to cut off.

    Raises:
        InputError: no such file or run, one that is damaged, or of another variant.
        UsageError: a resize that is none.
    """
    usual = Preprocessing.of(variant, settings.resolution)
    weights: str | Path | StateDict = settings.weights
    run = None
    if settings.weights not in NAMED_WEIGHTS:
        path = Path(settings.weights)
        if is_run(path):
            run = read_run(path)
            check_variant(run, variant.name)
            checked(run, BEST)
            variant = run.variant
            usual = replace(usual, mean=run.preprocessing.mean, std=run.preprocessing.std)
            weights = path / BEST
        elif not any(os.path.exists(one) for one in (path, Path(f"{path}.index"))):
            raise InputError(
                f"{path}: no such weight file or run",
                f"give the path of one, or {', '.join(NAMED_WEIGHTS)}",
            )
        elif os.path.isfile(path) and is_state_dict(path):
            weights = read(path, variant)
            variant, usual = weights.variant, weights.preprocessing(settings.resolution)
        else:
            weights = path
    if settings.resize:
        usual = usual.resized(settings.resize)
    elif whole:
        usual = replace(usual, crop=1.0)
    return Start(variant, weights, usual, run)


def fill(model: Any, start: Start, labels: tuple[str, ...]) -> tuple[Provenance, Preprocessing]:
    """Put the first weights into a network.

    A classifier for other classes is left out: of another count, or of other names where the
    weights say them. The new one starts from zero: all classes are as likely, and what it learns
    is not hidden under the noise of random weights.

    Args:
        model: of ``training.network.built``.
        start: of ``find_start``.
        labels: the classes it will be trained on.

    Returns:
        Where the weights come from, and the preprocessing that they ask for.

    Raises:
        WeightsUnavailable: ImageNet weights that cannot be had here.
        InputError: weights that are damaged or do not fit.
    """
    loaded = load(model, start.variant, start.weights)
    notes = list(loaded.notes)
    others = start.run is not None and start.run.labels != labels
    if others and loaded.trained:
        notes.append(
            "the weights are for other classes, or for these in another order: their head was "
            "dropped, the new one is untrained"
        )
    if loaded.source != "none" and (others or not loaded.trained):
        for variable in model.get_layer(HEAD).weights:
            variable.assign(tf.zeros_like(variable))
    source = str(start.run.folder / BEST) if start.run else loaded.source
    trained = loaded.trained and not others
    provenance = Provenance(source, loaded.sha256, trained, tuple(notes))
    return provenance, _asked_for(loaded, start.preprocessing)


def _asked_for(loaded: Weights, usual: Preprocessing) -> Preprocessing:
    if loaded.scaling is None:
        return usual
    return replace(usual, mean=loaded.scaling.mean, std=loaded.scaling.std, crop=1.0)
