"""Which files are of one network, and which float file a model was made from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from edgeeff.reporting.subjects import Subject


def network(subject: Subject) -> tuple[object, ...]:
    """What is equal for files of one network, and for no others.

    They have the same input sizes, number of classes and weights. Where the manifest does not say
    the weights, it says the float file that ``quantize`` was given; a file of which neither is
    known is a network of its own.
    """
    manifest = subject.manifest
    if manifest is None:
        return (subject.sha256 or subject.name,)
    weights, given = manifest.weights, quantized_from(subject)
    if weights is not None:
        origin: tuple[object, ...] = (weights.source, weights.sha256, weights.trained)
    else:
        origin = (given, manifest.float_bytes) if given else (manifest.sha256,)
    return (subject.variant, origin, subject.classes, str(manifest.input.get("shape")))


def reference(subject: Subject, subjects: Iterable[Subject], folder: Path) -> Path | None:
    """The float file that a model was made from: of the folder, or as its manifest names it.

    A path of a manifest is from where the model was made. ``None``: not known.
    """
    same = network(subject)
    for other in subjects:
        if other is not subject and other.paths and not quantized(other) and network(other) == same:
            return folder / other.paths[0]
    given = quantized_from(subject)
    return Path(given) if given else None


def quantized(subject: Subject) -> bool:
    """Whether its manifest says that it is no float32 file."""
    return subject.manifest is not None and subject.manifest.precision != "float32"


def quantized_from(subject: Subject) -> str:
    """The float file that ``quantize`` was given; empty if the manifest does not say it."""
    line = (subject.manifest.command or "") if subject.manifest else ""
    try:
        program, verb, source, *_ = shlex.split(line)
    except ValueError:
        return ""
    return source if (program, verb) == ("edgeeff", "quantize") else ""
