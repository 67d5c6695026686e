"""A quantized model as it was made and judged, and the fields of its row in the results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from quantizers import Way
from subjects import HELD_OUT_CROPS

from edgeeff.evaluation.accuracy import Share, wilson
from edgeeff.evaluation.fidelity import Fidelity
from edgeeff.evaluation.paired import drop

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Made:
    """An int8 .tflite and what it took."""

    way: Way
    path: Path
    seconds: float
    peak_bytes: int

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """A model and how it was judged.

    Attributes:
        made: the model.
        fidelity: to the float network.
        ranks: of the labels, if the pictures have any.
        same: whether the answer to each picture is the float network's.
        sure: whether the float network gives its answer at least ``SURE``.
    """

    made: Made
    fidelity: Fidelity
    ranks: Labels | None
    same: npt.NDArray[np.bool_]
    sure: npt.NDArray[np.bool_]


Fields = dict[str, Any]
Part = Callable[[Verdict], Fields]
"""Some fields of a row."""


def fidelity_fields(it: Verdict) -> Fields:
    """How close to the float network, in full precision."""
    found = it.fidelity
    return {
        "sqnr_db": found.sqnr_db,
        "median_image_sqnr_db": found.median_image_sqnr_db,
        "kl": found.kl,
        "agreement": {"value": found.agreement, "images": found.images},
    }


def cost_fields(it: Verdict) -> Fields:
    """What the step from float to int8 took, and the size of the file."""
    size = it.made.path.stat().st_size
    return {"seconds": it.made.seconds, "megabytes": size / 1e6}


def peak_fields(it: Verdict) -> Fields:
    """The memory of the step from float to int8."""
    return {"peak_megabytes": it.made.peak_bytes / 1e6}


def by_photograph_fields(it: Verdict) -> Fields:
    """Agreement with its interval by photographs, and where the float network is sure."""
    sure = {"value": float(it.same[it.sure].mean()), "images": int(it.sure.sum())}
    return {"agreement": agreement(it.same, HELD_OUT_CROPS), "agreement_where_sure": sure}


def agreement_fields(it: Verdict) -> Fields:
    """Agreement on pictures of which each is another photograph."""
    return {"agreement": _share(it.same).to_json()}


def accuracy_fields(float_ranks: Labels) -> Part:
    """Accuracy, and what is lost of the float network's, in points with 95% intervals."""
    before = _share(float_ranks == 0).to_json()

    def fields(it: Verdict) -> Fields:
        assert it.ranks is not None
        found = drop(float_ranks, it.ranks)
        lost = {"value": 100 * found.value, "ci95": [100 * end for end in found.interval]}
        top1 = _share(it.ranks == 0).to_json()
        return {"float_top1": before, "top1": top1, "points_lost": lost}

    return fields


def _share(found: npt.NDArray[np.bool_]) -> Share:
    return wilson(int(found.sum()), len(found))


DRAWS = 10_000


def agreement(same: npt.NDArray[np.bool_], crops: int) -> Fields:
    """With its 95% interval, by drawing photographs: crops of one succeed or fail together."""
    by_photograph = same.reshape(-1, crops).mean(axis=1)
    count = len(by_photograph)
    drawn = np.random.default_rng(0).choice(by_photograph, (DRAWS, count)).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"value": float(same.mean()), "ci95": [float(low), float(high)]}
