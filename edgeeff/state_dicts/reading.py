"""A state dict for a variant: whose library wrote it, the network that it is for, its tensors."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgeeff import files
from edgeeff.architectures.blocks import shrunk
from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.state_dicts import descriptions
from edgeeff.state_dicts.containers import Checkpoint, read_checkpoint
from edgeeff.state_dicts.descriptions import Description
from edgeeff.state_dicts.layouts import LAYOUTS, Layout, Place, find_layout, places
from edgeeff.state_dicts.origins import Origin, find_origin

Arrays = Mapping[str, npt.NDArray[Any]]

SUFFIXES = (".pth", ".pt", ".bin", ".tar")
"""Of what ``torch.save`` wrote; a .safetensors is looked into."""

OF_TRAINING = re.compile(r"(.*\.)?(num_batches_tracked|n_averaged)")
"""Counters of training steps, which are no weights."""

PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
"""What wrappers put before every name: DataParallel, torch.compile, Lightning."""


@dataclass(frozen=True)
class StateDict:
    """Weights and the network that they are for.

    Attributes:
        path: of the file.
        origin: whose network it is, and how that one differs from TensorFlow's.
        variant: the network, built as its library builds it, with the file's classes.
        tensors: by ``layer/variable``, in Keras' layout.
        described: the preprocessing that a file beside it says.
    """

    path: Path
    origin: Origin
    variant: Variant
    tensors: Arrays
    described: Preprocessing | None = None

    def preprocessing(self, resolution: int | None = None) -> Preprocessing:
        """How the library feeds the network, at its own or another resolution."""
        if self.described is None:
            return self.origin.preprocessing(self.variant, resolution)
        return replace(self.described, resolution=resolution or self.described.resolution)

    def notes(self) -> tuple[str, ...]:
        """What the user should know of the network that the weights were taken to be of."""
        pictures = self.preprocessing()
        mean, std = (", ".join(f"{v / 255:.3g}" for v in c) for c in (pictures.mean, pictures.std))
        source = "its config.json" if self.described else self.origin.name
        return (
            f"{self.path.name} was read as {self.origin.name}'s {self.variant.name}; pictures as "
            f"{source} makes them: mean {mean}, std {std}, {pictures.interpolation}, "
            f"{pictures.crop:.3g} of the short side",
        )

    def check_side(self, side: int) -> None:
        """Raise ``InputError`` for pictures on which the library's network pads otherwise."""
        made_for = self.variant.resolution
        if self.origin.rigid and odd_sides(self.variant, side) != odd_sides(self.variant, made_for):
            raise InputError(
                f"{self.path} is of {self.origin.name}, whose {self.variant.name} pads as "
                f"pictures of {made_for} pixels want it, not those of {side}",
                f"convert it at {made_for} pixels",
            )


def is_state_dict(path: Path) -> bool:
    """Whether a weight file is PyTorch's, by its suffix; a .safetensors by its names."""
    if path.suffix != ".safetensors":
        return path.suffix in SUFFIXES
    return find_layout(_without_prefix(read_safetensors(path))) is not None


