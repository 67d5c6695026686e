"""Networks that tests run on: made once, kept for the next run, rebuilt when the code changes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff.architectures.variants import VARIANTS, Variant, find_variant
from edgeeff.pictures.preprocessing import Preprocessing
from tests.sources import modules, needed_by

TINY_CLASSES = 10
KEPT_SECONDS = 24 * 3600.0

SMALLEST = tuple({it.family: it.name for it in reversed(VARIANTS.values())}.values())
"""The first variant of each family."""


def tiny_variant() -> Variant:
    """Swish and squeeze-excite like B0, in six blocks at 32x32 with ten classes."""
    base = find_variant("b0")
    return replace(
        base,
        name="tiny",
        width=0.25,
        stages=base.stages[:3],
        resolution=32,
        classes=TINY_CLASSES,
        dropout=0.0,
    )


def untrained(variant: Variant, *, pictures: int, seed: int = 0) -> Any:
    """A network of the variant with random weights that behaves like a trained one.

    BatchNorm gets random scales and shifts, and its statistics from synthetic pictures: with
    those of the initialisation, logits would not depend on the picture at all.
    """
    from edgeeff.network.builder import build

    model = build(variant, dropout=0.0, survival=1.0, seed=seed)
    reestimate(model, synthetic_batch(variant, pictures), seed=seed)
    return model


def synthetic_batch(variant: Variant, pictures: int) -> np.ndarray:
    """Normalised float32 [pictures, resolution, resolution, 3]."""
    from edgeeff.pictures.synthetic import synthetic_pictures

    raw = np.stack(list(synthetic_pictures(pictures, variant.resolution, seed=7)))
    return Preprocessing.of(variant).normalised(raw)


def reestimate(model: Any, batch: np.ndarray, *, seed: int = 0) -> None:
    """Draw BatchNorm's scales and shifts, then measure its statistics on the batch."""
    generator = np.random.default_rng(seed)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        channels = layer.gamma.shape[0]
        layer.gamma.assign(generator.uniform(0.6, 1.4, channels).astype(np.float32))
        layer.beta.assign(generator.normal(0.0, 0.4, channels).astype(np.float32))
        layer.momentum = 0.0
    model(batch, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def kept(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The file that ``make`` writes, from ``folder`` if this code has made it before."""
    place = folder / "edgeeff-networks" / _digest()
    place.mkdir(parents=True, exist_ok=True)
    path = place / name
    with _locked(place / f"{name}.lock"):
        if not path.exists():
            _forget_old(place)
            make(path)
    return path


def _digest() -> str:
    """Of everything that the bytes of an exported network depend on."""
    makers = [name for _, name in modules() if name.partition(".")[0] == "network"]
    content = b"".join(path.read_bytes() for path in [*needed_by(makers), Path(__file__)])
    versions = [importlib.metadata.version(name) for name in ("numpy", "tensorflow", "tf-keras")]
    return hashlib.sha256(content + repr(versions).encode()).hexdigest()[:16]


def _forget_old(place: Path) -> None:
    for other in place.parent.iterdir():
        if other != place and time.time() - other.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time in: pytest-xdist's workers all ask for the same network."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
