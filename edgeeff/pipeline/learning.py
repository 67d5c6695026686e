"""What quantization-aware training needs of a conversion: pictures, and a place in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgeeff import extras
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pipeline.settings import Settings
from edgeeff.progress import Progress
from edgeeff.quantization.calibration.pictures import (
    HELD_OUT,
    CalibrationPair,
    CalibrationSet,
    folder_set,
    set_of,
    subset,
    synthetic_set,
)
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.quantize import Ends
from edgeeff.quantization.recipes.recipe import Recipe
from edgeeff.tflite.float_model import FloatModel

if TYPE_CHECKING:
    from edgeeff.training.aware.training import Trained
    from edgeeff.training.runs import Run

MOST = 2000
"""Pictures that are read to learn from, spread over the list: 300 MB at 224 pixels."""

CALIBRATING = 100
"""Of the pictures to learn from that calibrate if no others do."""

MADE_UP = 192
"""Synthetic pictures to learn from."""


def check(network: FloatModel) -> None:
    """Refuse a network that cannot be trained, before pictures are read and made.

    Raises:
        ExtraMissing: TensorFlow is not installed.
        InputError: an untrained network, or an operator that cannot be trained.
    """
    extras.require("convert", "quantization-aware training")
    if network.untrained:
        raise untrained()
    from edgeeff.training.aware.operators import refuse_untrainable

    refuse_untrainable(correctable(network.graph))


def untrained(why: str = "") -> InputError:
    """The error for a network that cannot be trained to answer as it did before."""
    return InputError(
        f"an untrained network has no answers to keep{f': {why}' if why else ''}",
        "give it weights (--weights FILE), or leave out --qat",
    )


def pictures_of(run: Run, preprocessing: Preprocessing, progress: Progress) -> CalibrationPair:
    """The pictures that a training learned from, and to verify with some that it chose by.

    Raises:
        InputError: they are not there any more, or cannot be read.
    """
    from edgeeff.training.data.reading import judged
    from edgeeff.training.train import read

    data, found = read(run.settings), []
    for part, most in ((data.train, MOST), (data.val, HELD_OUT)):
        total = len(part.labels)
        count = min(most, total)
        taken = part.taken([place * total // count for place in range(count)])
        with progress.stage("read pictures to learn from", count) as advance:
            made = judged(taken, preprocessing, advance=advance)
        names = tuple(taken.name(place) for place in range(len(made)))
        found.append(set_of(str(run.folder), made.squares, names, made.skipped))
    return CalibrationPair(*found)


def calibrating(pictures: CalibrationPair) -> CalibrationPair:
    """A pair of ``pictures_of`` with so few, spread over all, as calibrate well."""
    total = len(pictures.used.pictures)
    count = min(CALIBRATING, total)
    few = subset(pictures.used, [place * total // count for place in range(count)])
    return replace(pictures, used=few)


def lessons(
    settings: Settings,
    preprocessing: Preprocessing,
    calibration: CalibrationPair,
    progress: Progress,
) -> CalibrationSet:
    """The pictures to learn from, none of which verifies the result.

    Those of ``settings.data``, else those that calibrate; if these are synthetic, more such ones.

    Raises:
        InputError: nothing there that can be read.
    """
    if settings.data is not None:
        everything = folder_set(settings.data, preprocessing, count=MOST, progress=progress)
        return _without(everything, set(calibration.held_out.digests))
    if calibration.used.synthetic:
        with progress.stage("make synthetic pictures"):
            # Of another seed than those that verify.
            return synthetic_set(MADE_UP, preprocessing, settings.seed + 2)
    return calibration.used


def _without(pictures: CalibrationSet, held_out: set[str]) -> CalibrationSet:
    kept = [i for i, digest in enumerate(pictures.digests) if digest not in held_out]
    if not kept:
        raise InputError(f"{pictures.source} has no picture but those that verify", "give more")
    return subset(pictures, kept)


@dataclass
class Training:
    """Trains the network that a recipe has corrected.

    Attributes:
        pictures: to learn from.
        settings: qat_steps, seed and threads.
        progress: told of every stage.
        result: of the last training.
    """

    pictures: CalibrationSet
    settings: Settings
    progress: Progress
    result: Trained | None = None

    def of(
        self, recipe: Recipe, preprocessing: Preprocessing, ends: Ends
    ) -> Callable[[Corrected], Corrected]:
        """What trains a network that this recipe has corrected, as ``quantize_model`` takes it."""
        from edgeeff.training.aware.learning import Plan
        from edgeeff.training.aware.training import train

        def trained(network: Corrected) -> Corrected:
            self.result = train(
                network,
                recipe,
                preprocessing,
                self.pictures.pictures,
                Plan(steps=self.settings.qat_steps, seed=self.settings.seed),
                takes_bytes=ends.input != "float32",
                threads=self.settings.threads,
                progress=self.progress,
            )
            return self.result.network

        return trained

    def to_json(self) -> dict[str, Any]:
        """What the manifest says of the last training."""
        if self.result is None:
            raise ValueError("nothing was trained yet")
        return {
            "source": self.pictures.source,
            "count": len(self.pictures.pictures),
            "sha256": self.pictures.sha256,
            **self.result.to_json(),
        }
