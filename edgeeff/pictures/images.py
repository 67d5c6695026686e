"""Pictures on disk: folders, lists and label files, read one at a time as RGB."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgeeff import files, foreign
from edgeeff.errors import InputError, UsageError
from edgeeff.pictures import class_names
from edgeeff.pictures.preprocessing import ROWS, Preprocessing
from edgeeff.progress import Advance

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp"})
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")

PIXEL_LIMIT = foreign.MOST_PICTURE // 8
"""A picture of more pixels is taken for a decompression bomb: each takes four bytes as it is read,
and four as RGB."""

ORIENTATION = 0x0112
"""The EXIF tag that says how a picture stands; 1 is upright."""

BROKEN = (Image.DecompressionBombError, *foreign.MALFORMED)
"""What Pillow raises on files that are damaged or made to do damage."""

HEIC = "HEIC is not read: convert it to JPEG"
"""Of phones' photographs; Pillow alone does not know it."""

INNER_FOLDER = (
    "a folder inside the folder that you give counts as a class: give the inner one itself if its "
    "pictures have no labels"
)
ORDER = (
    "--labels FILE names the model's classes in order, one per line; edgeeff evaluate has "
    "--ignore-labels for pictures that folders sort otherwise"
)

HEADINGS = frozenset({"path", "file", "filename", "image"})
"""A CSV whose first cell is one of these begins with a heading."""


@dataclass(frozen=True)
class Picture:
    """One picture and, where it is known, the index of its class."""

    path: Path
    label: int | None = None


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Pictures in a fixed order.

    Attributes:
        source: the folder, list or file they come from.
        pictures: in the order they are read.
        classes: the name of each class index; empty if no names are known.
        by_name: whether the index of a class is its place among the sorted names, since nothing
            said another order.
        skipped: files that were left out when the set was listed.
        strict: whether a picture that cannot be read ends the job.
        notes: what the user must be told of them, a sentence each.
        labels: the file that says the names; ``None``: none does.
    """

    source: Path
    pictures: tuple[Picture, ...]
    classes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    strict: bool = False
    by_name: bool = False
    notes: tuple[str, ...] = ()
    labels: Path | None = None

    @property
    def labelled(self) -> bool:
        """Whether every picture has a label."""
        return all(picture.label is not None for picture in self.pictures)

    def take(self, count: int | None) -> ImageSet:
        """At most ``count`` of the pictures, spread evenly over the list (and so the classes)."""
        if count is None or count >= len(self.pictures):
            return self
        if count < 1:
            raise UsageError(f"a limit of {count} pictures", "it is at least 1")
        chosen = (i * len(self.pictures) // count for i in range(count))
        return replace(self, pictures=tuple(self.pictures[i] for i in chosen))

    def labelled_as(self, labels: Sequence[str] | None) -> ImageSet:
        """With the class indices of a model that knows the names of its classes.

        What a labels file said counts more; and where no name is one of the model's, classes stay
        in the order of their names.

        Args:
            labels: the model's; ``None``: not known.

        Raises:
            InputError: some names are the model's and others are not.
        """
        if not self.by_name or not class_names.shared(self.classes, labels or ()):
            return self
        found = class_names.of_list(self.classes, labels or (), str(self.source))
        pictures = tuple(
            replace(
                one, label=None if one.label is None else found.indices[self.classes[one.label]]
            )
            for one in self.pictures
        )
        return replace(self, pictures=pictures, classes=found.names, by_name=False)

    def without_labels(self) -> ImageSet:
        """The same pictures, their classes not known."""
        pictures = tuple(Picture(picture.path) for picture in self.pictures)
        return replace(self, pictures=pictures, classes=(), by_name=False)

    def sha256(self) -> str:
        """A digest of the files' contents and labels in order, whatever they are called."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(f"{files.sha256(picture.path)} {picture.label}\n".encode())
        return digest.hexdigest()


def read_images(path: Path, *, labels: Path | None = None, strict: bool = False) -> ImageSet:
    """List the pictures of a folder, a CSV file or a single picture.

    A folder with pictures in it is flat: no labels. Otherwise each folder in it is a class, with
    all pictures below it. A class's index is that of its name in ``labels``; without, its place in
    the sorted names, or the number it is called by, if all are and some are left out. A CSV
    holds ``path,label`` lines (a heading is allowed; paths start at the CSV's folder), the label a
    name or an index.

    Args:
        path: folder, ``.csv`` or picture. Hidden files are ignored, links followed once.
        labels: a text file with one class name per line, in the order of the model's outputs.
        strict: a file that is no picture is an error instead of an entry of ``skipped``.

    Raises:
        InputError: nothing there, no picture, or labels that do not fit.
    """
    names = class_names.read_labels(labels) if labels else ()
    where = labels or class_names.LABELS
    if path.suffix.lower() == ".csv":
        images = _read_list(path, names, where)
    elif os.path.isdir(path):
        images = _read_folder(path, names, where)
    elif os.path.isfile(path):
        images = ImageSet(path, (Picture(path),), names)
    elif os.path.exists(path):
        raise InputError(f"{path} is not a regular file or folder", "copy it into one")
    else:
        raise InputError(f"no folder or file {path}", "check the path")
    if strict and images.skipped:
        first = images.skipped[0]
        raise InputError(f"{first.path}: {first.reason}", "leave --strict out to skip such files")
    if not images.pictures:
        hint = "JPEG, PNG, WebP or BMP files, in the folder itself or in one folder per class"
        raise InputError(f"no pictures in {path}{_first_skipped(images.skipped)}", hint)
    return replace(images, strict=strict, labels=labels)


