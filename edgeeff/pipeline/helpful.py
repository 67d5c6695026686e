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
the rest is better by anything. Judged by pictures that it has seen it cost a MobileNet 4 dB of
others unnoticed."""

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


@dataclass(frozen=True)
class Comparison:
    """How recipes are compared.

    Attributes:
        quantize: makes the network of a recipe.
        pictures: that judge it, uint8 [count, height, width, 3].
    """

    quantize: Callable[[Recipe], bytes]
    pictures: npt.NDArray[np.uint8]


def helpful(
    network: FloatModel, recipe: Recipe, usual: Comparison, unseen: Comparison | None = None
) -> tuple[Recipe, Helpful]:
    """The recipe without what costs more than it brings.

    Args:
        network: the float network.
        recipe: of a scheme with ranges.
        usual: as the network will be calibrated.
        unseen: by pictures that do not calibrate, where those of the usual one do; ``None``: they
            do not. On pictures that it has seen ``RISKY`` looks good always.

    Returns:
        The recipe, spelled out if anything of it changed, and what was measured, of ``RISKY`` on
        unseen pictures.
    """
    judge = _Judge(network, recipe, usual)
    tame = dict(_without_a_part(network, recipe)).get(RISKY)
    risk = _Judge(network, recipe, unseen) if unseen and tame else judge
    kept = tame if tame and risk(tame) > risk(recipe) else recipe
    left_out: tuple[str, ...] = () if kept is recipe else (RISKY,)
    best, kept, others = _without_what_costs(network, kept, judge)
    left_out += others
    # For the variants themselves their number was chosen.
    fewer = _with_fewer_groups(kept) if network.variant is None else None
    if fewer is not None and judge(fewer) > best - WORTH:
        left_out, kept = (*left_out, FURTHER), fewer
    shown = risk if left_out == (RISKY,) else judge
    helps = Helpful(
        left_out,
        sqnr_db=shown(kept),
        whole_db=shown(recipe),
        plain_db=shown.plain,
        median_db=shown.measured(kept).median,
        whole_median_db=shown.measured(recipe).median,
        pictures=shown.count,
    )
    return (spelled(kept) if kept != recipe else recipe), helps


@dataclass(frozen=True)
class _Measured:
    """What a recipe does, in decibels: at the mean picture, in all together, at the median one."""

    mean: float
    together: float
    median: float


class _Judge:
    """Measures each recipe once on the same pictures; calls give what decides, in decibels."""

    def __init__(self, network: FloatModel, recipe: Recipe, by: Comparison) -> None:
        self._network, self._by = network, by
        self.count = len(by.pictures)
        self._truth = _logits(network, network.graph, by.pictures)
        # Without odd pictures a recipe gives up the few that own the sum.
        self._gives_up = recipe.ranges.odd > 0
        self._known: dict[Recipe, _Measured] = {}
        self._plain = self.measured(_plain(recipe))
        self.plain = self._plain.mean

    def __call__(self, candidate: Recipe) -> float:
        found = self.measured(candidate)
        if self._gives_up:
            return found.mean
        gain = found.together - self._plain.together
        return min(found.mean, self.plain + gain + BY_FEW)

    def measured(self, candidate: Recipe) -> _Measured:
        """All of it."""
        if candidate not in self._known:
            model = self._by.quantize(candidate)
            found = _logits(self._network, model, self._by.pictures)
            errors = image_errors(self._truth, found)
            # By its own signal alone a picture whose logits are nearly zero would own the mean.
            usual = (errors.signal + errors.signal.mean()) / 2
            shares = errors.noise / np.maximum(usual, 1e-30)
            together = errors.noise.sum() / max(errors.signal.sum(), 1e-30)
            noises = shares.mean(), together, np.median(shares)
            self._known[candidate] = _Measured(*map(_decibels, noises))
        return self._known[candidate]


def _without_what_costs(
    network: FloatModel, recipe: Recipe, judge: _Judge
) -> tuple[float, Recipe, tuple[str, ...]]:
    """Decibels, the recipe that is left, and the parts that are left out."""
    best, kept = judge(recipe), recipe
    left_out: tuple[str, ...] = ()
    while best < judge.plain - BEHIND:
        costly = None
        for part, candidate in _without_a_part(network, kept):
            if judge(candidate) > best:
                best, costly = judge(candidate), (part, candidate)
            if best >= judge.plain - BEHIND:
                break
        if costly is None:
            return judge.plain, _plain(recipe), tuple(dict(_without_a_part(network, recipe)))
        part, kept = costly
        left_out = (*left_out, part)
    return best, kept, left_out


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
