"""Whose network a state dict is: what its library does otherwise than TensorFlow, as data.

Tensors alone do not make a function: BatchNorm's epsilon, the padding at stride 2 and the
pictures that go in are code of the library. Sources, read in November 2026: torchvision 0.29
(models/efficientnet.py), timm 1.0 (models/efficientnet.py: ``default_cfgs`` and the ``tf_``
networks), efficientnet_pytorch 0.7, transformers 5 (models/efficientnet).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError, UsageError, unknown_name
from edgeeff.pictures.preprocessing import Preprocessing, of_family
from edgeeff.state_dicts.layouts import (
    EFFICIENTNET_PYTORCH,
    TIMM,
    TORCHVISION,
    TRANSFORMERS,
    Layout,
)


class Pictures(NamedTuple):
    """How a library feeds a network by default."""

    family: str
    resolution: int
    crop: float
    interpolation: str


@dataclass(frozen=True)
class Origin:
    """A family of networks of one library.

    Attributes:
        name: as on the command line.
        layout: what its tensors are called.
        epsilon: of BatchNorm.
        padding: as ``Variant.padding``.
        strided: as ``Variant.strided``, of fused blocks.
        pictures: by variant; of any other, as the variant says itself.
        rigid: a network pads as its own resolution wants it, whatever it is fed.
        epsilons: of the variants that have another.
    """

    name: str
    layout: Layout
    epsilon: float
    padding: str
    strided: str = "convolution"
    pictures: Mapping[str, Pictures] = field(default_factory=dict)
    rigid: bool = False
    epsilons: Mapping[str, float] = field(default_factory=dict)

    def network(self, variant: Variant) -> Variant:
        """The variant as the library builds it."""
        pictures = self.pictures.get(variant.name)
        return replace(
            variant,
            epsilon=self.epsilons.get(variant.name, self.epsilon),
            padding=self.padding,
            strided=self.strided,
            resolution=pictures.resolution if pictures else variant.resolution,
        )

    def preprocessing(self, variant: Variant, resolution: int | None = None) -> Preprocessing:
        """How the library feeds the variant, at its or another resolution."""
        pictures = self.pictures.get(variant.name)
        if pictures is None:
            return Preprocessing.of(variant, resolution)
        usual = of_family(pictures.family, resolution or pictures.resolution)
        return replace(usual, crop=pictures.crop, interpolation=pictures.interpolation)


_TORCHVISION = {
    # crop: the side of the picture over that of the resized one
    "b0": Pictures("imagenet", 224, 224 / 256, "bicubic"),
    "b1": Pictures("imagenet", 240, 240 / 256, "bicubic"),
    "b2": Pictures("imagenet", 288, 1.0, "bicubic"),
    "b3": Pictures("imagenet", 300, 300 / 320, "bicubic"),
    "b4": Pictures("imagenet", 380, 380 / 384, "bicubic"),
    "b5": Pictures("imagenet", 456, 1.0, "bicubic"),
    "b6": Pictures("imagenet", 528, 1.0, "bicubic"),
    "b7": Pictures("imagenet", 600, 1.0, "bicubic"),
}
_TIMM = {
    "b0": Pictures("imagenet", 224, 0.875, "bicubic"),
    "b1": Pictures("advprop", 240, 0.9, "bicubic"),
    "b2": Pictures("imagenet", 256, 0.875, "bicubic"),
    "b3": Pictures("imagenet", 288, 0.875, "bicubic"),
    "b4": Pictures("imagenet", 320, 0.875, "bicubic"),
    "b5": Pictures("imagenet", 448, 1.0, "bicubic"),
    "b6": Pictures("imagenet", 528, 0.942, "bicubic"),
    "b7": Pictures("imagenet", 600, 0.949, "bicubic"),
    "lite0": Pictures("imagenet", 224, 0.875, "bicubic"),
    "lite1": Pictures("imagenet", 240, 0.882, "bicubic"),
    "lite2": Pictures("imagenet", 260, 0.89, "bicubic"),
    "lite3": Pictures("imagenet", 300, 0.904, "bicubic"),
    "lite4": Pictures("imagenet", 380, 0.922, "bicubic"),
    "edgetpu-s": Pictures("imagenet", 224, 0.875, "bicubic"),
    "edgetpu-m": Pictures("imagenet", 240, 0.882, "bicubic"),
    "edgetpu-l": Pictures("imagenet", 300, 0.904, "bicubic"),
}
_TIMM_TF = {
    "b0": Pictures("imagenet", 224, 0.875, "bicubic"),
    "b1": Pictures("imagenet", 240, 0.882, "bicubic"),
    "b2": Pictures("imagenet", 260, 0.89, "bicubic"),
    "b3": Pictures("imagenet", 300, 0.904, "bicubic"),
    "b4": Pictures("imagenet", 380, 0.922, "bicubic"),
    "b5": Pictures("imagenet", 456, 0.934, "bicubic"),
    "b6": Pictures("imagenet", 528, 0.942, "bicubic"),
    "b7": Pictures("imagenet", 600, 0.949, "bicubic"),
    "lite0": Pictures("advprop", 224, 0.875, "bicubic"),
    "lite1": Pictures("advprop", 240, 0.882, "bicubic"),
    "lite2": Pictures("advprop", 260, 0.89, "bicubic"),
    "lite3": Pictures("advprop", 300, 0.904, "bilinear"),
    "lite4": Pictures("advprop", 380, 0.92, "bilinear"),
    "edgetpu-s": Pictures("advprop", 224, 0.875, "bicubic"),
    "edgetpu-m": Pictures("advprop", 240, 0.882, "bicubic"),
    "edgetpu-l": Pictures("advprop", 300, 0.904, "bicubic"),
}
_TRANSFORMERS = {
    # Divided by the root of the standard deviation twice; taken whole.
    "b0": Pictures("imagenet", 224, 1.0, "bicubic"),
    "b1": Pictures("imagenet", 240, 1.0, "bicubic"),
    "b2": Pictures("imagenet", 260, 1.0, "bicubic"),
    "b3": Pictures("imagenet", 300, 1.0, "bicubic"),
    "b4": Pictures("imagenet", 380, 1.0, "bicubic"),
    "b5": Pictures("imagenet", 456, 1.0, "bicubic"),
    "b6": Pictures("imagenet", 528, 1.0, "bicubic"),
    "b7": Pictures("imagenet", 600, 1.0, "bicubic"),
}

ORIGINS: Mapping[str, Origin] = {
    origin.name: origin
    for origin in (
        Origin(
            "torchvision",
            TORCHVISION,
            1e-5,
            "symmetric",
            pictures=_TORCHVISION,
            epsilons={"b5": 1e-3, "b6": 1e-3, "b7": 1e-3},
        ),
        Origin("timm", TIMM, 1e-5, "symmetric", pictures=_TIMM),
        Origin("timm-tf", TIMM, 1e-3, "same", pictures=_TIMM_TF),
        Origin("efficientnet_pytorch", EFFICIENTNET_PYTORCH, 1e-3, "same"),
        Origin("transformers", TRANSFORMERS, 1e-3, "same", pictures=_TRANSFORMERS, rigid=True),
    )
}
"""Every origin of a state dict that can be read, by name."""


def find_origin(
    path: Path, layout: Layout, given: str | None = None, said: str | None = None
) -> Origin:
    """The origin of a file whose tensors are called as ``layout`` says.

    Args:
        path: of the file.
        layout: of its names.
        given: what the user says it is; ``None``: judge by what comes with the file.
        said: what a description or the checkpoint says it is.

    Raises:
        UsageError: an unknown origin, or one with other names than the file's.
        InputError: several families have these names, and nothing tells which.
    """
    fitting = {origin.name: origin for origin in ORIGINS.values() if origin.layout is layout}
    if given is not None:
        if given not in ORIGINS:
            raise unknown_name("library", given, ORIGINS)
        if given not in fitting:
            raise UsageError(
                f"{path} is not of {given}: its tensors are called as in {layout.library}",
                f"--weights-from {' or '.join(fitting)}",
            )
        return fitting[given]
    if said in fitting:
        return fitting[said]
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    raise InputError(
        f"{path} does not say whether it is of timm's efficientnet_* or tf_efficientnet_*: their "
        "tensors are called alike, but they pad and normalise differently",
        "--weights-from timm is the one, --weights-from timm-tf the other",
    )