def read(path: Path, variant: Variant, origin: str | None = None) -> StateDict:
    """Read the weights of a variant and see whose network they belong to.

    Args:
        path: of a .pth, .pt, .bin, .tar or .safetensors file.
        variant: what the network is.
        origin: a key of ``origins.ORIGINS``; ``None``: told by the file.

    Raises:
        InputError: damaged, of no layout that edgeeff knows, or not of this variant; names
            the tensor and both shapes.
        UsageError: an unknown origin, or one that the file cannot be from.
    """
    checkpoint = _checkpoint(path)
    weights = {n: v for n, v in checkpoint.tensors.items() if not OF_TRAINING.fullmatch(n)}
    stored = _without_prefix(weights)
    layout = find_layout(stored)
    if layout is None:
        raise InputError(
            f"{path} has names of no library that edgeeff knows, such as {_some(stored)}",
            f"these are known: {', '.join(layout.library for layout in LAYOUTS)}",
        )
    described = descriptions.beside(path)
    # timm's own files of converted networks are called tf_...; any other name proves nothing.
    called = path.stem if path.stem.startswith("tf_") else ""
    said = described.origin or descriptions.origin_of(checkpoint.architecture or called)
    source = find_origin(path, layout, origin, said)
    if described.origin not in (None, source.name):
        described = Description()
    network = source.network(variant)
    if described.resolution is not None:
        network = replace(network, resolution=described.resolution)
    bias = stored.get(f"{layout.ends['logits']}.bias")
    if bias is not None and bias.ndim == 1 and bias.size:
        network = replace(network, classes=int(bias.size))
    expected = places(layout, network)
    if bias is None:
        expected = {name: p for name, p in expected.items() if not p.ours.startswith("logits/")}
    _check(path, layout, variant, stored, expected)
    tensors = {place.ours: place.keras(stored[name]) for name, place in expected.items()}
    return StateDict(path, source, network, tensors, described.preprocessing)


def _check(
    path: Path, layout: Layout, variant: Variant, stored: Arrays, expected: Mapping[str, Place]
) -> None:
    shapes = {name: tuple(values.shape) for name, values in stored.items()}
    hint = f"is it the file of another variant than {variant.name}, or of a changed network?"
    for name, place in expected.items():
        if name not in shapes:
            raise InputError(
                f"{path} lacks tensor {name!r} (expected shape {list(place.shape)})",
                hint,
            )
        if shapes[name] != place.shape:
            raise InputError(
                f"{path}: tensor {name!r} has shape {list(shapes[name])}, "
                f"expected {list(place.shape)}",
                hint,
            )
    unused = [name for name in shapes if name not in expected]
    if unused:
        raise InputError(
            f"{path} holds {len(unused)} tensors that {layout.library}'s {variant.name} has no "
            f"place for, such as {unused[0][:80]!r} of shape {list(shapes[unused[0]])}",
            hint,
        )


def odd_sides(variant: Variant, resolution: int) -> list[bool]:
    """Whether the picture has an odd side, before each layer that halves it."""
    side, odd = shrunk(resolution, 2), [resolution % 2 == 1]
    for block in variant.blocks:
        odd += [side % 2 == 1] if block.stride > 1 else []
        side = shrunk(side, block.stride)
    return odd


def _checkpoint(path: Path) -> Checkpoint:
    if path.suffix == ".safetensors":
        return Checkpoint(read_safetensors(path))
    return read_checkpoint(path)


def _without_prefix(stored: Arrays) -> Arrays:
    """Names without what wrappers put before every one of them."""
    shortened: Arrays = dict(stored)
    while (found := _common_prefix(shortened)) is not None:
        shortened = {name.removeprefix(found): v for name, v in shortened.items()}
    return shortened


def _common_prefix(names: Collection[str]) -> str | None:
    return next(
        (prefix for prefix in PREFIXES if names and all(n.startswith(prefix) for n in names)), None
    )


def read_safetensors(path: Path) -> Arrays:
    """All tensors of a .safetensors file by name. Raises ``InputError``."""
    import safetensors.numpy

    content = files.read_bytes(path)
    try:
        return safetensors.numpy.load(content)
    except KeyError as unknown:
        raise InputError(
            f"{path} holds tensors of type {unknown.args[0]}, which are not read here",
            "save them as float32: {name: tensor.float() for name, tensor in ...}",
        ) from unknown
    except (safetensors.SafetensorError, ValueError) as error:
        raise InputError(
            f"{path} is not a readable .safetensors file: {error}",
            "it may be cut short: compare its size with that of the original",
        ) from error


def _some(names: Iterable[str]) -> str:
    return ", ".join(repr(name[:60]) for name in list(names)[:2]) or "none at all"
