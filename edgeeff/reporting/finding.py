"""What lies in a folder: models, manifests, documents, trainings, bundles, and what is refused.

A file that is damaged or made to do damage ends in ``Found.refused`` with the reason; it never ends
the report. Links are not followed, so nothing outside of the folder is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.bundling import storage
from edgeeff.bundling.document import BundleDocument, parse
from edgeeff.errors import EdgeeffError, InputError
from edgeeff.progress import Progress
from edgeeff.reporting.facts import Facts, facts
from edgeeff.tflite import manifest
from edgeeff.tflite.inspection import inspect
from edgeeff.tflite.manifest import Manifest
from edgeeff.training import runs
from edgeeff.training.runs import Run

MOST_FILES = 20_000
"""More in a folder are not looked at, and that is said."""

PEEK = 512
CLAIM = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"schema"\s*:\s*"edgeeff\.([a-z.]+)/(\d+)"')
"""How every document of edgeeff begins."""


@dataclass(frozen=True)
class Refused:
    """A file that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ModelFile:
    """A model, by its place from the folder, and its manifest if it has one."""

    path: str
    facts: Facts
    manifest: Manifest | None


@dataclass(frozen=True)
class Document:
    """A JSON document of a known schema; nothing more of it is checked yet."""

    path: str
    sha256: str
    schema: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class FoundBundle:
    """A bundle, as a folder or a zip.

    Attributes:
        sha256: of its ``SHA256SUMS``, with which its files agree.
        sizes: of its models, by their place in it.
    """

    path: str
    sha256: str
    document: BundleDocument
    sizes: dict[str, int]


@dataclass
class Found:
    """All that lies in a folder.

    Attributes:
        manifests: of models that are not there, by their place.
        runs: trainings, by the place of their folder.
        others: files that are none of ours.
    """

    folder: Path
    models: list[ModelFile] = field(default_factory=list)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    bundles: list[FoundBundle] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def find(folder: Path, progress: Progress | None = None) -> Found:
    """Read all that a folder holds, also in folders inside it.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "name one with models or documents in it")
    found = Found(folder)
    places = list(_walk(found))
    with (progress or Progress()).stage("read", len(places)) as advance:
        for path in places:
            reader = _reader(path)
            name = _name(folder, path)
            if reader is None:
                found.others.append(name)
            else:
                _guarded(found, name, reader, path)
            advance(1)
    return found


def _walk(found: Found) -> Iterator[Path]:
    """The regular files in a folder, in order; links are named, not followed.

    Hidden folders are left out: they hold what programs keep for themselves.
    """
    seen = 0
    for parent, folders, names in os.walk(found.folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent) / name
            seen += 1
            if seen > MOST_FILES:
                reason = f"only the first {MOST_FILES:,} files of the folder were looked at"
                found.refused.append(Refused(_name(found.folder, path), reason))
                return
            if path.is_symlink():
                found.refused.append(Refused(_name(found.folder, path), "a link is not followed"))
            elif path.is_file():
                yield path
            else:
                found.refused.append(Refused(_name(found.folder, path), "not a regular file"))
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in linked:
            path = Path(parent) / name
            found.refused.append(Refused(_name(found.folder, path), "a link is not followed"))


_Reader = Callable[[Found, str, Path], None]


def _reader(path: Path) -> _Reader | None:
    """What reads a file; ``None`` for one that is none of ours."""
    suffix = path.suffix.lower()
    if suffix == ".tflite":
        return _read_model
    if suffix == ".zip":
        return _read_zip
    if suffix != ".json":
        return None
    claim = CLAIM.match(_beginning(path))
    return _READERS.get(claim[1].decode(), _read_document) if claim else None


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(PEEK)
    except OSError:
        return b""


def _guarded(found: Found, name: str, reader: _Reader, path: Path) -> None:
    try:
        reader(found, name, path)
    except EdgeeffError as error:
        reason = error.message.replace(str(path), path.name)
        found.refused.append(Refused(name, f"{reason}. {error.hint}" if error.hint else reason))


def _read_model(found: Found, name: str, path: Path) -> None:
    read = facts(inspect(path))
    described = None
    try:
        described = manifest.read_manifest(path, read.sha256)
    except InputError as error:
        place = _name(found.folder, manifest.path_of(path))
        found.refused.append(Refused(place, error.message.replace(str(path.parent) + os.sep, "")))
    found.models.append(ModelFile(name, read, described))


def _read_manifest(found: Found, name: str, path: Path) -> None:
    if not os.path.isfile(path.with_suffix(".tflite")):
        found.manifests[name] = manifest.parse_manifest(path)


def _read_document(found: Found, name: str, path: Path) -> None:
    content = files.read_bytes(path, foreign.MOST_TEXT)
    with foreign.parsing(f"{path} is not a JSON document", "was it cut short?"):
        fields = json.loads(content)
        schema, _, version = str(fields["schema"]).removeprefix("edgeeff.").partition("/")
    if not files.schema_file(f"edgeeff.{schema}/{version}").is_file():
        raise InputError(
            f"{path} is of {foreign.shown(fields['schema'])}, which this edgeeff does not know",
            "update edgeeff",
        )
    found.documents.append(Document(name, hashlib.sha256(content).hexdigest(), schema, fields))


def _read_zip(found: Found, name: str, path: Path) -> None:
    if storage.is_bundle(path):
        _read_bundle(found, name, path)
    else:
        found.others.append(name)


def _read_bundle_folder(found: Found, name: str, path: Path) -> None:
    if path.name == storage.DOCUMENT:
        _read_bundle(found, name.rpartition("/")[0] or ".", path.parent)


def _read_bundle(found: Found, name: str, path: Path) -> None:
    contents = storage.read_files(path)
    if storage.DOCUMENT not in contents:
        raise InputError(f"{path} has no {storage.DOCUMENT}", "is it a bundle of edgeeff?")
    document = parse(contents[storage.DOCUMENT])
    sizes = {
        model.file: len(contents[model.file]) for model in document.models if model.file in contents
    }
    sums = hashlib.sha256(contents[storage.CHECKSUMS]).hexdigest()
    found.bundles.append(FoundBundle(name, sums, document, sizes))


def _read_run(found: Found, name: str, path: Path) -> None:
    if path.name == runs.DOCUMENT:
        found.runs[name.rpartition("/")[0] or "."] = runs.read_run(path.parent)


_READERS: dict[str, _Reader] = {
    "manifest": _read_manifest,
    "bundle": _read_bundle_folder,
    "run": _read_run,
}
"""What reads a document that is more than itself, by its schema's name."""


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
