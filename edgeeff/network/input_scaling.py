"""What a Keras network does to pixels before its first convolution, as its weight file says.

``keras.applications`` scales in the graph: Rescaling(1/255), then a Normalization layer whose
mean and variance are among the weights. Networks that it made with ``weights="imagenet"``
divide once more, by the root of ImageNet's standard deviations, because their files hold
those deviations where the layer expects variances (tensorflow issue 49930). Users put layers
of their own in front. A file that describes its layers says all that in numbers; one of
weights alone tells by its layers' names at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.network.named_tensors import NamedTensors, PixelScaling
from edgeeff.network.saved_layers import (
    IN_TRAINING,
    SHAPING,
    SavedLayer,
    before_stem,
    not_understood,
)

IMAGENET_STDDEV = (0.229, 0.224, 0.225)

NORMALIZATION = re.compile(r"(normalization(?:_\d+)?)/(mean|variance|count)")

LEAST_ROOT = 1e-7
"""Keras divides by at least this."""

Values = npt.NDArray[np.float64]
Tensors = Mapping[str, npt.NDArray[Any]]


def separated(
    path: Path,
    tensors: Tensors,
    layers: Sequence[SavedLayer] | Sequence[str] | None,
    *,
    rescaled: bool | None = None,
) -> NamedTensors:
    """Take the Normalization layer out of a network's tensors, as a scaling.

    Args:
        path: of the file, for messages.
        tensors: all that it holds.
        layers: of the network that was saved, or their names alone; ``None``: not known.
        rescaled: whether that network divides once more; ``None``: judge by the layers.

    Raises:
        InputError: a Normalization that is not one of RGB pictures, or a layer that is not
            understood.
    """
    described = [layer for layer in layers or () if isinstance(layer, SavedLayer)]
    in_front = {layer.name for layer in before_stem(described) if layer.kind == "Normalization"}
    weights = {
        name: values
        for name, values in tensors.items()
        if not (NORMALIZATION.fullmatch(name) or name.partition("/")[0] in in_front)
    }
    if described and rescaled is None:
        return NamedTensors(weights, _composed(path, before_stem(described), tensors))
    stored = _stored(path, tensors)
    if stored is None:
        return NamedTensors(weights)
    mean, variance = stored
    if rescaled is None:
        names = [layer for layer in layers or () if isinstance(layer, str)]
        rescaled = _divides_again(path, names or None, variance)
    further = np.sqrt(IMAGENET_STDDEV) if rescaled else np.ones(3)
    return NamedTensors(weights, _scaling(255 * mean, 255 * _roots(variance) * further))


def _composed(path: Path, layers: Sequence[SavedLayer], tensors: Tensors) -> PixelScaling | None:
    """The scaling that layers in front of the first convolution amount to."""
    scale: Values = np.ones(3)
    offset: Values = np.zeros(3)
    first = None
    for layer in layers:
        if layer.kind in SHAPING or any(part in layer.kind for part in IN_TRAINING):
            continue
        if layer.kind not in STEPS:
            raise not_understood(path, layer)
        factor, shift = STEPS[layer.kind](path, layer, tensors)
        scale, offset = scale * factor, offset * factor + shift
        first = first or layer
    if first is None:
        return None
    scale = scale / _pixels(path, first)
    if not (np.isfinite(scale).all() and np.isfinite(offset).all() and (scale > 0).all()):
        raise InputError(f"{path}: layer {first.name!r} begins an impossible scaling", "")
    return _scaling((0 - offset) / scale, 1 / scale)


def _pixels(path: Path, first: SavedLayer) -> float:
    """What the value 255 of a pixel is where the network takes it, over 1: 255 for 0..1."""
    factor = _numbers(path, first, first.config.get("scale", np.nan))
    if first.kind == "Rescaling" and (factor == 255).all() and not first.config.get("offset"):
        return 255.0
    if first.kind == "Rescaling" and (np.abs(factor) <= 1).all():
        return 1.0
    raise InputError(
        f"{path}: layer {first.name!r} ({first.kind}) does not say whether pictures come as "
        "0..255 or as 0..1",
        "put Rescaling(1/255) or Rescaling(255) in front, or export a float .tflite with "
        "tf.lite.TFLiteConverter and give it to edgeeff quantize",
    )


def _rescaling(path: Path, layer: SavedLayer, tensors: Tensors) -> tuple[Values, Values]:
    config = layer.config
    return _triple(path, layer, config.get("scale")), _triple(path, layer, config.get("offset", 0))


def _normalization(path: Path, layer: SavedLayer, tensors: Tensors) -> tuple[Values, Values]:
    if layer.config.get("invert"):
        raise not_understood(path, layer)
    mean, variance = (
        layer.config.get(part)
        if layer.config.get(part) is not None
        else tensors.get(f"{layer.name}/{part}", tensors.get(f"normalization/{part}"))
        for part in ("mean", "variance")
    )
    if mean is None or variance is None:
        raise not_understood(path, layer)
    mean, variance = (_numbers(path, layer, values) for values in (mean, variance))
    _check(path, mean, variance)
    factor = 1 / _roots(variance)
    return factor, -mean * factor


def _multiplication(path: Path, layer: SavedLayer, tensors: Tensors) -> tuple[Values, Values]:
    if layer.config.get("function") != "math.multiply" or "y" not in layer.call:
        raise not_understood(path, layer)
    return _triple(path, layer, layer.call["y"]), np.zeros(3)


STEPS: Mapping[str, Callable[[Path, SavedLayer, Tensors], tuple[Values, Values]]] = {
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "TFOpLambda": _multiplication,
}
"""What a layer multiplies by and adds then, by class."""


def _triple(path: Path, layer: SavedLayer, value: Any) -> Values:
    """One number for all channels, or one for each."""
    found = _numbers(path, layer, value)
    if found.size not in (1, 3):
        raise not_understood(path, layer)
    return np.broadcast_to(found, 3).astype(np.float64)


def _numbers(path: Path, layer: SavedLayer, value: Any) -> Values:
    """What a layer's description gives as numbers, in one row."""
    try:
        return np.ravel(np.asarray(value, np.float64))
    except (TypeError, ValueError) as error:
        raise not_understood(path, layer) from error


