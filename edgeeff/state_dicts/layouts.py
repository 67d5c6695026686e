"""What PyTorch's libraries call the layers of an EfficientNet, one table for each library.

A table gives, for each of our layers (named as in ``keras.applications``), the library's
module. ``places`` turns it into the tensors that a file of a variant holds: name and shape
there, and where they belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.architectures.blocks import Block
from edgeeff.architectures.variants import Variant
from edgeeff.errors import UsageError

EXPANDING = ("expand_conv", "expand_bn", "dwconv", "bn", "se_reduce", "se_expand")
PROJECTION = ("project_conv", "project_bn")


@dataclass(frozen=True)
class Layout:
    """How one library writes an EfficientNet.

    Attributes:
        library: its name, as on the command line.
        ends: modules outside the blocks, by our layer; ``{last}`` is the number after the
            last stage.
        block: prefix of a block's modules, from ``{stage}`` (counted from 1), ``{stage0}``
            (from 0), ``{index}`` in the stage, and ``{number}`` in the network.
        expanding: modules of a block that expands, by our layer without its block's name.
        fused: the same of a fused block; ``None``: the library has none.
        plain: the same of a block that does not expand; ``None``: as ``expanding``.
    """

    library: str
    ends: Mapping[str, str]
    block: str
    expanding: Mapping[str, str]
    fused: Mapping[str, str] | None
    plain: Mapping[str, str] | None = None


def _modules(*names: str) -> dict[str, str]:
    return dict(zip((*EXPANDING, *PROJECTION), names, strict=True))


TORCHVISION = Layout(
    library="torchvision",
    ends={
        "stem_conv": "features.0.0",
        "stem_bn": "features.0.1",
        "top_conv": "features.{last}.0",
        "top_bn": "features.{last}.1",
        "logits": "classifier.1",
    },
    block="features.{stage}.{index}.block.",
    expanding=_modules("0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"),
    plain=_modules("", "", "0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"),
    fused=None,
)
TIMM = Layout(
    library="timm",
    ends={
        "stem_conv": "conv_stem",
        "stem_bn": "bn1",
        "top_conv": "conv_head",
        "top_bn": "bn2",
        "logits": "classifier",
    },
    block="blocks.{stage0}.{index}.",
    expanding=_modules(
        "conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"
    ),
    plain=_modules("", "", "conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"),
    fused=_modules("conv_exp", "bn1", "", "", "", "", "conv_pwl", "bn2"),
)
EFFICIENTNET_PYTORCH = Layout(
    library="efficientnet_pytorch",
    ends={
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
        "logits": "_fc",
    },
    block="_blocks.{number}.",
    expanding=_modules(
        "_expand_conv",
        "_bn0",
        "_depthwise_conv",
        "_bn1",
        "_se_reduce",
        "_se_expand",
        "_project_conv",
        "_bn2",
    ),
    fused=None,
)
TRANSFORMERS = Layout(
    library="transformers",
    ends={
        "stem_conv": "efficientnet.embeddings.convolution",
        "stem_bn": "efficientnet.embeddings.batchnorm",
        "top_conv": "efficientnet.encoder.top_conv",
        "top_bn": "efficientnet.encoder.top_bn",
        "logits": "classifier",
    },
    block="efficientnet.encoder.blocks.{number}.",
    expanding=_modules(
        "expansion.expand_conv",
        "expansion.expand_bn",
        "depthwise_conv.depthwise_conv",
        "depthwise_conv.depthwise_norm",
        "squeeze_excite.reduce",
        "squeeze_excite.expand",
        "projection.project_conv",
        "projection.project_bn",
    ),
    fused=None,
)
LAYOUTS = (TORCHVISION, TIMM, EFFICIENTNET_PYTORCH, TRANSFORMERS)

BATCHNORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True)
class Place:
    """Where a tensor of a state dict belongs.

    Attributes:
        ours: ``layer/variable`` as tf_keras names it.
        shape: in PyTorch: [out, in / groups, height, width] of a kernel.
        axes: PyTorch's axes in the order in which Keras has them.
    """

    ours: str
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None

    def keras(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The values in Keras' layout."""
        return values if self.axes is None else np.transpose(values, self.axes)


