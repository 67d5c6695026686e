"""Keeps of a recipe what helps the network at hand.

A recipe was measured on some networks. On another one a correction, or how it finds ranges, may
cost more than it brings. So its result is held against plain rounding of the same network; where
it falls behind, one part after the other is left out until it does not. Equalization is left out
wherever the rest is better: channels that are scaled up are cut off on pictures that wake them
more than those seen did, which ruins a few pictures of some networks and none of others. Groups of
channels cost time: of a network that is no variant they are as few as are as good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.evaluation.classifier import Classifier
from edgeeff.evaluation.fidelity import image_errors
from edgeeff.quantization.corrections.equalization import scalable_groups
from edgeeff.quantization.float_graph import correctable
from edgeeff.quantization.recipes.recipe import CORRECTIONS, Group, Recipe, find_recipe
from edgeeff.quantization.recipes.spelling import spelled
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph

PLAIN = "int8-plain"
"""The recipe whose ranges are those of other converters."""

RANGES = "ranges"

BEHIND = 0.1
"""Decibels that are chance."""

BY_FEW = 0.5
"""The same for the sum over all pictures, which a few own."""

RISKY = "equalize"
"""The part that is looked at even where the whole is better than plain rounding, and left out where
the rest is better by anything: on a MobileNetV2 it made no difference to the pictures that were
looked at, and cost 7 dB on a few of the others."""


FURTHER = "further groups"
"""Those of channels that a region has above ``ENOUGH_DB``: operators more, and time."""

ENOUGH_DB, WORTH = 18.0, 1.0
"""Predicted signal to noise ratio of a region that needs no more groups, and by how many decibels
further ones have to help. In the EfficientNetB0 of keras.applications they took a tenth of the time
and brought 0.9 dB of 16 pictures, and nothing at the median of others."""


@dataclass(frozen=True)
class Helpful:
    """What of a recipe helps a network, and by how much.

    Attributes:
        left_out: parts of the recipe: kinds of corrections, ``ranges``, or ``FURTHER``.
        sqnr_db: of the logits, with what is left.
        whole_db: with the whole recipe.
        plain_db: of plain rounding.
        median_db: as ``sqnr_db``, at the median picture, which has no say: what is left is best by
            the mean, to which pictures that are answered badly add most.
        whole_median_db: likewise with the whole recipe.
        pictures: on how many this was measured. Each counts by the mean of its own signal and
            that of all. Where a recipe that leaves no odd pictures out gains less in the sum
            over them (``BY_FEW`` are chance), that gain is added to ``plain_db`` for the first two.
    """

    left_out: tuple[str, ...]
    sqnr_db: float
    whole_db: float
    plain_db: float
    median_db: float
    whole_median_db: float
    pictures: int

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**asdict(self), "left_out": list(self.left_out)}


def helpful(
    network: FloatModel,
    recipe: Recipe,
    quantize: Callable[[Recipe], bytes],
    pictures: npt.NDArray[np.uint8],
) -> tuple[Recipe, Helpful]:
    """The recipe without what costs more than it brings.

    Args:
        network: the float network.
        recipe: of a scheme with ranges.
        quantize: makes the network of a recipe.
        pictures: uint8 [count, height, width, 3]; best those that calibration does not see.

    Returns:
        The recipe, spelled out if anything was left out, and what was measured.
    """
    truth = _logits(network, network.graph, pictures)

    def of_pictures(candidate: Recipe) -> tuple[float, float, float]:
        """In decibels, of the mean picture, of all together and of the median picture."""
        errors = image_errors(truth, _logits(network, quantize(candidate), pictures))
        # By its own signal alone a picture whose logits are nearly zero would own the mean.
        usual = (errors.signal + errors.signal.mean()) / 2
        shares = errors.noise / np.maximum(usual, 1e-30)
        together = errors.noise.sum() / max(errors.signal.sum(), 1e-30)
        return _decibels(shares.mean()), _decibels(together), _decibels(np.median(shares))

    plain, plain_together, plain_median = of_pictures(_plain(recipe))
    medians = {_plain(recipe): plain_median}

    def measured(candidate: Recipe) -> float:
        mean, together, medians[candidate] = of_pictures(candidate)
        # Without odd pictures a recipe gives up the few that own the sum.
        gives_up = recipe.ranges.odd > 0
        return mean if gives_up else min(mean, plain + together - plain_together + BY_FEW)

    parts = dict(_without_a_part(network, recipe))
    whole = measured(recipe)
    best, kept = whole, recipe
    left_out: tuple[str, ...] = ()
    for part, candidate in parts.items():
        enough = best >= plain - BEHIND
        if enough and part != RISKY:
            continue
        found = measured(candidate)
        if found > best:
            best, left_out, kept = found, (part,), candidate
    if best < plain - BEHIND:
        best, left_out, kept = plain, tuple(parts), _plain(recipe)
    # For the variants themselves their number was chosen.
    fewer = _with_fewer_groups(kept) if network.variant is None else None
    if fewer is not None and (found := measured(fewer)) > best - WORTH:
        best, left_out, kept = found, (*left_out, FURTHER), fewer
    at_median = medians[kept], medians[recipe]
    helps = Helpful(left_out, best, whole, plain, *at_median, len(pictures))
    return (spelled(kept) if left_out else recipe), helps


def _decibels(noise: float) -> float:
    return float(-10 * np.log10(noise + 1e-12))


def _without_a_part(network: FloatModel, recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """The recipe without each of its parts, by the part's name; first those that cost most."""
    scalable = bool(scalable_groups(correctable(network.graph)))
    plain = find_recipe(PLAIN).ranges
    if recipe.ranges != plain:
        yield RANGES, replace(recipe, ranges=plain)
    for kind, type_ in reversed(list(CORRECTIONS.items())):
        if kind == RISKY and not scalable:
            continue
        others = tuple(it for it in recipe.corrections if not isinstance(it, type_))
        if others != recipe.corrections:
            yield kind, replace(recipe, corrections=others)


def _with_fewer_groups(recipe: Recipe) -> Recipe | None:
    """``None`` if it makes no more than these."""
    rule = recipe.correction(Group)
    if rule is None or rule.enough_db <= ENOUGH_DB:
        return None
    fewer = replace(rule, enough_db=ENOUGH_DB)
    corrections = tuple(fewer if it is rule else it for it in recipe.corrections)
    return replace(recipe, corrections=corrections)


def _plain(recipe: Recipe) -> Recipe:
    return replace(recipe, ranges=find_recipe(PLAIN).ranges, corrections=())


def _logits(
    network: FloatModel, model: bytes | Graph, pictures: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    return Classifier(model, network.preprocessing)(pictures).logits
