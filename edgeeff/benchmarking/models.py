"""Two models side by side: time measured in turn, and how far their answers agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeeff.accelerators.plan import Plan
from edgeeff.benchmarking.document import comparison_document
from edgeeff.benchmarking.run import Result, benchmark
from edgeeff.benchmarking.session import peak_memory
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import Fidelity, image_errors, summary
from edgeeff.evaluation.inputs import find_preprocessing
from edgeeff.evaluation.normalisation import Normalisation
from edgeeff.pictures.images import ImageSet, pixels, read_images
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.synthetic import synthetic_inputs
from edgeeff.progress import Progress
from edgeeff.tflite.reader import read_model

SYNTHETIC = 32
"""Made-up pictures that answers are compared on when none are given."""


@dataclass(frozen=True)
class ModelComparison:
    """What comparing two models gave.

    Attributes:
        names: of the first (the reference) and the second.
        fidelity: of the second to the first; ``None`` where it cannot be had.
        pictures: what it was measured on.
        no_fidelity: why there is none.
        synthetic: whether the pictures were made up.
    """

    names: tuple[str, str]
    result: Result
    fidelity: Fidelity | None
    pictures: str
    no_fidelity: str = ""
    synthetic: bool = False

    def document(self) -> str:
        """The edgeeff.comparison/1 document."""
        return comparison_document(
            self.result.comparisons,
            self.result.environments,
            measurements=[measured.to_json() for measured in self.result.measurements],
            failures=[failure.to_json() for failure in self.result.failures],
            fidelity=self.fidelity.to_json() if self.fidelity else None,
            pictures=self.pictures,
        )

    def timing_rows(self) -> list[tuple[str, str, str]]:
        """Name, first and second of each line of a table; none if a measurement failed."""
        if self.result.failures:
            return []
        one, two = self.result.measurements
        return [
            ("bytes", f"{one.size:,}", f"{two.size:,}"),
            ("median ms", f"{one.latency.median:.3f}", f"{two.latency.median:.3f}"),
            ("p90 ms", f"{one.latency.p90:.3f}", f"{two.latency.p90:.3f}"),
        ]


def compare(
    first: Path,
    second: Path,
    *,
    target: str = "cpu",
    device: str = "local",
    plan: Plan | None = None,
    data: Path | None = None,
    said: Normalisation | None = None,
    progress: Progress | None = None,
) -> ModelComparison:
    """Measure two models in turn, and the second's answers against the first's.

    Args:
        first: the reference, such as the float model.
        second: the other.
        target: for the timing; answers are compared on the CPU.
        device: an address as in ``devices.connect``, of one device.
        plan: how; ``None``: the standard preset.
        data: a folder of pictures; ``None``: made-up ones.
        said: the preprocessing of models whose metadata says nothing.
        progress: told what is going on.

    Raises:
        UsageError: twice the same file, or several devices.
        InputError: a file that is no model, or no pictures in ``data``.
    """
    if first.resolve() == second.resolve():
        raise UsageError("both are the same file", "give two models")
    if device == "android:all":
        raise UsageError(
            "two models are compared on one phone", "edgeeff benchmark takes --device android:all"
        )
    for model in (first, second):
        read_model(model)
    images = None if data is None else read_images(data)
    result = benchmark(
        [first, second],
        targets=[target],
        device=device,
        plan=plan,
        passes={"peak_memory_bytes": peak_memory},
        progress=progress,
    )
    pictures = f"pictures of {data}" if data else "synthetic pictures"
    names = (first.name, second.name)
    if result.failures:
        return ModelComparison(names, result, None, pictures, "a model could not be measured")
    try:
        found = _fidelity(first, second, images, said)
    except InputError as error:
        # The timing stands on its own: a model need not be a classifier with metadata.
        return ModelComparison(names, result, None, pictures, f"{error.message} ({error.hint})")
    on = f"{found.images} {pictures}"
    return ModelComparison(names, result, found, on, synthetic=data is None)


def _fidelity(
    first: Path, second: Path, images: ImageSet | None, said: Normalisation | None
) -> Fidelity:
    otherwise = said.of(first) if said else None
    reference = Classifier(first, find_preprocessing(first, otherwise=otherwise))
    tested = Classifier(second, find_preprocessing(second, otherwise=reference.preprocessing))
    exclusive, shares = reference.exclusive and tested.exclusive, reference.shares and tested.shares
    errors = []
    for picture in _pictures(images, reference.preprocessing):
        one, two = (
            which(np.asarray(picture[None], np.uint8)).logits for which in (reference, tested)
        )
        errors.append(image_errors(one, two, exclusive=exclusive, shares=shares))
    return summary(errors)


def _pictures(images: ImageSet | None, preprocessing: Preprocessing) -> Iterator[NDArray[np.uint8]]:
    if images is None:
        yield from synthetic_inputs(SYNTHETIC, preprocessing.shape)
    else:
        for _, picture in pixels(images, preprocessing):
            yield picture
