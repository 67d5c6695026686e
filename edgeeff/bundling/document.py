"""What ``bundle.json`` says: the document edgeeff.bundle/1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeeff import files
from edgeeff.errors import InputError
from edgeeff.version import __version__

SCHEMA = "edgeeff.bundle/1"


@dataclass(frozen=True)
class Vector:
    """A golden vector: a model's input for one picture and its answer, as files of the bundle.

    Attributes:
        picture: what it is of.
        input: raw values of the input tensor, little-endian, in its shape and type.
        output: the same of the output tensor.
        scores: the real values of the output, float32; ``output`` itself if that is float32.
    """

    picture: str
    input: str
    output: str
    scores: str


@dataclass(frozen=True)
class BundledModel:
    """One file of the network.

    Attributes:
        file: its place in the bundle.
        sha256: of the file.
        precision: such as ``int8``.
        integer_only: no operator computes in float.
        input: name, shape, dtype, scale, zero point.
        output: likewise.
        preprocessing: of the float network: resolution, mean, std, interpolation, crop.
        normalization: mean and std that make this input's real values of pixels 0..255.
        takes_bytes: the input takes the picture's bytes as they are.
        manifest: its place in the bundle; ``None`` for a file from elsewhere.
        vectors: golden ones.
        without_vectors: why there are none.
    """

    file: str
    sha256: str
    precision: str
    integer_only: bool
    input: dict[str, Any]
    output: dict[str, Any]
    preprocessing: dict[str, Any]
    normalization: dict[str, Any]
    takes_bytes: bool
    manifest: str | None
    vectors: tuple[Vector, ...]
    without_vectors: str | None = None


@dataclass(frozen=True)
class BundleDocument:
    """What a bundle is.

    Attributes:
        name: of the network.
        version: as its makers count.
        license: under which it may be used; empty if nobody said.
        author: who made it; likewise.
        labels: the file of class names in the bundle; ``None`` if they are not known.
        runtime: that computed the golden vectors.
        machine: the processor's architecture that it ran on.
        models: in the order they were given.
    """

    name: str
    version: str
    license: str
    author: str
    labels: str | None
    runtime: str
    machine: str
    models: tuple[BundledModel, ...]

    def document(self) -> str:
        """The JSON document."""
        return files.document(SCHEMA, {"edgeeff": __version__, **asdict(self)})


def parse(content: bytes) -> BundleDocument:
    """Read ``bundle.json``.

    Raises:
        InputError: not JSON, another schema or version, or a part that is missing or malformed.
    """
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"bundle.json is not a JSON document: {error}") from error
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        found = fields.get("schema") if isinstance(fields, dict) else None
        raise InputError(f"bundle.json is {found!r}, this edgeeff reads {SCHEMA}", "update edgeeff")
    if not isinstance(fields.get("models"), list) or not fields["models"]:
        raise InputError("bundle.json lists no models")
    try:
        models = tuple(_model(model) for model in fields["models"])
        _refuse_twice(models)
        return BundleDocument(
            **{name: str(fields[name]) for name in ("name", "version", "license", "author")},
            labels=None if fields["labels"] is None else str(fields["labels"]),
            runtime=str(fields["runtime"]),
            machine=str(fields["machine"]),
            models=models,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"bundle.json is incomplete or malformed: {error!r}") from error


def _refuse_twice(models: Sequence[BundledModel]) -> None:
    """Refuse two entries for one file: only one of them would be checked."""
    places = [model.file for model in models]
    for file in places:
        if places.count(file) > 1:
            raise InputError(f"bundle.json lists {file} twice")


def _model(fields: Mapping[str, Any]) -> BundledModel:
    known = {name: fields[name] for name in BundledModel.__dataclass_fields__}
    for name in ("input", "output", "preprocessing", "normalization"):
        if not isinstance(known[name], dict):
            raise TypeError(f"{name} is not an object")
    vectors = tuple(Vector(**{k: str(v) for k, v in each.items()}) for each in known["vectors"])
    places = {"file": str(known["file"]), "vectors": vectors}
    manifest = None if known["manifest"] is None else str(known["manifest"])
    return BundledModel(**{**known, **places, "manifest": manifest})
