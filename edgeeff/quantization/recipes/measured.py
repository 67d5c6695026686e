"""What each shipped recipe costs and gives: figures measured once, kept as data.

``benchmarks/publish.py`` makes ``calibration/measured.toml`` from the documents of the benchmarks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgeeff.quantization.recipes import shipped
from edgeeff.quantization.recipes.recipe import FLOATING, MEASURED, STATIC, Recipe, named_recipes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Figures:
    """One recipe on one network, against its float network.

    Attributes:
        sqnr_db: of the logits.
        median_image_sqnr_db: of the picture in the middle.
        agreement: share of pictures with the same most likely class, 0..1.
        kl: mean divergence of the probabilities in nats.
        seconds: of the quantization step.
        megabytes: of the file, 10^6 bytes.
        agreement_ci95: the 95% interval of the agreement.
        latency_ratio: time per run as a multiple of that of ``int8``.
        latency_ci95: the 95% interval of that.
    """

    sqnr_db: float
    median_image_sqnr_db: float
    agreement: float
    kl: float
    seconds: float
    megabytes: float
    agreement_ci95: tuple[float, float]
    latency_ratio: float | None = None
    latency_ci95: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; what was not measured is null."""
        return asdict(self)


@dataclass(frozen=True)
class Measurements:
    """The figures of all recipes that were measured together, on one network.

    Attributes:
        network: such as ``lite0``, with its training if that is not ImageNet's.
        pictures: how many judged, what they show, and what calibrated.
        command: makes the figures.
        recipes: by recipe name.
    """

    network: str
    pictures: str
    command: str
    recipes: Mapping[str, Figures]

    def of(self, recipe: Recipe) -> Figures | None:
        """The figures of a shipped recipe; ``None`` for one that was changed or not measured."""
        shipped = named_recipes().get(recipe.name)
        unchanged = shipped is not None and shipped.text == recipe.text
        return self.recipes.get(recipe.name) if unchanged else None


def measurements() -> tuple[Measurements, ...]:
    """The figures that edgeeff ships, network by network."""
    file = shipped.folder() / MEASURED
    return tuple(map(_measurements, tomllib.loads(file.read_text("utf-8"))["measured"]))


def _measurements(table: dict[str, Any]) -> Measurements:
    recipes = {name: _figures(fields) for name, fields in table.pop("recipes").items()}
    return Measurements(**table, recipes=recipes)


def _figures(fields: dict[str, Any]) -> Figures:
    pairs = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Figures(**{**fields, **pairs})


def integer_only(recipe: Recipe) -> bool:
    """Whether no operator of a network quantized by the recipe computes in float."""
    return recipe.scheme in STATIC and FLOATING.isdisjoint(
        exception.precision for exception in recipe.exceptions
    )
