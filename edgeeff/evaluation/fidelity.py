"""How close a quantized network's answers are to those of the float network it came from.

Everything is measured at the logits: after a softmax nearly all of a thousand values are 0,
and an error of the network disappears with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeeff.errors import InputError
from edgeeff.evaluation.accuracy import Share, wilson

NOT_EXCLUSIVE = (
    "no same top-1 and no KL: one value, a sigmoid for each, or several answers in one, excludes "
    "no class"
)
NO_LOGITS = "no KL: an answer that is worked out of several softmaxes has no logits"


@dataclass(frozen=True)
class Fidelity:
    """How a network's logits compare with the reference's, over a set of images.

    Attributes:
        images: how many were compared.
        agreement: the share of images with the same most likely class, 0..1; ``None`` where
            outputs do not exclude each other.
        sqnr_db: 10 log10(sum reference^2 / sum (reference - logits)^2) over all logits of all
            images; infinite if they are equal.
        median_image_sqnr_db: the median over images of the same ratio of one image; a few
            images can own most of the sum above.
        kl: mean Kullback-Leibler divergence of the softmaxes, reference to network, in nats;
            ``None`` likewise, and where answers have no logits.
    """

    images: int
    agreement: float | None
    sqnr_db: float
    median_image_sqnr_db: float
    kl: float | None

    @property
    def same(self) -> Share | None:
        """The agreement with its 95% interval, which a few pictures leave wide."""
        if self.agreement is None:
            return None
        return wilson(round(self.agreement * self.images), self.images)

    @property
    def note(self) -> str | None:
        """Why agreement or KL are missing, if they are."""
        if self.agreement is None:
            return NOT_EXCLUSIVE
        return NO_LOGITS if self.kl is None else None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; an infinite ratio is null."""
        return {
            "images": self.images,
            "agreement": self.agreement,
            "agreement_ci95": [self.same.low, self.same.high] if self.same else None,
            "sqnr_db": _finite(self.sqnr_db),
            "median_image_sqnr_db": _finite(self.median_image_sqnr_db),
            "kl": self.kl,
            "note": self.note,
        }


@dataclass(frozen=True)
class ImageErrors:
    """What ``summary`` needs of each image, so that no logits have to be kept.

    Attributes:
        signal: sum of the reference's squares, float64 [images].
        noise: sum of the squared differences, float64 [images].
        same: whether the most likely class is the same, bool [images]; ``None`` where outputs
            do not exclude each other.
        kl: divergence of the softmaxes in nats, float64 [images]; ``None`` likewise, and where
            answers have no logits.
    """

    signal: NDArray[np.float64]
    noise: NDArray[np.float64]
    same: NDArray[np.bool_] | None
    kl: NDArray[np.float64] | None


def fidelity(
    reference: NDArray[Any], logits: NDArray[Any], *, exclusive: bool = True, shares: bool = True
) -> Fidelity:
    """Compare two networks' logits of the same images.

    Args:
        reference: real values [images, classes] of the float network.
        logits: the same of the quantized network, dequantized.
        exclusive: one class or another is right, as a softmax has it. One plain value, or a
            sigmoid for each class, has no most likely class.
        shares: these are logits of probabilities, as ``Classifier.shares`` says.

    Raises:
        InputError: other shapes, no images, or values that are not finite.
    """
    return summary([image_errors(reference, logits, exclusive=exclusive, shares=shares)])


def image_errors(
    reference: NDArray[Any], logits: NDArray[Any], *, exclusive: bool = True, shares: bool = True
) -> ImageErrors:
    """The errors of each image; arguments and errors as for ``fidelity``."""
    if reference.ndim != 2 or reference.shape != logits.shape:
        shapes = f"{list(reference.shape)} against {list(logits.shape)}"
        raise InputError(f"logits of different shapes: {shapes}", "are the classes the same?")
    truth, found = reference.astype(np.float64), logits.astype(np.float64)
    if not (np.isfinite(truth).all() and np.isfinite(found).all()):
        raise InputError("logits that are not finite numbers", "the model is damaged")
    return ImageErrors(
        signal=np.square(truth).sum(axis=1),
        noise=np.square(truth - found).sum(axis=1),
        same=truth.argmax(axis=1) == found.argmax(axis=1) if exclusive else None,
        kl=_divergence(truth, found) if exclusive and shares else None,
    )


def summary(parts: Iterable[ImageErrors]) -> Fidelity:
    """The fidelity over the images of all parts. Raises ``InputError`` if there are none."""
    kept = list(parts)
    if not any(len(part.signal) for part in kept):
        raise InputError("no images to compare")
    signal, noise = (
        np.concatenate([getattr(part, name) for part in kept]) for name in ("signal", "noise")
    )
    each = [sqnr_db(*pair) for pair in zip(signal.tolist(), noise.tolist(), strict=True)]
    return Fidelity(
        images=len(signal),
        agreement=_mean([part.same for part in kept]),
        sqnr_db=sqnr_db(float(signal.sum()), float(noise.sum())),
        median_image_sqnr_db=_median(each),
        kl=_mean([part.kl for part in kept]),
    )


def sqnr_db(signal: float, noise: float) -> float:
    """10 log10(signal / noise): infinite without noise, minus infinite without signal."""
    if noise == 0:
        return math.inf
    return 10 * (math.log10(signal) - math.log10(noise)) if signal > 0 else -math.inf


def _mean(parts: Sequence[NDArray[Any] | None]) -> float | None:
    """Over the images of all parts; ``None`` if any part has none."""
    known = [part for part in parts if part is not None]
    return float(np.concatenate(known).mean()) if len(known) == len(parts) else None


def _divergence(truth: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    log_truth, log_found = _log_softmax(truth), _log_softmax(found)
    divergence = (np.exp(log_truth) * (log_truth - log_found)).sum(axis=1)
    # Rounding can leave equal distributions a hair below 0.
    above: NDArray[np.float64] = np.maximum(divergence, 0.0)
    return above


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted: NDArray[np.float64] = logits - logits.max(axis=1, keepdims=True)
    total: NDArray[np.float64] = np.exp(shifted).sum(axis=1, keepdims=True)
    logs: NDArray[np.float64] = np.subtract(shifted, np.log(total))
    return logs


def _median(values: list[float]) -> float:
    """The median; between two infinities it is the lower one."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low in (high, -math.inf) else (low + high) / 2


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
