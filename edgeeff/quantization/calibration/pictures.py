"""The pictures that calibration looks at, and what can be wrong with them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeeff import memory
from edgeeff.arrays import Pixels
from edgeeff.errors import InputError
from edgeeff.pictures.images import Skipped, pixels, read_images
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.pictures.synthetic import synthetic_inputs
from edgeeff.progress import Progress

SYNTHETIC = "synthetic"
HELD_OUT = 20
"""Most pictures that only the verification sees."""

CHECKING = 16
"""Most pictures on which candidates are compared."""

FEWEST_SPARE = 8
"""Spare pictures that are enough for that."""

MOST = 1000
"""Pictures that are read unless more are asked for; beyond some hundred, ranges hardly move."""

FEWER = "--calibration-count N uses fewer"

FLAT = 2.0
"""Standard deviation in grey levels below which a picture shows nothing."""


@dataclass(frozen=True)
class CalibrationSet:
    """Pictures as the network's raw bytes, kept in memory: 150 KB each at 224 pixels.

    Attributes:
        source: ``synthetic``, or the folder or list they come from.
        pictures: uint8 [count, height, width, channels].
        names: of the files; of synthetic pictures their number.
        digests: SHA-256 of each picture's bytes as the network gets them.
        skipped: files that could not be read.
        left_out: pictures of the source that were not read, since so many help no more.
    """

    source: str
    pictures: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    digests: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    left_out: int = 0

    @property
    def synthetic(self) -> bool:
        """Whether the pictures are made up: nothing of the user's data was seen."""
        return self.source == SYNTHETIC

    @property
    def sha256(self) -> str:
        """A digest of the list: the same pictures in the same order give the same."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()

    def normalised(self, preprocessing: Preprocessing) -> Iterator[npt.NDArray[np.float32]]:
        """Each picture as a float network takes it, float32 [height, width, channels]."""
        for picture in self.pictures:
            yield preprocessing.normalised(picture)

    def warnings(self) -> tuple[str, ...]:
        """What a user should know of these pictures, a sentence each."""
        found = []
        if self.skipped:
            first = self.skipped[0]
            found.append(
                f"{len(self.skipped)} files were skipped, the first: {first.path}: {first.reason}"
            )
        if self.left_out:
            found.append(
                f"{self.left_out:,} pictures were not read, since so many help no more: "
                "--calibration-count N uses more"
            )
        twins = self._twins()
        if twins:
            names = " and ".join(twins[0])
            found.append(
                f"{len(twins)} of {len(self.digests)} pictures are there twice, such as {names}"
            )
        flat = [n for n, p in zip(self.names, self.pictures, strict=True) if p.std() < FLAT]
        if flat:
            found.append(f"{len(flat)} pictures are nearly of one colour, such as {flat[0]}")
        return tuple(found)

    @property
    def unlike(self) -> tuple[int, ...]:
        """The places of the pictures that are not the same as an earlier one."""
        first: dict[str, int] = {}
        for place, digest in enumerate(self.digests):
            first.setdefault(digest, place)
        return tuple(first.values())

    def _twins(self) -> list[tuple[str, str]]:
        """The names of pictures that are the same as an earlier one, after that one's."""
        unlike = self.unlike
        first = {self.digests[place]: self.names[place] for place in unlike}
        others = sorted(set(range(len(self.names))) - set(unlike))
        return [(first[self.digests[place]], self.names[place]) for place in others]


def synthetic_set(count: int, preprocessing: Preprocessing, seed: int = 0) -> CalibrationSet:
    """The built-in set: ``count`` made-up pictures of the network's shape."""
    shape = preprocessing.shape
    memory.check(count * math.prod(shape), f"{count:,} synthetic pictures", FEWER)
    pictures = synthetic_inputs(count, shape, seed)
    names = tuple(f"synthetic {seed}/{number}" for number in range(count))
    return set_of(SYNTHETIC, pictures, names)


