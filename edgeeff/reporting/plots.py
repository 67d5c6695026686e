"""The plots of the report: quality against cost, layers, coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edgeeff.accelerators.plan import HARDWARE
from edgeeff.architectures.plot import published_series
from edgeeff.drawing.amounts import counted, megabytes, milliseconds, percent
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, chart
from edgeeff.drawing.svg import BLUE, INK, ORANGE, SERIES, Plot, shortened
from edgeeff.evaluation.layers.report import LayerError
from edgeeff.reporting.figures import Latency, Quality
from edgeeff.reporting.subjects import Subject

IMAGENET = (1000, 1001)
"""Outputs of a network for ImageNet's classes: only those stand before the published ones."""

MOST_NAMED = 24
"""Of more points no names are written: pointing at one, and the table, tell it."""

BYTES = Axis("bytes of the file", megabytes, log=True)
PARAMETERS = Axis("parameters", counted, log=True)
MACS = Axis("multiply-accumulates per picture", counted, log=True)
LATENCY = Axis("median latency", milliseconds, log=True)
TOP1 = Axis("top-1", percent, bounds=(0, 1))
SQNR = Axis("SQNR of the median picture, dB")
LAYERS_SHOWN = Axis("layer, from input to output")
LAYER_SQNR = Axis("SQNR, dB")
PICTURES = Axis("pictures", counted, log=True)
RANGES = Axis("share of the final ranges", percent, bounds=(0, 1))
COSTS: tuple[tuple[str, Axis, str, Callable[[Subject], float | None]], ...] = (
    ("size", BYTES, "", lambda one: one.size),
    ("parameters", PARAMETERS, "parameters", lambda one: one.parameters),
    ("work", MACS, "macs", lambda one: one.macs),
)
"""Name, axis, the published figure of that name, and how much a model costs."""

LONGEST_AXIS = 62
BEST_DB = 100.0
"""Above, a layer is as good as without error."""


@dataclass(frozen=True)
class _Good:
    """What stands on the vertical axis: top-1, or where nobody measured it, fidelity."""

    axis: Axis
    of: Callable[[Subject], Quality | None]

    def value(self, subject: Subject) -> float | None:
        found = self.of(subject)
        if found is None:
            return None
        if self.axis is SQNR:
            return found.median_sqnr_db
        return found.top1.value if found.top1 else None

    def interval(self, subject: Subject) -> tuple[float, float] | None:
        found = self.of(subject)
        top1 = found.top1 if found and self.axis is TOP1 else None
        return (top1.low, top1.high) if top1 else None


_Found = Sequence[tuple[Subject, float]]
"""Models with what they cost."""


def quality_plots(subjects: Sequence[Subject]) -> tuple[Plot, ...]:
    """Quality against size, parameters, work and latency; none where nothing was measured."""
    labelled = any(one.accuracy for one in subjects)
    good = _Good(TOP1, lambda one: one.accuracy) if labelled else _Good(SQNR, lambda o: o.fidelity)
    shown = [one for one in subjects if good.value(one) is not None]
    what = "Accuracy" if labelled else "Fidelity"
    plots = []
    for name, axis, published, cost in COSTS:
        found = [(one, spent) for one in shown if (spent := cost(one))]
        comparable = labelled and all(one.classes in IMAGENET for one, _ in found)
        behind = published_series(published) if published and comparable else []
        plots.append(_plot(f"{what} by {name}", axis, good, found, behind=behind))
    for place, latencies in _by_place(shown).items():
        spent_there = [(one, latency.figure.median) for one, latency in latencies]
        spans = {one.sha256: latency.figure.ci95 for one, latency in latencies}
        axis = Axis(shortened(f"median latency, {place}", LONGEST_AXIS), milliseconds, log=True)
        plots.append(_plot(f"{what} by latency", axis, good, spent_there, spans=spans))
    return tuple(plot for plot in plots if plot is not None)


def _plot(
    title: str,
    axis: Axis,
    good: _Good,
    found: _Found,
    *,
    behind: Sequence[Series] = (),
    spans: Mapping[str, tuple[float, float]] | None = None,
) -> Plot | None:
    """Models judged on other pictures have other colours: their figures are not to be mixed."""
    if not found:
        return None
    groups: dict[str, list[tuple[Subject, float]]] = {}
    for one, spent in found:
        quality = good.of(one)
        if quality is not None:
            groups.setdefault(_judged(quality), []).append((one, spent))
    series = [
        Series(
            f"measured: {pictures}",
            SERIES[number % len(SERIES)],
            _points(members, good, named=len(found), spans=spans or {}),
        )
        for number, (pictures, members) in enumerate(groups.items())
    ]
    return chart(Chart(title, axis, good.axis, [*behind, *series]))


def _judged(quality: Quality) -> str:
    """The pictures of a figure, as a legend has room for them."""
    return f"{quality.images:,} pictures, {PurePath(quality.pictures).name}"


def _by_place(subjects: Iterable[Subject]) -> dict[str, list[tuple[Subject, Latency]]]:
    """Latencies measured on hardware by the place in words: each place is a plot of its own."""
    found: dict[str, list[tuple[Subject, Latency]]] = {}
    for one in subjects:
        for latency in one.latencies:
            if latency.figure.provenance == HARDWARE:
                found.setdefault(latency.place, []).append((one, latency))
    return dict(sorted(found.items()))


def _points(
    members: _Found,
    good: _Good,
    *,
    named: int,
    spans: Mapping[str, tuple[float, float]],
) -> list[Point]:
    points = []
    for one, spent in members:
        value = good.value(one)
        if value is None:
            continue
        shown = f"{value:.1%}" if good.axis is TOP1 else f"{value:.1f} dB"
        points.append(
            Point(
                spent,
                value,
                _short(one.name) if named <= MOST_NAMED else "",
                f"{one.name}: {shown}",
                spans.get(one.sha256),
                good.interval(one),
            )
        )
    return points


def _short(name: str) -> str:
    return name.removesuffix(".tflite").replace("efficientnet-", "")


def layers_plot(errors: Sequence[LayerError], name: str) -> Plot:
    """The error of each layer along the network."""
    ordered = sorted(errors, key=lambda error: error.index)
    lines = (
        ("the network up to here", INK, [e.sqnr_db for e in ordered]),
        ("its activation alone", ORANGE, [e.activation_sqnr_db for e in ordered]),
        ("its weights alone", BLUE, [e.weight_sqnr_db for e in ordered]),
    )
    series = [
        Series(
            title,
            colour,
            [
                Point(number, min(value, BEST_DB), told=f"{error.name}: {value:.1f} dB")
                for number, (error, value) in enumerate(zip(ordered, values, strict=True), 1)
                if value is not None and not math.isnan(value)
            ],
            joined=True,
            dots=False,
        )
        for title, colour, values in lines
    ]
    return chart(
        Chart(f"What each layer of {_short(name)} loses", LAYERS_SHOWN, LAYER_SQNR, series)
    )


def coverage_plot(curve: Sequence[tuple[float, float, float]], name: str) -> Plot:
    """How much of the final ranges a number of pictures shows: pictures, mean, least."""
    series = [
        Series(title, colour, [Point(row[0], row[column]) for row in curve], joined=True)
        for title, colour, column in (
            ("mean over activations", BLUE, 1),
            ("the activation with the least", ORANGE, 2),
        )
    ]
    title = f"Calibration of {_short(name)}: are the pictures enough?"
    return chart(Chart(title, PICTURES, RANGES, series))
