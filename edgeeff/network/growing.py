"""Weights for a network from a smaller or larger one of its family.

Where the network is wider, each tensor keeps the source's values in its first channels, and nothing
of a new channel goes into an old one; blocks that are new in a stage repeat the stage's last one,
and begin by adding zero to their input. So a network that is only wider and deeper computes at
first what the source computes (Net2Net: Chen et al., arXiv 1511.05641). Where it is narrower, the
first channels are what is taken: that is another function, and only a start. So are new blocks of a
stage without shortcuts, as EdgeTPU's first one, and widths at which a block gains or loses its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import tf_keras

from edgeeff import files
from edgeeff.architectures.variants import VARIANTS, Variant
from edgeeff.network.builder import build
from edgeeff.network.weights import HEAD, SAFETENSORS_FORMAT, load

Tensors = Mapping[str, npt.NDArray[np.float32]]
"""Weights by ``layer/variable``, in Keras' layout."""

BLOCK_LAYER = re.compile(r"(block\d+)[a-z]+(_.+)")
LAST_OF_A_BLOCK = ("_project_bn/gamma", "_project_bn/beta")
"""Where both are zero, a block adds nothing to its input."""

SIDE = 32
"""Pixels that networks are built for here: no weight depends on them."""


@dataclass(frozen=True)
class Source:
    """A network whose weights others begin with.

    Attributes:
        variant: the network.
        name: where its weights come from.
        tensors: the weights.
    """

    variant: Variant
    name: str
    tensors: Tensors


def nearest(like: Variant) -> tuple[Variant, ...]:
    """The published networks of a variant's family, the nearest in width and depth first."""

    def distance(one: Variant) -> float:
        wider, deeper = math.log(like.width / one.width), math.log(like.depth / one.depth)
        return 2 * abs(wider) + abs(deeper)  # as the compute takes them

    return tuple(sorted(_family(like), key=distance))


def _family(like: Variant) -> list[Variant]:
    return [one for one in VARIANTS.values() if one.family == like.family]


def read_source(variant: Variant, weights: str | Path) -> Source:
    """A variant with weights as of ``weights.load``, and with its errors."""
    model = build(variant, resolution=SIDE)
    loaded = load(model, variant, weights)
    found = Source(variant, f"{variant.name} ({loaded.source})", _tensors(model))
    tf_keras.backend.clear_session()
    return found


def write_grown(source: Source, variant: Variant, path: Path, *, seed: int = 0) -> None:
    """Write a variant's first weights, all but the classifier's. Raises ``OutputError``.

    Args:
        source: whose weights they are.
        variant: of the same family.
        path: of the .safetensors file.
        seed: of what is new.
    """
    model = build(variant, resolution=SIDE, seed=seed)
    made = grown(source.tensors, _tensors(model), variant)
    tf_keras.backend.clear_session()
    content = safetensors.numpy.save(dict(made), {"format": SAFETENSORS_FORMAT})
    files.write_bytes(path, content, force=True)


def grown(source: Tensors, fresh: Tensors, variant: Variant) -> Tensors:
    """The source's values in the shapes of a variant, without its classifier.

    Args:
        source: weights of a network of the same family.
        fresh: initial weights of the variant, for what is new.
        variant: the network.
    """
    residual = {block.name for block in variant.blocks if block.residual}
    made = {}
    for name, values in fresh.items():
        if name.startswith(f"{HEAD}/"):
            continue
        origin = _origin(name, source)
        made[name] = values if origin is None else _placed(source[origin], values, name)
        block = name.partition("_")[0]
        if name.endswith(LAST_OF_A_BLOCK) and origin != name and block in residual:
            made[name] = np.zeros_like(values)
    return made


def _origin(name: str, source: Tensors) -> str | None:
    """The tensor that one begins with: its own, or that of its stage's last block."""
    if name in source:
        return name
    layer = BLOCK_LAYER.fullmatch(name)
    if layer is None:
        return None
    stage, rest = layer.groups()
    alike = [one for one in source if (found := BLOCK_LAYER.fullmatch(one)) and found[1] == stage]
    repeats = sorted({one.partition("_")[0] for one in alike}, key=lambda one: (len(one), one))
    last = f"{repeats[-1]}{rest}" if repeats else ""
    return last if last in source else None


def _placed(
    source: npt.NDArray[np.float32], fresh: npt.NDArray[np.float32], name: str
) -> npt.NDArray[np.float32]:
    """Values in the first channels; what comes from new channels into old ones is zero."""
    kept = tuple(slice(min(pair)) for pair in zip(source.shape, fresh.shape, strict=True))
    made: npt.NDArray[np.float32] = fresh.copy()
    if fresh.ndim == 4 and not name.endswith("depthwise_kernel"):
        made[..., kept[-1]] = 0
    made[kept] = source[kept]
    return made


def _tensors(model: tf_keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    return dict(_named(model))


def _named(model: tf_keras.Model) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for weight in model.weights:
        yield weight.name.partition(":")[0], np.asarray(weight.numpy(), np.float32)