def folder_set(
    path: Path,
    preprocessing: Preprocessing,
    *,
    count: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> CalibrationSet:
    """Read calibration pictures.

    Args:
        path: a folder, CSV list or picture, as ``images.read_images`` takes it.
        preprocessing: of the network; what an app does to a picture before the network.
        count: at most so many, spread over the list.
        strict: a file that is no good picture is an error instead of a warning.
        progress: told of every picture.

    Raises:
        InputError: nothing there that can be read, or nothing but pictures of one colour.
    """
    listed = read_images(path, strict=strict)
    images = listed.take(count)
    skipped = list(images.skipped)
    progress = progress or Progress()
    names: list[str] = []
    shape = (len(images.pictures), *preprocessing.shape)
    memory.check(math.prod(shape), f"{shape[0]:,} calibration pictures", FEWER)
    pictures: Pixels = np.empty(shape, np.uint8)
    with progress.stage("read calibration pictures", len(images.pictures)) as advance:
        for picture, array in pixels(images, preprocessing, skipped=skipped, advance=advance):
            pictures[len(names)] = array
            names.append(str(picture.path))
    pictures = pictures[: len(names)]
    if all(picture.std() < FLAT for picture in pictures):
        raise InputError(
            f"all {len(pictures)} pictures of {path} are of one colour",
            "calibration needs pictures like those the app will see",
        )
    left_out = len(listed.pictures) - len(images.pictures)
    return replace(set_of(str(path), pictures, tuple(names), tuple(skipped)), left_out=left_out)


@dataclass(frozen=True)
class CalibrationPair:
    """Pictures that calibrate, and others that verify what came of it.

    Attributes:
        used: for calibration.
        held_out: for the verification alone.
        spare: of the user's, for neither.
    """

    used: CalibrationSet
    held_out: CalibrationSet
    spare: CalibrationSet | None = None

    def checking(self, preprocessing: Preprocessing, seed: int = 0) -> CalibrationSet:
        """Pictures on which candidates are compared: none of ``held_out``.

        Those that are spare; without any, made-up ones that do not calibrate, or, where the user
        gave pictures, some of those that do: made-up ones are too unlike them.
        """
        if self.spare is not None:
            return self.spare
        if self.used.synthetic:
            return synthetic_set(CHECKING, preprocessing, seed + 2)
        total = len(self.used.pictures)
        count = min(CHECKING, total)
        return subset(self.used, [i * total // count for i in range(count)])

    def set_aside(self) -> tuple[CalibrationSet, CalibrationSet] | None:
        """The pictures that calibrate in two parts: a second one that the first has not seen.

        A third of them, ``CHECKING`` at most, and neighbours in the list, since frames of a film
        and crops of a photograph are, too: those in the first part should not show the same.

        Returns:
            ``None`` where ``checking`` gives pictures that do not calibrate, or for too few.
        """
        if self.spare is not None or self.used.synthetic:
            return None
        total = len(self.used.pictures)
        count = min(CHECKING, total // 3)
        first = (total - count) // 2
        second = subset(self.used, list(range(first, first + count)))
        same = {i for i, digest in enumerate(self.used.digests) if digest in second.digests}
        rest = without(self.used, same)
        return (rest, second) if rest.names and second.names else None


def synthetic_pair(count: int, preprocessing: Preprocessing, seed: int = 0) -> CalibrationPair:
    """Made-up pictures for both; those of ``held_out`` are of another seed."""
    held_out = synthetic_set(HELD_OUT, preprocessing, seed + 1)
    return CalibrationPair(synthetic_set(count, preprocessing, seed), held_out)


def folder_pair(
    path: Path,
    preprocessing: Preprocessing,
    *,
    count: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> CalibrationPair:
    """Read a user's pictures and keep some of them for verification.

    With ``count``, those not chosen verify; without, every fifth does, as long as enough are
    left to calibrate. Of more than ``MOST`` pictures, only so many are read, spread over the
    list. A copy of one that calibrates never verifies. Where none is left, synthetic pictures
    verify. Errors as ``folder_set``.
    """
    most = MOST if count is None else max(MOST, count + HELD_OUT)
    everything = folder_set(path, preprocessing, count=most, progress=progress)
    left_out = everything.left_out if count is None else 0
    total = len(everything.pictures)
    if count is not None and count < total:
        chosen = {i * total // count for i in range(count)}
    else:
        chosen = {i for i in range(total) if total < HELD_OUT or i % 5}
    seen = {everything.digests[i] for i in chosen}
    rest = [i for i, digest in enumerate(everything.digests) if digest not in seen]
    spare = rest[HELD_OUT : HELD_OUT + CHECKING]
    used = replace(subset(everything, sorted(chosen)), left_out=left_out)
    if rest:
        held_out = subset(everything, rest[:HELD_OUT])
        few = len(spare) < FEWEST_SPARE
        return CalibrationPair(used, held_out, None if few else subset(everything, spare))
    return CalibrationPair(used, synthetic_set(HELD_OUT, preprocessing, seed + 1))


def subset(pictures: CalibrationSet, indices: list[int]) -> CalibrationSet:
    """Some pictures of a set, in the order of the indices."""
    return replace(
        pictures,
        pictures=pictures.pictures[indices],
        names=tuple(pictures.names[i] for i in indices),
        digests=tuple(pictures.digests[i] for i in indices),
    )


def without(pictures: CalibrationSet, places: Collection[int]) -> CalibrationSet:
    """A set but for the pictures at some places."""
    return subset(pictures, [i for i in range(len(pictures.names)) if i not in places])


def set_of(
    source: str,
    pictures: npt.NDArray[np.uint8],
    names: tuple[str, ...],
    skipped: tuple[Skipped, ...] = (),
) -> CalibrationSet:
    """Pictures in memory, uint8 [count, height, width, channels], as a set.

    Args:
        source: where they come from.
        pictures: themselves.
        names: of each.
        skipped: files that could not be read.
    """
    digests = tuple(hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures)
    return CalibrationSet(source, pictures, names, digests, skipped)