def check_classes(images: ImageSet, outputs: int) -> None:
    """Check that labels index the outputs of a model. Raises ``InputError``."""
    named = len(images.classes)
    if named:
        hint = class_names.A_LINE_EACH if images.labels else INNER_FOLDER if named == 1 else ORDER
        class_names.check_count(named, outputs, images.labels or images.source, hint)
    for picture in images.pictures:
        if picture.label is not None and picture.label >= outputs:
            reason = f"label {picture.label} for a model of {outputs} outputs"
            raise InputError(f"{picture.path}: {reason}", "labels count from 0")


def pixels(
    images: ImageSet,
    preprocessing: Preprocessing,
    *,
    skipped: list[Skipped] | None = None,
    advance: Advance | None = None,
) -> Iterator[tuple[Picture, NDArray[np.uint8]]]:
    """Read, crop and resize the pictures one by one.

    Args:
        images: what to read; its ``strict`` makes the first unreadable picture an error.
        preprocessing: how.
        skipped: a list to which pictures that cannot be read are added.
        advance: called with 1 after every picture, read or skipped.

    Yields:
        Each readable picture with its pixels, uint8 [height, width, channels].

    Raises:
        InputError: a picture cannot be read and the set is strict, or none can be read.
    """
    read = 0
    unread: list[Skipped] = [] if skipped is None else skipped
    for picture in images.pictures:
        try:
            array = preprocessing.pixels(open_rgb(picture.path))
        except InputError as error:
            if images.strict:
                raise
            unread.append(Skipped(picture.path, error.message.removeprefix(f"{picture.path}: ")))
        else:
            read += 1
            yield picture, array
        if advance:
            advance(1)
    if not read:
        first = f", the first: {unread[-1].reason}" if unread else ""
        raise InputError(f"none of {len(images.pictures)} pictures can be read{first}")


def open_rgb(path: Path) -> Image.Image:
    """Read a JPEG, PNG, WebP or BMP file as ``rgb`` does. Raises ``InputError`` naming it."""
    with silent():
        return read_rgb(path)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Let Pillow not warn of damaged metadata and of large pictures: both are judged here.

    What warnings do is one setting of the process, so threads cannot each set it: who reads
    pictures in several enters this once, around all of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_rgb(path: Path) -> Image.Image:
    """As ``open_rgb``, inside of ``silent``."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT:
                size = f"{image.width} x {image.height} pixels"
                raise InputError(f"{path}: {size} are over the limit", "scale it down first")
            image.load()
            return rgb(image)
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not a JPEG, PNG, WebP or BMP picture") from error
    except BROKEN as error:
        told = getattr(error, "strerror", None)  # of the file system, not of Pillow
        reason = told or f"damaged or cut short ({foreign.reason(error)})"
        raise InputError(f"{path}: {reason}") from error


def rgb(image: Image.Image) -> Image.Image:
    """Any picture as upright 8-bit RGB.

    The EXIF orientation is applied, transparency is laid on white, 16-bit grey keeps its high
    byte, CMYK is converted by Pillow's plain rule; colour profiles are not applied, as the
    networks' training did not. A picture that is so already is given back itself.
    """
    upright: Image.Image = _upright(image)
    if upright.mode == "RGB" and not upright.has_transparency_data:
        return upright
    made = Image.new("RGB", upright.size)
    for top in range(0, upright.height, ROWS):
        rows = upright.crop((0, top, upright.width, min(top + ROWS, upright.height)))
        made.paste(_opaque(rows, upright.info.get("transparency")), (0, top))
    return made


def _opaque(rows: Image.Image, transparency: object) -> Image.Image:
    """Some rows of a picture as RGB; the color that is transparent is the whole picture's."""
    if rows.mode.startswith("I"):
        high = np.clip(np.asarray(rows).astype(np.int64) >> 8, 0, 255)
        rows = Image.fromarray(high.astype(np.uint8))
    elif transparency is not None:
        rows.info["transparency"] = transparency
    if not rows.has_transparency_data:
        return rows.convert("RGB")
    layer = rows.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    try:
        if image.getexif().get(ORIENTATION, 1) == 1:
            return image
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image  # damaged EXIF says nothing of how the picture stands


