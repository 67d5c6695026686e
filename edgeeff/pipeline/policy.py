"""Which recipe a network gets, and which ones an accuracy gate tries: said here and nowhere else.

What decides is what the network holds, not its name: a graph from elsewhere is treated as the
variant of its kind is. The choices are measured (docs/results.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgeeff.architectures.variants import Variant
from edgeeff.errors import UsageError
from edgeeff.evaluation.gate import Trial
from edgeeff.pipeline.mixed_precision import check_searchable
from edgeeff.pipeline.settings import Settings
from edgeeff.quantization.calibration.pictures import CalibrationSet
from edgeeff.quantization.calibration.ranges import is_swish
from edgeeff.quantization.corrections.splitting import first_chain
from edgeeff.quantization.quantize import Ends, check_ends, default_ends
from edgeeff.quantization.recipes.recipe import Group, Recipe, find_recipe, kept_precisions
from edgeeff.quantization.recipes.spelling import spelled
from edgeeff.tflite.float_model import FloatModel
from edgeeff.tflite.graph import Graph

USUAL = Settings().precision
"""The precision where none is asked for: a recipe may give another one in its place."""

SWISH = "swish"
"""Activations x · sigmoid(x), whose ranges no ReLU6 bounds."""

SPLITTABLE_STEM = "splittable stem"
"""A first convolution whose channels ``splitting`` can copy."""


@dataclass(frozen=True)
class Choice:
    """Full-integer recipes for one kind of network.

    Attributes:
        holds: what a network of this kind holds.
        recipe: the best measured one.
        ladder: what an accuracy gate tries, from cheap to costly.
    """

    holds: frozenset[str]
    recipe: str
    ladder: tuple[str, ...]


CHOICES = (
    Choice(frozenset({SWISH}), "int8-swish", ("int8-bias", "int8-swish")),
    Choice(frozenset({SPLITTABLE_STEM}), "int8", ("int8-bias", "int8", "int8-split")),
    Choice(frozenset(), "int8", ("int8-bias", "int8")),
)
"""The first one of which a network holds everything is its own."""

MEASURED: Mapping[str, frozenset[str]] = {
    "int8": frozenset({"lite0", "lite1", "lite2"}),
    "int8-swish": frozenset({"b0"}),
}
"""The variants that published figures of a recipe are of (docs/results.md)."""


def held_by(graph: Graph) -> frozenset[str]:
    """What decides about recipes in a float network."""
    found = {
        SWISH: any(is_swish(graph, operator) for operator in graph.operators),
        SPLITTABLE_STEM: first_chain(graph) is not None,
    }
    return frozenset(name for name, present in found.items() if present)


def expected_of(variant: Variant) -> frozenset[str]:
    """What the graph of a variant will hold, before there is one."""
    clipped = variant.activation in ("relu", "relu6")
    found = {
        SWISH: variant.activation == "swish",
        SPLITTABLE_STEM: clipped and not variant.blocks[0].fused,
    }
    return frozenset(name for name, present in found.items() if present)


def choice(holds: frozenset[str]) -> Choice:
    """The full-integer recipes for a network that holds these."""
    return next(candidate for candidate in CHOICES if candidate.holds <= holds)


def plan(settings: Settings, holds: frozenset[str]) -> Recipe:
    """The recipe to take: the user's, else the best for the network in the user's precision.

    Raises:
        UsageError: no such recipe, another precision's, one that cannot be trained or searched
            in, or types of input and output that it does not give.
    """
    recipe = _planned(settings, holds)
    check_ends(recipe, ends(settings, recipe))
    if settings.mixed is not None:
        check_searchable(recipe)
    if settings.qat and (recipe.scheme != "int8" or recipe.exceptions):
        raise UsageError(
            f"--qat trains networks that compute in int8 alone, not those of recipe {recipe.name}",
            "leave out --qat, or choose another recipe (edgeeff recipes)",
        )
    return recipe


def _planned(settings: Settings, holds: frozenset[str]) -> Recipe:
    usual = settings.precision == USUAL
    if settings.recipe is not None:
        recipe = find_recipe(settings.recipe)
        if not usual:
            check_precision(settings.precision, recipe)
        return recipe
    recipe = find_recipe(choice(holds).recipe if usual else settings.precision)
    check_precision(settings.precision, recipe)
    return recipe


def check_precision(precision: str, recipe: Recipe) -> None:
    """Refuse a recipe that gives another precision than was asked for. Raises ``UsageError``."""
    if recipe.scheme != precision:
        raise UsageError(
            f"recipe {recipe.name} gives {recipe.scheme}, not {precision}",
            f"leave out one of --{precision} and --recipe",
        )


def ends(settings: Settings, recipe: Recipe) -> Ends:
    """Types of input and output: the user's, else those of the recipe's scheme."""
    usual = default_ends(recipe)
    return Ends(settings.input_type or usual.input, settings.output_type or usual.output)


def to_try(settings: Settings, holds: frozenset[str]) -> list[Recipe]:
    """The recipes to try until one is within the limits: with limits and none named, the ladder.

    Raises:
        UsageError: as ``plan``.
    """
    recipe = plan(settings, holds)
    chosen = settings.recipe is not None or settings.mixed is not None or settings.qat
    if settings.limits.set and not chosen and recipe.scheme == "int8":
        return [find_recipe(name) for name in choice(holds).ladder]
    return [recipe]


def is_over(tried: Sequence[Recipe], trials: Sequence[Trial]) -> bool:
    """Whether no further recipe is tried: one has passed, or none can and the best is among them.

    Args:
        tried: so far, in this order.
        trials: of each against the limits.
    """
    if not trials[-1].failed:
        return True
    defaults = {candidate.recipe for candidate in CHOICES}
    return any(trial.last for trial in trials) and any(it.name in defaults for it in tried)


def is_checked(settings: Settings, network: FloatModel, recipe: Recipe) -> bool:
    """Whether it is looked at what of a recipe helps the network.

    Not where that was measured, nor where the user chose the recipe, or the network's answers are
    noise.
    """
    measured = network.variant in MEASURED.get(recipe.name, ())
    chosen = settings.recipe is not None or network.untrained
    return recipe.scheme == "int8" and bool(recipe.corrections) and not (measured or chosen)


PICTURES_FIRST = "without-data"
"""BatchNorm tells ranges where the user's pictures do not.

