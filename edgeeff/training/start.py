"""What a training begins with: a variant, its first weights, and how its pictures are made."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edgeeff.architectures.variants import Variant
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.state_dicts.reading import StateDict, is_state_dict, read
from edgeeff.state_dicts.weight_files import check_kind, check_there
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
        else:
            check_there(path, ", ".join(NAMED_WEIGHTS))
            check_kind(path, variant.name)
            weights = path
            if os.path.isfile(path) and is_state_dict(path):
                weights = read(path, variant)
                variant, usual = weights.variant, weights.preprocessing(settings.resolution)
    if settings.resize:
        usual = usual.resized(settings.resize)
    elif whole:
        usual = replace(usual, crop=1.0)
    return Start(variant, weights, usual, run)
