"""Keras' own ImageNet weights of B0..B7: from Keras' cache, else from its host."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import tf_keras
from tf_keras.src.applications import efficientnet

from edgeeff import files
from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError

TIMEOUT = 10.0
"""Seconds without an answer after which the host counts as out of reach."""

log = logging.getLogger(__name__)


class WeightsUnavailable(InputError):  # noqa: N818 - nothing is wrong with them, they are not here
    """ImageNet weights that exist but cannot be had on this machine now, or do not exist."""


def file_name(variant: Variant) -> str | None:
    """Such as ``efficientnetb0.h5``; ``None`` for a variant that Keras has no weights of."""
    known = variant.name in efficientnet.WEIGHTS_HASHES
    return f"efficientnet{variant.name}.h5" if known else None


def obtain(variant: Variant) -> Path:
    """The file in Keras' cache, fetched from Keras' host if it is not there yet.

    Raises:
        WeightsUnavailable: Keras has none for the variant, or its host is out of reach.
        InputError: the file in the cache is damaged.
    """
    name = file_name(variant)
    if name is None:
        raise WeightsUnavailable(
            f"there are no ImageNet weights of {variant.name} that edgeeff knows of",
            "give a weight file with --weights FILE",
        )
    cached = Path("~/.keras/models").expanduser() / name
    if cached.exists():
        if _md5(cached) not in _hashes(variant):
            raise InputError(
                f"{cached} is damaged: its checksum is not the one Keras gives",
                "delete it to have it fetched again, or copy it from another machine",
            )
        return cached
    return _fetch(variant, name, cached)


def is_official(path: Path) -> bool:
    """Whether a file is one of Keras' ImageNet files, classifier included or not."""
    known = {value for values in efficientnet.WEIGHTS_HASHES.values() for value in values}
    return _md5(path) in known


def _fetch(variant: Variant, name: str, cached: Path) -> Path:
    origin = efficientnet.BASE_WEIGHTS_PATH + name
    log.info("fetching %s", origin)
    try:
        # Without it, get_file would use a directory in /tmp that anybody could have prepared.
        cached.parent.mkdir(parents=True, exist_ok=True)
        with _patient_for(TIMEOUT), contextlib.redirect_stdout(sys.stderr):
            path = tf_keras.utils.get_file(
                name, origin, cache_subdir="models", file_hash=_hashes(variant)[0]
            )
    # get_file turns every failure of the network into a bare Exception.
    except Exception as error:
        raise WeightsUnavailable(
            f"cannot fetch the ImageNet weights of {variant.name}: {error}",
            f"fetch {origin} where there is internet and put it at {cached}, "
            "or give another weight file with --weights FILE",
        ) from error
    return Path(path)


@contextlib.contextmanager
def _patient_for(seconds: float) -> Iterator[None]:
    """Let connections fail after so long; by default they hang for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _hashes(variant: Variant) -> tuple[str, str]:
    with_classifier, without = efficientnet.WEIGHTS_HASHES[variant.name]
    return str(with_classifier), str(without)


def _md5(path: Path) -> str:
    return hashlib.md5(files.read_bytes(path), usedforsecurity=False).hexdigest()
