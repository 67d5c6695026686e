"""What each shipped recipe costs and gives: figures measured once, kept as data.

``calibration/measured.toml`` holds them; ``benchmarks/recipe_figures.py`` takes them from the
table of ``docs/quantization.md``.
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
    """

    sqnr_db: float
    median_image_sqnr_db: float
    agreement: float
    kl: float
    seconds: float
    megabytes: float

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Measurements:
    """The figures of all recipes that were measured together.

    Attributes:
        network: such as ``lite0``.
        pictures: how many judged, and what they show.
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


def measurements() -> Measurements:
    """The figures that edgeeff ships."""
    file = shipped.folder() / MEASURED
    table = tomllib.loads(file.read_text("utf-8"))
    recipes = {name: Figures(**fields) for name, fields in table.pop("recipes").items()}
    return Measurements(**table, recipes=recipes)


def integer_only(recipe: Recipe) -> bool:
    """Whether no operator of a network quantized by the recipe computes in float."""
    return recipe.scheme in STATIC and FLOATING.isdisjoint(
        exception.precision for exception in recipe.exceptions
    )
