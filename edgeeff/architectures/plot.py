"""EfficientNet's picture: published accuracy against parameters and multiply-accumulates."""

from __future__ import annotations

from edgeeff.architectures.published import PUBLISHED, PublishedNetwork
from edgeeff.architectures.variants import VARIANTS, Variant, counts
from edgeeff.drawing.amounts import counted, percent
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, beside
from edgeeff.drawing.svg import BLUE, FAINT, GREEN, VERMILION, Plot

FAMILIES = {
    "b": ("EfficientNet-B", BLUE),
    "lite": ("EfficientNet-Lite", VERMILION),
    "edgetpu": ("EfficientNet-EdgeTPU", GREEN),
}
"""Name and colour of each family of variants."""

OTHERS = "other networks"
BEHIND = "EfficientNets as published for ImageNet"
TOP1 = Axis("ImageNet top-1, published", percent, bounds=(0, 1))
PARAMETERS = Axis("parameters", counted, log=True)
MACS = Axis("multiply-accumulates per picture", counted, log=True)

_COSTS: tuple[tuple[Axis, str], ...] = ((PARAMETERS, "parameters"), (MACS, "macs"))


def variants_plot() -> Plot:
    """Published ImageNet top-1 of every variant, and of other families, against what they cost.

    Accuracy is what the authors published (``VARIANTS``, ``PUBLISHED``); parameters and
    multiply-accumulates of the variants are counted, those of other networks as published.
    """
    charts = [
        Chart(
            f"Published accuracy by {axis.title.partition(' ')[0]}",
            axis,
            TOP1,
            (*published_series(cost, colourful=True), _others(cost)),
            width=560,
            height=480,
        )
        for axis, cost in _COSTS
    ]
    return beside("Published ImageNet top-1 of EfficientNets and other networks", charts)


def published_series(cost: str, *, colourful: bool = False) -> list[Series]:
    """The variants as lines, a family each, hollow as all that is published.

    Args:
        cost: ``parameters`` or ``macs``.
        colourful: a colour and a name for each family; else all of them stay behind as one.
    """
    return [
        Series(
            f"{name} (published)" if colourful else "" if number else BEHIND,
            colour if colourful else FAINT,
            [_variant_point(v, cost) for v in VARIANTS.values() if v.family == family],
            hollow=True,
            joined=True,
        )
        for number, (family, (name, colour)) in enumerate(FAMILIES.items())
    ]


def _others(cost: str) -> Series:
    points = [_other_point(network, cost) for network in PUBLISHED]
    return Series(f"{OTHERS} (published)", FAINT, points, hollow=True, shape="square")


def _variant_point(variant: Variant, cost: str) -> Point:
    spent = float(getattr(counts(variant), cost))
    top1 = (variant.top1 or 0) / 100
    told = f"{variant.name}: {top1:.1%} published, {counted(spent)} {cost}"
    return Point(spent, top1, variant.name, told)


def _other_point(network: PublishedNetwork, cost: str) -> Point:
    spent = float(getattr(network, cost))
    top1 = network.top1 / 100
    told = f"{network.name}: {top1:.1%}, {counted(spent)} {cost} ({network.source})"
    return Point(spent, top1, network.name, told)
