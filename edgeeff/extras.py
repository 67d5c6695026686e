"""The packages of an installation: versions, optional parts, and the error for one left out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
from collections.abc import Iterable

from edgeeff.errors import ExtraMissing

_QUANTIZE = {"litert_quantizer": "litert-quantizer", "safetensors": "safetensors"}

_CONVERT = {
    **_QUANTIZE,
    "tensorflow": "tensorflow",
    "tf_keras": "tf-keras",
    "h5py": "h5py",
    "scipy": "scipy",
}

EXTRAS = {
    "quantize": _QUANTIZE,
    "convert": _CONVERT,
    "fit": {**_CONVERT, "optuna": "optuna"},
}
"""Module to the package that has it, by the name of the extra in ``pip install '.[NAME]'``."""


def require(extra: str, purpose: str) -> None:
    """Raise ``ExtraMissing`` unless every package of an extra is installed; imports none of them.

    Args:
        extra: a name in ``EXTRAS``.
        purpose: what needs it, as the subject of a sentence.
    """
    missing = [
        package
        for module, package in EXTRAS[extra].items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise ExtraMissing(
            f"{purpose} needs the extra {extra!r}: not installed are {', '.join(missing)}",
            installing(missing),
        )


def installing(packages: Iterable[str]) -> str:
    """The command that installs packages in the versions that edgeeff takes.

    It names them itself, so that it works whichever way edgeeff came here.
    """
    try:
        asked = importlib.metadata.requires("edgeeff") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that was not installed
        asked = []
    versions = {re.split(r"[^\w.-]", line)[0]: line.partition(";")[0].strip() for line in asked}
    return shlex.join(["pip", "install", *(versions.get(name, name) for name in packages)])


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Those of the packages that are installed, by their names."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
