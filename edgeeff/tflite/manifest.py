"""The manifest beside a model: what it is, where it comes from, and how it was measured."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeeff import extras, files, foreign
from edgeeff.errors import InputError, OutputError, UsageError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.temporaries import clean
from edgeeff.tflite.float_model import FloatModel, Provenance
from edgeeff.tflite.model import Tensor
from edgeeff.tflite.reader import parse_model
from edgeeff.version import __version__

SCHEMA = "edgeeff.manifest/1"

CLAIM = re.compile(rb'\s*\{\s*"schema"\s*:\s*"edgeeff\.manifest/')
"""How every manifest begins. What begins otherwise is another file."""

PACKAGES = ("tensorflow", "tf-keras", "ai-edge-litert", "litert-quantizer", "numpy", "pillow")
"""Whose versions a result depends on."""


@dataclass(frozen=True)
class Manifest:
    """What is known of a model file; the fields are those of the JSON document.

    Attributes:
        model: the file's name.
        sha256: of the file.
        bytes: its size.
        precision: such as ``int8``.
        variant: the network's name; ``None`` for a file from elsewhere.
        resolution: side of the input in pixels; its height where ``preprocessing`` has a width.
        classes: number of outputs.
        preprocessing: how its pictures are made.
        weights: where they come from; ``None`` if that is not known.
        labels: class names in the order of the outputs, if given.
        recipe: name and full text.
        calibration: source, count and sha256 of the list, digests of the pictures.
        seed: of everything drawn at random.
        integer_only: no operator computes in float.
        operators: count by type.
        input: name, shape, type, scale, zero point.
        output: the same.
        float_bytes: size of the file of the float model it was made from.
        fidelity: to the float model, with the pictures it was measured on.
        accuracy: on labelled pictures.
        verdict: whether it answers as the float model: good, faults in words, what to try;
            ``None`` if the two were not compared.
        tried: every recipe that an accuracy gate tried, this one among them.
        corrections: parts of the recipe that were left out since they do not help this network,
            and what was measured; ``None`` if that was not looked at.
        mixed: which layers a search kept in a higher precision, and why.
        qat: what quantization-aware training learned from, for how long, and what came of it.
        command: the line that makes the model again, in the folder where it was made; ``None`` if
            no line does.
        versions: of edgeeff, Python and the packages that matter.
        seconds: wall seconds by stage.
        peak_memory_bytes: of the largest of the processes that made it.
    """

    model: str
    sha256: str
    bytes: int
    precision: str
    resolution: int
    classes: int
    preprocessing: Preprocessing
    integer_only: bool
    operators: dict[str, int]
    input: dict[str, Any]
    output: dict[str, Any]
    variant: str | None = None
    weights: Provenance | None = None
    labels: list[str] | None = None
    recipe: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    seed: int = 0
    float_bytes: int | None = None
    fidelity: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    verdict: dict[str, Any] | None = None
    tried: list[dict[str, Any]] | None = None
    corrections: dict[str, Any] | None = None
    mixed: dict[str, Any] | None = None
    qat: dict[str, Any] | None = None
    command: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None

    def document(self) -> str:
        """The JSON document."""
        fields = dataclasses.asdict(self) | {"preprocessing": self.preprocessing.to_json()}
        return files.document(SCHEMA, fields)


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "preprocessing": Preprocessing.from_json,
    "weights": Provenance.from_json,
}
"""What makes a value of a field that JSON keeps as an object."""


def path_of(model: Path) -> Path:
    """Where the manifest of a model file lies."""
    return model.with_suffix(".json")


def describe(
    name: str, content: bytes, precision: str, network: FloatModel, **measured: Any
) -> Manifest:
    """The manifest of a model, what its content says read from that.

    Args:
        name: of its file.
        content: of its file.
        precision: of its recipe, such as ``int8``.
        network: the float model that it is or was made from.
        measured: further fields of ``Manifest``.
    """
    found = parse_model(content, name)
    image, result = found.inputs[0], found.outputs[0]
    return Manifest(
        model=name,
        sha256=found.sha256,
        bytes=found.bytes,
        precision=precision,
        resolution=image.shape[1],
        classes=result.shape[-1],
        preprocessing=network.preprocessing,
        variant=network.variant,
        weights=network.weights,
        labels=list(network.labels) if network.labels else None,
        integer_only=found.integer_only,
        operators=dict(found.operator_counts),
        input=end(image),
        output=end(result),
        versions=versions(),
        peak_memory_bytes=peak_memory(),
        **measured,
    )


def write_model(model: Path, content: bytes, manifest: Manifest, *, force: bool) -> None:
    """Write a model and its manifest: both, or neither.

    The manifest comes first: what a kill between the two leaves until the next run is a manifest
    without a model, or one that ``read_manifest`` would refuse.

    Raises:
        OutputError: one exists and ``force`` is false, or cannot be written.
    """
    document = manifest.document().encode()
    files.refuse_existing(model, force=force)
    refuse_foreign(model, force=force)
    files.write_together({path_of(model): document, model: content})


def read_manifest(model: Path, sha256: str | None = None) -> Manifest | None:
    """The manifest beside a model; ``None`` if there is none.

    Args:
        model: the file.
        sha256: of the file, if it is known already.

    Raises:
        InputError: a manifest that is damaged, of a newer version or of another model.
    """
    path = path_of(model)
    if not os.path.isfile(path) or not _claims(files.read_bytes(path)):
        return None
    manifest = parse_manifest(path)
    if manifest.sha256 == (sha256 or files.sha256(model)):
        return manifest
    clean(model.parent)  # a run that was killed may have kept the model from its name
    if manifest.sha256 == files.sha256(model):
        return manifest
    raise InputError(
        f"{path} describes another file than {model}: the sha256 differs",
        "the model was changed, or a run was killed: make it again with --force, or remove "
        f"{path.name} if it is not its manifest",
    )


def parse_manifest(path: Path) -> Manifest:
    """The manifest in a file, whatever it is of.

    Raises:
        InputError: not a manifest, damaged, or of a newer version.
    """
    fields = files.read_document(path, SCHEMA)
    names = {field.name for field in dataclasses.fields(Manifest)}
    known = {key: value for key, value in fields.items() if key in names}
    for key, read in _VALUES.items():
        if known.get(key) is not None:
            known[key] = _read(read, known[key], path)
    foreign.check_types(Manifest, known, str(path))
    try:
        return Manifest(**known)
    except TypeError as error:
        why = foreign.reason(error)
        raise InputError(f"{path} is incomplete: {why}", "convert the network again") from error


def _read(read: Callable[[Any], Any], value: Any, path: Path) -> Any:
    """A value of a manifest. Its errors are those of options: here the file is at fault."""
    try:
        return read(value)
    except (InputError, UsageError) as error:
        raise InputError(f"{path}: {error.message}", error.hint or "was it edited?") from error


def described(model: Path) -> bool:
    """Whether a manifest lies beside a model that describes this very file."""
    try:
        return read_manifest(model) is not None
    except InputError:
        return False


def refuse_foreign(model: Path, *, force: bool) -> None:
    """Raise ``OutputError`` if a file lies at the place of the manifest that is none of ours."""
    path = path_of(model)
    if os.path.isdir(path):
        raise OutputError(f"{path} is a directory", "--output DIR goes elsewhere")
    if os.path.exists(path) and not force and not _claims(files.read_bytes(path)):
        raise OutputError(
            f"{path} exists already and is not a manifest of edgeeff",
            "--force replaces it, --output DIR goes elsewhere",
        )


def _claims(content: bytes) -> bool:
    """Whether a file says that it is a manifest of ours, whole or damaged."""
    return CLAIM.match(content) is not None


def versions() -> dict[str, str]:
    """edgeeff, Python and those of ``PACKAGES`` that are installed."""
    here = {"edgeeff": __version__, "python": platform.python_version()}
    return here | extras.versions(PACKAGES)


def peak_memory() -> int | None:
    """Most memory that this process or one of its ended children ever held, in bytes.

    ``None`` where the system does not say.
    """
    try:
        import resource
    except ImportError:
        return None
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(process).ru_maxrss for process in processes)
    return peak if sys.platform == "darwin" else peak * 1024


def end(tensor: Tensor) -> dict[str, Any]:
    """An input or output as a manifest has it."""
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scales[0] if len(tensor.scales) else None,
        "zero_point": tensor.zero_points[0] if len(tensor.zero_points) else None,
    }