On trained MobileNets and a ResNet8 ranges of 2 to 40 pictures gave 0.3 to 2 dB more than its word,
which costs far pictures most; on Lite0 they gave 0.4 dB less.
"""


def by_pictures(recipe: Recipe, pictures: CalibrationSet) -> Recipe:
    """The recipe for a network that it was not measured on (``is_checked``).

    Args:
        recipe: the default one.
        pictures: that calibrate.

    Returns:
        The same, spelled out, with ranges from the user's pictures if there are any.
    """
    if pictures.synthetic or recipe.ranges.batchnorm == PICTURES_FIRST:
        return recipe
    return spelled(replace(recipe, ranges=replace(recipe.ranges, batchnorm=PICTURES_FIRST)))


RIVALS = {"dynamic": "weight-only"}
"""By scheme, the recipe of the same size that computes more exactly: both are measured where a
result is not good. Activations quantized on the fly have one scale each, which is too little for
the channels of many swish networks; weights of 8 bits alone cost them little."""


def safer(recipe: Recipe, graph: Graph) -> str | None:
    """The recipe to try where this one has ruined a network; ``None``: there is none.

    Weights of 8 bits alone never did: what collapses are activations. Recipes that keep layers by
    name are for networks that call them so.
    """
    if recipe.scheme == "int8" and not recipe.exceptions:
        mixed = "int8-swish-mixed" if recipe.correction(Group) else "int8-mixed"
        if _fits(find_recipe(mixed), graph):
            return mixed
    return None if recipe.scheme in ("weight-only", "float16", "float32") else "weight-only"


def _fits(recipe: Recipe, graph: Graph) -> bool:
    """Whether a network has the layers that a recipe keeps."""
    try:
        kept_precisions(recipe, {operator.name: operator.kind for operator in graph.operators})
    except UsageError:
        return False
    return True
