"""How the first weights of a training get into its network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.network.weights import Weights, load
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.float_model import Provenance
from edgeeff.training.network import HEAD
from edgeeff.training.runs import BEST
from edgeeff.training.start import Start


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
