"""The frontier as a picture: predicted accuracy against what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from edgeeff.accelerators.plan import HARDWARE
from edgeeff.architectures.plot import FAMILIES
from edgeeff.drawing.amounts import megabytes, milliseconds, percent
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, chart
from edgeeff.drawing.svg import FAINT, INK, PURPLE, Plot
from edgeeff.fitting.budget import Limits
from edgeeff.fitting.candidates import Candidate
from edgeeff.fitting.measured import Measured

TOP1 = Axis("ImageNet top-1, predicted", percent, bounds=(0, 1))


def frontier_plot(
    limits: Limits, frontier: Sequence[Measured], winner: Candidate | None = None
) -> Plot:
    """Draw what was measured, the frontier of it, the budget and what won.

    Args:
        limits: the budget, and all that was measured.
        frontier: the part of it that none is both better and cheaper than.
        winner: what was chosen.
    """
    measured = limits.able
    families = dict.fromkeys(one.candidate.network.family for one in measured)
    series = [
        Series(
            FAMILIES[family][0],
            FAMILIES[family][1],
            [_point(one, limits) for one in measured if one.candidate.network.family == family],
            hollow=True,
        )
        for family in families
    ]
    line = [_point(one, limits, named=True) for one in frontier]
    series.append(Series("frontier", INK, line, joined=True))
    if measured:
        series.append(_budget(limits, measured))
    chosen = [_point(one, limits) for one in measured if one.candidate == winner]
    if chosen:
        series.append(Series("chosen", PURPLE, chosen, shape="diamond"))
    unit = "per picture" if limits.by_time else "of the file"
    form = milliseconds if limits.by_time else megabytes
    cost = Axis(f"{_what(limits, measured)} {unit}", form, log=True)
    return chart(Chart("Predicted accuracy by measured cost", cost, TOP1, series, 640, 460))


def _what(limits: Limits, measured: Sequence[Measured]) -> str:
    if not limits.by_time:
        return "bytes"
    provenances = {one.timing.provenance for one in measured if one.timing} - {HARDWARE}
    label = f" ({', '.join(sorted(provenances))})" if provenances else ""
    where = limits.settings.target
    if limits.settings.device != "local":
        where += f" of {limits.settings.device}"
    return f"measured latency{label}, {where},"


def _budget(limits: Limits, measured: Sequence[Measured]) -> Series:
    tops = [one.candidate.expected.top1 / 100 for one in measured]
    ends = [Point(limits.limit, min(tops), "budget"), Point(limits.limit, max(tops))]
    return Series("", FAINT, ends, hollow=True, joined=True, dots=False)


def _point(measured: Measured, limits: Limits, *, named: bool = False) -> Point:
    candidate, cost = measured.candidate, limits.cost(measured) or 0.0
    form = milliseconds if limits.by_time else megabytes
    name = f"{candidate.variant}, {candidate.precision}" if named else ""
    told = f"{candidate}: {candidate.expected}% predicted, {form(cost)} measured"
    return Point(cost, candidate.expected.top1 / 100, name, told)
