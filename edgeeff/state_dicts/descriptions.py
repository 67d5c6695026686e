"""What lies beside a state dict, or in its checkpoint, about the network it is for.

timm and the tools that share its models write ``config.json`` into the weights' folder:
``architecture`` (such as ``tf_efficientnet_b0``) and ``pretrained_cfg``, which says how
pictures are made (timm/models/_hub.py, ``save_config_for_hf``). timm's training script keeps
the architecture in the checkpoint. Transformers' ``config.json`` has ``image_size``, by which
its networks pad.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff import files, foreign
from edgeeff.errors import EdgeeffError, InputError
from edgeeff.pictures.preprocessing import KERNELS, Preprocessing

CONFIG = "config.json"

ARCHITECTURE = re.compile(r"(tf_)?efficientnet_(b\d|lite\d|es|em|el)([._-].*)?")
"""timm's names of the networks that are read here, and of their files with a hash behind."""

HARMLESS = frozenset(["num_classes", "drop_rate", "drop_path_rate", "pretrained"])
"""Arguments of timm's networks that change no prediction, or that the tensors show."""

TRANSFORMERS: Mapping[str, tuple[Any, ...]] = {
    "hidden_act": ("swish", "silu"),
    "batch_norm_eps": (0.001,),
    "pooling_type": ("mean",),
}
"""Settings of transformers' networks that no tensor shows, and the values that are read here."""


@dataclass(frozen=True)
class Description:
    """What is said of a network.

    Attributes:
        origin: a key of ``origins.ORIGINS``.
        preprocessing: of its pictures.
        resolution: side of the pictures that it was made for.
    """

    origin: str | None = None
    preprocessing: Preprocessing | None = None
    resolution: int | None = None


def origin_of(architecture: str) -> str | None:
    """``timm-tf`` of ``tf_efficientnet_b0.ns_jft_in1k``; ``None`` of what timm has not named."""
    found = ARCHITECTURE.fullmatch(architecture.lower())
    if found is None:
        return None
    return "timm-tf" if found[1] else "timm"


def beside(path: Path) -> Description:
    """What the ``config.json`` in the folder of a weight file says, if there is one.

    Raises:
        InputError: timm's or transformers' description of an EfficientNet that is malformed.
    """
    config = path.with_name(CONFIG)
    content = _object(config)
    try:
        if origin_of(str(content.get("architecture", ""))) is not None:
            return _of_timm(content)
        if content.get("model_type") == "efficientnet":
            return _of_transformers(content)
    except (EdgeeffError, *foreign.MALFORMED) as error:
        raise InputError(
            f"{config} describes the network beside it in a way that is not understood: {error}",
            "correct or remove it; --weights-from says whose network it is",
        ) from error
    return Description()


def _object(path: Path) -> Mapping[str, Any]:
    """A JSON object; empty if there is no such file or it is of somebody else."""
    if not os.path.isfile(path):
        return {}
    try:
        content = json.loads(files.read_bytes(path))
    except (InputError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _of_transformers(content: Mapping[str, Any]) -> Description:
    for setting, usual in TRANSFORMERS.items():
        if content.get(setting, usual[0]) not in usual:
            raise ValueError(f"its {setting} is {foreign.shown(content[setting])}")
    return Description("transformers", resolution=int(content["image_size"]))


def _of_timm(content: Mapping[str, Any]) -> Description:
    origin = origin_of(content["architecture"])
    changed = sorted(set(content.get("model_args") or {}) - HARMLESS)
    if changed:
        raise ValueError(f"its network was changed by {', '.join(changed)}")
    said = content.get("pretrained_cfg", content)
    if "mean" not in said:
        return Description(origin)
    interpolation = said["interpolation"]
    _, height, width = said["input_size"]
    if height != width or said.get("crop_mode", "center") != "center":
        raise ValueError("its pictures are not squares from the middle")
    preprocessing = Preprocessing(
        resolution=int(height),
        mean=_on_bytes(said["mean"]),
        std=_on_bytes(said["std"]),
        interpolation=interpolation if interpolation in KERNELS else "bicubic",
        crop=float(said["crop_pct"]),
    )
    return Description(origin, preprocessing, preprocessing.resolution)


def _on_bytes(values: Any) -> tuple[float, float, float]:
    red, green, blue = (255 * float(value) for value in values)
    return red, green, blue
