"""Run a classifier over pictures: accuracy by their labels, fidelity to a reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff import files
from edgeeff.errors import InputError, UsageError
from edgeeff.evaluation.accuracy import Accuracy, accuracy, ranks
from edgeeff.evaluation.changes import Change, changes, surest
from edgeeff.evaluation.classifier import Answers, Classifier, batches
from edgeeff.evaluation.doubts import (
    another_network,
    near_chance,
    of_several_classes,
    quantized_reference,
)
from edgeeff.evaluation.fidelity import Fidelity, ImageErrors, image_errors, summary
from edgeeff.evaluation.inputs import find_labels, find_preprocessing, find_weights
from edgeeff.evaluation.paired import Drop, drop
from edgeeff.pictures.images import ImageSet, Picture, Skipped, check_classes, pixels
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.progress import Progress
from edgeeff.tflite.reader import read_model

SCHEMA = "edgeeff.evaluation/1"


@dataclass(frozen=True)
class Prediction:
    """A picture's most likely classes, best first.

    Attributes:
        path: of the picture.
        classes: their indices.
        probabilities: as ``Classifier.probabilities`` has them.
        shares: as ``Classifier.shares``: whether they are probabilities.
    """

    path: Path
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    shares: bool = True


@dataclass(frozen=True)
class Evaluation:
    """What a model did on a set of pictures.

    Attributes:
        model: its file.
        reference: the file it was compared with, if any.
        images: how many pictures were read.
        skipped: files that were not, and why.
        accuracy: ``None`` without labels.
        fidelity: ``None`` without a reference.
        reference_accuracy: the reference's own; ``None`` without labels or reference.
        predictions: of every picture, if asked for.
        drop: of top-1 below the reference; ``None`` without labels or reference.
        sha256: of the model's file.
        reference_sha256: likewise.
        data: the folder, list or picture that the pictures came from; ``None`` if not known.
        classes: the name of each class index; empty if the pictures say none.
        changed: how many pictures have another most likely class than with the reference; ``None``
            without one, or where classes do not exclude each other.
        changes: those that the reference was surest of.
        weights: where the model's manifest says that its weights are from, such as a run.
        exclusive: whether one class excludes the others, as ``Classifier.exclusive`` says.
        reference_quantized: whether the reference is not the float network that it should be.
    """

    model: Path
    reference: Path | None
    images: int
    skipped: tuple[Skipped, ...]
    accuracy: Accuracy | None
    fidelity: Fidelity | None
    reference_accuracy: Accuracy | None
    predictions: tuple[Prediction, ...] = ()
    drop: Drop | None = None
    sha256: str = ""
    reference_sha256: str | None = None
    data: Path | None = None
    classes: tuple[str, ...] = ()
    changed: int | None = None
    changes: tuple[Change, ...] = ()
    weights: str | None = None
    exclusive: bool = True
    reference_quantized: bool = False

    @property
    def doubts(self) -> tuple[str, ...]:
        """What these figures make doubtful, a sentence each."""
        if self.reference is None:
            whose, judged = "of the model", self.accuracy
        else:
            whose, judged = "of the reference", self.reference_accuracy
        found = (
            of_several_classes(self.exclusive, judged),
            near_chance(whose, judged),
            another_network(self.reference, self.fidelity),
            quantized_reference(self.reference, self.reference_quantized),
        )
        return tuple(doubt for doubt in found if doubt is not None)

    def to_json(self) -> dict[str, Any]:
        """The fields of ``edgeeff.evaluation/1``; what was not measured is null."""
        return {
            "model": str(self.model),
            "sha256": self.sha256,
            "reference": None if self.reference is None else str(self.reference),
            "reference_sha256": self.reference_sha256,
            "data": None if self.data is None else str(self.data),
            "weights": self.weights,
            "images": self.images,
            "skipped": [{"path": str(s.path), "reason": s.reason} for s in self.skipped],
            **_accuracy_json(self.accuracy),
            "fidelity": None if self.fidelity is None else self.fidelity.to_json(),
            "reference_accuracy": None
            if self.reference_accuracy is None
            else _accuracy_json(self.reference_accuracy),
            "top1_drop": None if self.drop is None else self.drop.to_json(),
            "changed": None if self.changed is None else self._changed(self.changed),
            "doubts": list(self.doubts),
        }

    def _changed(self, count: int) -> dict[str, Any]:
        return {
            "count": count,
            "pictures": [change.to_json(self.classes) for change in self.changes],
        }

    def document(self) -> str:
        """The JSON document."""
        return files.document(SCHEMA, self.to_json())


@dataclass
class _Judge:
    """Collects a few numbers of each picture, so that memory does not grow with logits."""

    tested: Classifier
    exclusive: bool
    shares: bool
    top: int
    ranks: list[NDArray[np.int64]] = field(default_factory=list)
    reference_ranks: list[NDArray[np.int64]] = field(default_factory=list)
    errors: list[ImageErrors] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    images: int = 0

    def see(self, pictures: list[Picture], found: Answers, truth: Answers | None) -> None:
        self.images += len(pictures)
        labels = np.array([-1 if p.label is None else p.label for p in pictures], np.int64)
        if (labels >= 0).all():
            self.ranks.append(ranks(found.outputs, labels))
            if truth is not None:
                self.reference_ranks.append(ranks(truth.outputs, labels))
        if truth is not None:
            both = (truth.logits, found.logits)
            errors = image_errors(*both, exclusive=self.exclusive, shares=self.shares)
            self.errors.append(errors)
            if self.exclusive:
                before, after = (self.tested.probabilities(logits) for logits in both)
                self.changes += changes(pictures, before, after)
        if self.top:
            self.predictions += _predictions(pictures, self.tested, found.logits, self.top)


def evaluate(
    model: Path,
    images: ImageSet,
    *,
    reference: Path | None = None,
    preprocessing: Preprocessing | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    top: int = 0,
) -> Evaluation:
    """Measure a classifier on pictures.

    Args:
        model: a ``.tflite`` classifier.
        images: pictures, with labels for accuracy; classes in the order of their names get the
            order of the model's own labels, where it knows these names.
        reference: the float ``.tflite`` that fidelity is measured against.
        preprocessing: of the pictures, for both files; ``None``: as the manifest or metadata of
            each says.
        threads: as of ``tflite.runner.Runner``.
        progress: told of every picture in a stage ``evaluation``.
        top: keep that many most likely classes of every picture.

    Raises:
        InputError: not such models, unreadable pictures, or labels that do not fit.
        UsageError: neither labels nor reference nor ``top``: there is nothing to measure.
    """
    if not images.labelled and reference is None and not top:
        hint = "sort the pictures into one folder per class, or give --reference FLOAT.tflite"
        raise UsageError("the pictures have no labels and there is no reference", hint)
    images = images.labelled_as(find_labels(model))
    tested, compared = _load(model, reference, preprocessing, threads)
    _check_labels(images, tested)
    exclusive = tested.exclusive and (compared is None or compared.exclusive)
    shares = tested.shares and (compared is None or compared.shares)
    judge, skipped = _Judge(tested, exclusive, shares, top), list(images.skipped)
    with (progress or Progress()).stage("evaluation", len(images.pictures)) as advance:
        stream = pixels(images, tested.preprocessing, skipped=skipped, advance=advance)
        for pictures, found, truth in _answers(stream, tested, compared):
            judge.see(pictures, found, truth)
    return Evaluation(
        model=model,
        reference=reference,
        images=judge.images,
        skipped=tuple(skipped),
        accuracy=_accuracy(judge.ranks, tested.classes),
        fidelity=summary(judge.errors) if judge.errors else None,
        reference_accuracy=_accuracy(judge.reference_ranks, tested.classes),
        predictions=tuple(judge.predictions),
        drop=_drop(judge),
        sha256=files.sha256(model),
        reference_sha256=None if reference is None else files.sha256(reference),
        data=images.source,
        classes=images.classes,
        changed=len(judge.changes) if judge.errors and exclusive else None,
        changes=surest(judge.changes),
        weights=find_weights(model),
        exclusive=exclusive,
        reference_quantized=reference is not None and _quantized(reference),
    )


def _quantized(model: Path) -> bool:
    return any(tensor.scales for tensor in read_model(model).tensors)


def _check_labels(images: ImageSet, tested: Classifier) -> None:
    if images.labelled and tested.classes == 1:
        raise InputError(
            "the model has one output and no sigmoid behind it: which class its value means "
            "is not known",
            "--ignore-labels measures the fidelity to --reference alone",
        )
    check_classes(images, tested.classes)


def _load(
    model: Path, reference: Path | None, given: Preprocessing | None, threads: int | None
) -> tuple[Classifier, Classifier | None]:
    preprocessing = given or find_preprocessing(model)
    tested = Classifier(model, preprocessing, threads=threads)
    if reference is None:
        return tested, None
    # Unless the caller says how, the reference may normalise in another way than a model that has
    # it in its graph, but it sees the same pixels.
    of_reference = given or find_preprocessing(reference, otherwise=preprocessing)
    compared = Classifier(reference, of_reference, threads=threads)
    if compared.classes != tested.classes:
        counts = f"{compared.classes} classes, {model} {tested.classes}"
        raise InputError(f"{reference} has {counts}", "they are not the same network")
    return tested, compared


def _answers(
    stream: Iterator[tuple[Picture, NDArray[np.uint8]]],
    tested: Classifier,
    compared: Classifier | None,
) -> Iterator[tuple[list[Picture], Answers, Answers | None]]:
    size = tested.batch if compared is None else max(tested.batch, compared.batch)
    for batch in batches(stream, size):
        arrays = np.stack([array for _, array in batch])
        truth = None if compared is None else compared(arrays)
        yield [picture for picture, _ in batch], tested(arrays), truth


def _predictions(
    pictures: list[Picture], tested: Classifier, logits: NDArray[np.float32], top: int
) -> Iterator[Prediction]:
    for picture, values in zip(pictures, tested.probabilities(logits), strict=True):
        best = np.argsort(-values, kind="stable")[:top]
        of_best = tuple(values[best].tolist())
        yield Prediction(picture.path, tuple(best.tolist()), of_best, tested.shares)


def _accuracy(parts: list[NDArray[np.int64]], classes: int) -> Accuracy | None:
    return accuracy(np.concatenate(parts), classes) if parts else None


def _drop(judge: _Judge) -> Drop | None:
    if not judge.reference_ranks:
        return None
    return drop(np.concatenate(judge.reference_ranks), np.concatenate(judge.ranks))


def _accuracy_json(found: Accuracy | None) -> dict[str, Any]:
    top5 = found.top5 if found else None
    return {
        "top1": found.top1.to_json() if found else None,
        "top5": top5.to_json() if top5 else None,
    }