def find_layout(names: Iterable[str]) -> Layout | None:
    """The layout that has one of the names as its stem's kernel."""
    stems = {f"{layout.ends['stem_conv']}.weight": layout for layout in LAYOUTS}
    return next((stems[name] for name in names if name in stems), None)


def places(layout: Layout, variant: Variant) -> dict[str, Place]:
    """Every tensor of a variant's state dict by its name there, in the network's order.

    Raises:
        UsageError: the library has no network with fused blocks.
    """
    if layout.fused is None and any(block.fused for block in variant.blocks):
        raise UsageError(f"{layout.library} has no {variant.name}", "timm has")
    stem, head = variant.stem_filters, variant.head_filters
    last = variant.blocks[-1].filters_out
    found: dict[str, Place] = {}
    ends = {ours: name.format(last=len(variant.stages) + 1) for ours, name in layout.ends.items()}
    found |= _convolution(ends["stem_conv"], "stem_conv", (stem, 3, 3, 3))
    found |= _batchnorm(ends["stem_bn"], "stem_bn", stem)
    for number, block in enumerate(variant.blocks):
        found |= _block(layout, block, number)
    found |= _convolution(ends["top_conv"], "top_conv", (head, last, 1, 1))
    found |= _batchnorm(ends["top_bn"], "top_bn", head)
    classifier = Place("logits/kernel", (variant.classes, head), (1, 0))
    found[f"{ends['logits']}.weight"] = classifier
    found[f"{ends['logits']}.bias"] = Place("logits/bias", (variant.classes,))
    return found


def _block(layout: Layout, block: Block, number: int) -> dict[str, Place]:
    stage, index = block.place
    prefix = layout.block.format(stage=stage, stage0=stage - 1, index=index, number=number)
    modules = layout.expanding
    if block.fused:
        modules = layout.fused or {}
    elif not block.expands:
        modules = layout.plain or layout.expanding

    def names(ours: str) -> tuple[str, str]:
        return prefix + modules[ours], f"{block.name}_{ours}"

    inside, kernel, squeeze = block.filters_expanded, block.kernel, block.squeeze
    found: dict[str, Place] = {}
    if block.fused:
        shape = (inside, block.filters_in, kernel, kernel)
        found |= _convolution(*names("expand_conv"), shape)
        found |= _batchnorm(*names("expand_bn"), inside)
    elif block.expands:
        found |= _convolution(*names("expand_conv"), (inside, block.filters_in, 1, 1))
        found |= _batchnorm(*names("expand_bn"), inside)
    if not block.fused:
        theirs, ours = names("dwconv")
        shape = (inside, 1, kernel, kernel)
        found[f"{theirs}.weight"] = Place(f"{ours}/depthwise_kernel", shape, (2, 3, 0, 1))
        found |= _batchnorm(*names("bn"), inside)
    if squeeze:
        found |= _convolution(*names("se_reduce"), (squeeze, inside, 1, 1), bias=True)
        found |= _convolution(*names("se_expand"), (inside, squeeze, 1, 1), bias=True)
    found |= _convolution(*names("project_conv"), (block.filters_out, inside, 1, 1))
    return found | _batchnorm(*names("project_bn"), block.filters_out)


def _convolution(
    theirs: str, ours: str, shape: tuple[int, ...], *, bias: bool = False
) -> dict[str, Place]:
    found = {f"{theirs}.weight": Place(f"{ours}/kernel", shape, (2, 3, 1, 0))}
    if bias:
        found[f"{theirs}.bias"] = Place(f"{ours}/bias", shape[:1])
    return found


def _batchnorm(theirs: str, ours: str, channels: int) -> dict[str, Place]:
    return {
        f"{theirs}.{name}": Place(f"{ours}/{variable}", (channels,))
        for variable, name in BATCHNORM.items()
    }
