"""What a Keras network does to pixels before its first convolution, as its weight file says.

``keras.applications`` scales in the graph: Rescaling(1/255), then a Normalization layer whose
mean and variance are among the weights. Networks that it made with ``weights="imagenet"``
divide once more, by the root of ImageNet's standard deviations, because their files hold
those deviations where the layer expects variances (tensorflow issue 49930).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.network.named_tensors import NamedTensors, Scaling

IMAGENET_STDDEV = (0.229, 0.224, 0.225)

NORMALIZATION = re.compile(r"normalization(_\d+)?/(mean|variance|count)")


def separated(
    path: Path,
    tensors: Mapping[str, npt.NDArray[Any]],
    layers: Sequence[str] | None,
    *,
    rescaled: bool | None = None,
) -> NamedTensors:
    """Take the Normalization layer out of a network's tensors, as a scaling.

    Args:
        path: of the file, for messages.
        tensors: all that it holds.
        layers: the names of all layers of the network that was saved; ``None``: not known.
        rescaled: whether that network divides once more; ``None``: judge by the layers.

    Raises:
        InputError: a Normalization that is not one of RGB pictures.
    """
    stored = {}
    for name, values in tensors.items():
        if found := NORMALIZATION.fullmatch(name):
            stored[found[2]] = np.ravel(values)
    weights = {name: v for name, v in tensors.items() if not NORMALIZATION.fullmatch(name)}
    if "mean" not in stored or "variance" not in stored:
        return NamedTensors(weights)
    mean, variance = stored["mean"], stored["variance"]
    if mean.size != 3 or variance.size != 3:
        raise InputError(
            f"{path}: its Normalization has {mean.size} channels, not 3",
            "only networks for RGB pictures can be loaded",
        )
    if not np.isfinite(mean).all() or not np.isfinite(variance).all() or (variance < 0).any():
        raise InputError(f"{path}: its Normalization holds impossible values")
    if rescaled is None:
        rescaled = _divides_again(layers, variance)
    return NamedTensors(weights, _scaling(mean, variance, rescaled=rescaled))


def _divides_again(layers: Sequence[str] | None, variance: npt.NDArray[Any]) -> bool:
    """tf_keras names that operation tf.math.multiply, Keras 3 adds a second Rescaling.

    The formats that list no layers are younger than the operation, so there ImageNet's
    deviations in place of variances tell.
    """
    if layers is None:
        return bool(np.allclose(variance, IMAGENET_STDDEV))
    rescalings = [name for name in layers if name.startswith("rescaling")]
    return len(rescalings) > 1 or any(name.startswith("tf.math.multiply") for name in layers)


def _scaling(mean: npt.NDArray[Any], variance: npt.NDArray[Any], *, rescaled: bool) -> Scaling:
    further = np.sqrt(IMAGENET_STDDEV) if rescaled else np.ones(3)
    # Keras divides by at least 1e-7.
    roots = [max(math.sqrt(value), 1e-7) for value in variance]
    red, green, blue = (255 * float(value) for value in mean)
    std = [255 * root * float(factor) for root, factor in zip(roots, further, strict=True)]
    return Scaling((red, green, blue), (std[0], std[1], std[2]))
