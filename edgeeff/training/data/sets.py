"""Which pictures teach, which choose and which judge: a data set and its parts.

``train``, ``val`` and ``test`` are found by the names of folders. Without a part to choose by, a
seeded, stratified share of the pictures is set aside: of each class the same share.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeeff.errors import InputError
from edgeeff.pictures.images import ImageSet, Picture, read_images
from edgeeff.training.data.pictures import PictureFiles, Pictures

PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "eval"),
    "test": ("test", "testing"),
}
"""The parts of a data set, and what their folders are called."""

FEW_PER_CLASS = 20
"""Pictures of a class that a sound result wants at least."""


@dataclass(frozen=True)
class DataSet:
    """Pictures with labels, in parts.

    Attributes:
        source: what they come from.
        classes: the names, in the order of the network's outputs.
        train: what the network learns from.
        val: what tells how well it does, and which epoch was the best.
        test: looked at once, at the end; ``None``: there is none.
        whole: the pictures show nothing beside their subject: no border is cut off.
        mirrored: a picture stays what it is when left and right change places.
        notes: what the user must be told, a sentence each.
    """

    source: str
    classes: tuple[str, ...]
    train: Pictures
    val: Pictures
    test: Pictures | None = None
    whole: bool = False
    mirrored: bool = True
    notes: tuple[str, ...] = ()


def read_data_set(
    path: Path, *, val: Path | None = None, share: float = 0.2, seed: int = 0
) -> DataSet:
    """Find the pictures of a data set, their classes and parts.

    Args:
        path: a folder of class folders, a folder of ``train``, ``val`` and ``test`` with class
            folders each, or a CSV of ``path,label`` lines.
        val: pictures to choose by that lie elsewhere, in the same form.
        share: of the pictures of each class, set aside where there is no such part; in (0, 1).
        seed: of which they are.

    Raises:
        InputError: no pictures or labels, a class without pictures, one class only, or classes
            that the other parts have and the training pictures have not.
    """
    places = parts_of(path) if os.path.isdir(path) else {}
    if val is not None:
        places["val"] = val
    listed = _labelled(places.get("train", path))
    classes = _names(listed)
    train = _indexed(listed, classes)
    _check_classes(listed, classes, train)
    notes = [*listed.notes, *_told(train, classes)]
    others: dict[str, Pictures] = {}
    for part in ("val", "test"):
        if part in places:
            images = _labelled(places[part])
            others[part] = _indexed(images, classes)
            notes += _missing(part, others[part], classes)
    whole = DataSet(str(path), classes, train, others.get("val", train), others.get("test"))
    whole = replace(whole, notes=tuple(notes))
    return whole if "val" in others else split(whole, share, seed)


def split(data: DataSet, share: float, seed: int) -> DataSet:
    """The same with a share of each class's training pictures set aside as ``val``.

    A class of one picture keeps it for training. The choice depends on the seed, and on the order
    and the count of a class's pictures, not on other classes.

    Raises:
        InputError: no class has more than one.
    """
    chosen: list[int] = []
    labels = data.train.labels
    for label in range(len(data.classes)):
        places = np.flatnonzero(labels == label)
        count = min(len(places) - 1, max(1, round(share * len(places))))
        generator = np.random.default_rng((seed, label))
        chosen += generator.permutation(places)[:count].tolist()
    if not chosen:
        raise InputError(
            f"{data.source} has one picture of each class: none can be set aside to judge by",
            "add some, or give others as --val-data DIR",
        )
    aside = set(chosen)
    kept = [place for place in range(len(labels)) if place not in aside]
    note = (
        f"no val part: {len(aside)} of {len(labels)} pictures, {share:.0%} of each class by seed "
        f"{seed}, are set aside to choose by"
    )
    return replace(
        data,
        train=data.train.taken(kept),
        val=data.train.taken(sorted(aside)),
        notes=(*data.notes, note),
    )


def parts_of(folder: Path) -> dict[str, Path]:
    """The folders of the parts, by the names in ``PARTS``; none if none of them is for training.

    Raises:
        InputError: two folders are the same part.
    """
    names = {
        name.lower(): folder / name
        for name in sorted(os.listdir(folder))
        if os.path.isdir(folder / name)
    }
    found: dict[str, Path] = {}
    for part, known in PARTS.items():
        called = [name for name in known if name in names]
        if len(called) > 1:
            raise InputError(
                f"{folder} holds {' and '.join(called)}, which are the same part of a data set",
                "leave one of them there",
            )
        if called:
            found[part] = names[called[0]]
    return found if "train" in found else {}


def _labelled(path: Path) -> ImageSet:
    images = read_images(path)
    if not images.labelled:
        raise InputError(
            f"the pictures of {path} have no labels",
            "sort them into one folder per class, or give a CSV of path,label lines",
        )
    return images


def _names(images: ImageSet) -> tuple[str, ...]:
    """The classes in the order of outputs; numbers stand for themselves."""
    if images.classes:
        return images.classes
    return tuple(map(str, sorted({one.label for one in images.pictures if one.label is not None})))


def _indexed(images: ImageSet, classes: tuple[str, ...]) -> PictureFiles:
    """The pictures with labels that are places in ``classes``. ``InputError`` for another class."""
    own = _names(images)
    known = {name: index for index, name in enumerate(classes)}
    unknown = [name for name in own if name not in known]
    if unknown:
        raise InputError(
            f"{images.source} has the class {unknown[0]!r}, which no training picture has",
            "the parts of a data set have the same classes, called the same",
        )
    by_label = (
        {index: known[name] for index, name in enumerate(own)}
        if images.classes
        else {int(name): known[name] for name in own}
    )
    return PictureFiles(
        tuple(
            Picture(one.path, by_label[one.label])
            for one in images.pictures
            if one.label is not None
        )
    )


def _check_classes(images: ImageSet, classes: tuple[str, ...], train: PictureFiles) -> None:
    if os.path.isdir(images.source):
        held = {one.path.relative_to(images.source).parts[0] for one in images.pictures}
        empty = [
            name
            for name in sorted(os.listdir(images.source))
            if os.path.isdir(images.source / name) and name not in held and name[0] != "."
        ]
        if empty:
            raise InputError(
                f"the class folder {images.source / empty[0]} holds no pictures",
                "add some, or remove the folder: each folder is a class",
            )
    if len(classes) < 2:
        hint = "a classifier tells at least two apart: one folder per class"
        below = images.source / classes[0]
        if os.path.isdir(below / "train"):
            hint = f"give {below} itself: the parts of the data set are in there"
        raise InputError(f"{images.source} holds one class only, {classes[0]!r}", hint)


def _told(train: PictureFiles, classes: tuple[str, ...]) -> list[str]:
    counts = np.bincount(train.labels, minlength=len(classes))
    least = int(counts.min())
    if least >= FEW_PER_CLASS:
        return []
    name = classes[int(counts.argmin())]
    return [
        f"the data is small: {counts.sum()} pictures of {len(classes)} classes, {least} of "
        f"{name!r}; accuracy on so few says little, and {FEW_PER_CLASS} of each class and more "
        "would teach better"
    ]


def _missing(part: str, pictures: Pictures, classes: tuple[str, ...]) -> list[str]:
    there = set(pictures.labels.tolist())
    absent = [name for index, name in enumerate(classes) if index not in there]
    if not absent:
        return []
    return [f"the {part} part has no pictures of {', '.join(absent[:5])}: it says nothing of them"]