def _read_folder(root: Path, names: Sequence[str], labels: object) -> ImageSet:
    groups: dict[str, list[Path]] = {}
    skipped: list[Skipped] = []
    for path in _walk(root):
        if _looks_like_picture(path):
            below = path.relative_to(root).parts
            groups.setdefault(below[0] if len(below) > 1 else "", []).append(path)
        else:
            skipped.append(Skipped(path, _why_not(path)))
    folders = _class_folders(root)
    flat = groups.pop("", [])
    if flat and groups:
        hint = "put them all into one folder, or all into one folder per class"
        raise InputError(f"{root} has pictures both in itself and in {min(groups)}/", hint)
    if flat or not groups:
        return ImageSet(root, tuple(map(Picture, flat)), tuple(names), tuple(skipped))
    unread = {one.path.relative_to(root).parts[0] for one in skipped if one.reason == HEIC}
    found = sorted({*groups, *(name for name in unread if (root / name).is_dir())})
    classes = class_names.of_folders(found, names, str(root), labels)
    pictures = [
        Picture(path, classes.indices[name]) for name in sorted(groups) for path in groups[name]
    ]
    notes = class_names.of_empty([name for name in folders if name not in found], str(root))
    images = ImageSet(root, tuple(pictures), skipped=tuple(skipped), notes=notes)
    return _classed(images, classes, names)


def _classed(images: ImageSet, classes: class_names.Classes, names: Sequence[str]) -> ImageSet:
    """With the names that the indices stand for, in the order of a labels file or their own."""
    by_name = bool(classes.names) and not names
    return replace(
        images, classes=classes.names, by_name=by_name, notes=(*images.notes, *classes.notes)
    )


def _read_list(path: Path, names: Sequence[str], labels: object) -> ImageSet:
    text = io.StringIO(files.read_text(path), newline="")
    try:
        rows = [row for row in csv.reader(text, strict=True) if row]
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file: {error}", "path,label lines") from error
    places = [_place(path.parent, row[0].strip()) for row in rows]
    if rows and (rows[0][0].strip().lower() in HEADINGS or _is_heading(places)):
        rows, places = rows[1:], places[1:]
    words = [row[1].strip() if len(row) > 1 else "" for row in rows]
    if any(words) and not all(words):
        raise InputError(f"{path}: line without a label: {rows[words.index('')][0]}")
    classes = class_names.of_list(sorted(set(words) - {""}), names, str(path), labels)
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    for place, word in zip(places, words, strict=True):
        picture = Picture(place, classes.indices.get(word))
        if os.path.isfile(picture.path):
            pictures.append(picture)
        else:
            skipped.append(Skipped(picture.path, "no such file"))
    return _classed(ImageSet(path, tuple(pictures), skipped=tuple(skipped)), classes, names)


def _place(folder: Path, written: str) -> Path:
    """Where a list says a picture is; one written on Windows has backslashes."""
    place = folder / written
    if "\\" in written and not os.path.isfile(place):
        return folder / written.replace("\\", "/")
    return place


def _is_heading(places: Sequence[Path]) -> bool:
    """Whether the first line names no picture, and the second does."""
    if len(places) < 2 or places[0].suffix.lower() in SUFFIXES:
        return False
    return os.path.isfile(places[1]) and not os.path.isfile(places[0])


def _class_folders(root: Path) -> list[str]:
    """Names of the folders in one, sorted. Raises ``InputError`` for a link to one beside it."""
    names = sorted(name for name in os.listdir(root) if not name.startswith("."))
    folders = [name for name in names if os.path.isdir(root / name)]
    class_names.refuse_repeated(
        [(name, os.path.realpath(root / name)) for name in folders], str(root)
    )
    return folders


def _why_not(path: Path) -> str:
    """Why a file is not taken for a picture."""
    return HEIC if path.suffix.lower() in (".heic", ".heif") else "not a picture"


def _walk(root: Path) -> Iterator[Path]:
    """Regular files below ``root`` that are not hidden, sorted; each folder is entered once."""
    entered: set[tuple[int, int]] = set()
    pending = [root]
    found: list[Path] = []
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            entries = sorted(os.listdir(folder))
        except OSError as error:
            raise InputError(f"cannot read {folder}: {error.strerror}") from error
        below = [folder / name for name in entries if not name.startswith(".")]
        # Last in, first out: the folder that sorts first is entered first.
        pending.extend(reversed([path for path in below if os.path.isdir(path)]))
        found.extend(path for path in below if os.path.isfile(path))
    yield from sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _looks_like_picture(path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as opened:
            start = opened.read(12)
    except OSError:
        return False
    return start.startswith(MAGIC) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def _first_skipped(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    return f" ({len(skipped)} other files, the first {skipped[0].path}: {skipped[0].reason})"