def _stored(path: Path, tensors: Tensors) -> tuple[Values, Values] | None:
    """Mean and variance of the Normalization among the weights, if there is one."""
    found = {}
    for name, values in tensors.items():
        if match := NORMALIZATION.fullmatch(name):
            found[match[2]] = np.ravel(values)
    if "mean" not in found or "variance" not in found:
        return None
    _check(path, found["mean"], found["variance"])
    return found["mean"].astype(np.float64), found["variance"].astype(np.float64)


def _check(path: Path, mean: npt.NDArray[Any], variance: npt.NDArray[Any]) -> None:
    if mean.size != 3 or variance.size != 3:
        raise InputError(
            f"{path}: its Normalization has {mean.size} channels, not 3",
            "only networks for RGB pictures can be loaded",
        )
    numbers = mean.dtype.kind in "fiu" and variance.dtype.kind in "fiu"
    if not numbers or not np.isfinite([mean, variance]).all() or (variance < 0).any():
        raise InputError(f"{path}: its Normalization holds impossible values")


def _divides_again(path: Path, names: Sequence[str] | None, variance: Values) -> bool:
    """tf_keras names that operation tf.math.multiply, Keras 3 adds a second Rescaling.

    The formats that list no layers are younger than the operation, so there ImageNet's
    deviations in place of variances tell. A Rescaling in front of the usual one is a user's own:
    its numbers are not in a file of weights alone.
    """
    if names is None:
        return bool(np.allclose(variance, IMAGENET_STDDEV))
    kinds = [name.partition("_")[0] for name in names]
    middle = kinds.index("normalization") if "normalization" in kinds else len(kinds)
    if kinds[:middle].count("rescaling") > 1:
        raise InputError(
            f"{path} holds weights alone: what its layer {names[kinds.index('rescaling')]!r} does "
            "to pictures is not in it",
            "save the whole model (model.save), whose file says it",
        )
    later = kinds[middle:]
    return "rescaling" in later or any(name.startswith("tf.math.multiply") for name in names)


def _roots(variance: Values) -> Values:
    roots: Values = np.maximum(np.sqrt(variance), LEAST_ROOT)
    return roots


def _scaling(mean: Values, std: Values) -> PixelScaling:
    return PixelScaling(
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(std[0]), float(std[1]), float(std[2])),
    )
