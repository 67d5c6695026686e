"""The plots of the report: quality against cost, layers, coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import PurePath

from edgeeff.accelerators.plan import HARDWARE
from edgeeff.architectures.plot import published_series
from edgeeff.drawing.amounts import counted, megabytes, milliseconds, percent
from edgeeff.drawing.axes import Axis
from edgeeff.drawing.charts import Chart, Point, Series, chart
from edgeeff.drawing.svg import BLUE, INK, ORANGE, SERIES, Plot, shortened
from edgeeff.evaluation.layers.report import LayerError
from edgeeff.reporting.figures import Quality
from edgeeff.reporting.subjects import Subject

IMAGENET = (1000, 1001)
"""Outputs of a network for ImageNet's classes: only those stand before the published ones."""

MOST_NAMED = 24
"""Of more points no names are written: pointing at one, and the table, tell it."""

BYTES = Axis("bytes of the file", megabytes, log=True)
PARAMETERS = Axis("parameters", counted, log=True)
MACS = Axis("multiply-accumulates per picture", counted, log=True)
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


Interval = tuple[float, float]


@dataclass(frozen=True)
class _Judged:
    """A model with what stands on the vertical axis.

    Attributes:
        interval: of the value, if it has one.
        pictures: that it was judged on, as a legend has room for them.
    """

    subject: Subject
    value: float
    interval: Interval | None
    pictures: str


_Spent = Sequence[tuple[_Judged, float, Interval | None]]
"""Models with what they cost, and its interval."""


def quality_plots(subjects: Sequence[Subject]) -> tuple[Plot, ...]:
    """Top-1 against size, parameters, work and latency; where nobody measured it, fidelity.

    Models that were judged on other pictures have other colours: their figures are not to be mixed.
    """
    labelled = any(one.accuracy for one in subjects)
    judged = [it for it in map(_by_labels if labelled else _by_fidelity, subjects) if it]
    colours = dict(zip(dict.fromkeys(it.pictures for it in judged), cycle(SERIES), strict=False))
    what, y = ("Accuracy", TOP1) if labelled else ("Fidelity", SQNR)
    plots = []
    for name, axis, published, cost in COSTS:
        spent = [(it, value, None) for it in judged if (value := cost(it.subject))]
        comparable = labelled and all(it.subject.classes in IMAGENET for it, *_ in spent)
        behind = published_series(published) if published and comparable and spent else []
        series = [*behind, *_series(spent, y, colours)]
        plots.append(Chart(f"{what} by {name}", axis, y, series))
    for place, took in _by_place(judged).items():
        axis = Axis(shortened(f"median latency, {place}", LONGEST_AXIS), milliseconds, log=True)
        plots.append(Chart(f"{what} by latency", axis, y, _series(took, y, colours)))
    return tuple(chart(plot) for plot in plots if plot.series)


def _by_labels(subject: Subject) -> _Judged | None:
    found = subject.accuracy
    if found is None or found.top1 is None:
        return None
    return _Judged(subject, found.top1.value, (found.top1.low, found.top1.high), _pictures(found))


def _by_fidelity(subject: Subject) -> _Judged | None:
    found = subject.fidelity
    if found is None or found.median_sqnr_db is None:
        return None
    return _Judged(subject, found.median_sqnr_db, None, _pictures(found))


def _pictures(quality: Quality) -> str:
    return f"{quality.images:,} pictures, {PurePath(quality.pictures).name}"


def _by_place(judged: Iterable[_Judged]) -> dict[str, _Spent]:
    """Latencies measured on hardware by the place in words: each place is a plot of its own."""
    found: dict[str, list[tuple[_Judged, float, Interval | None]]] = {}
    for it in judged:
        for latency in it.subject.latencies:
            figure = latency.figure
            if figure.provenance == HARDWARE:
                found.setdefault(latency.place, []).append((it, figure.median, figure.ci95))
    return dict(sorted(found.items()))


def _series(spent: _Spent, y: Axis, colours: Mapping[str, str]) -> list[Series]:
    """A series for the models of each set of pictures."""
    groups: dict[str, list[Point]] = {}
    for it, cost, span in spent:
        name = it.subject.name
        shown = f"{it.value:.1%}" if y is TOP1 else f"{it.value:.1f} dB"
        short = _short(name) if len(spent) <= MOST_NAMED else ""
        point = Point(cost, it.value, short, f"{name}: {shown}", span, it.interval)
        groups.setdefault(it.pictures, []).append(point)
    return [
        Series(f"measured: {pictures}", colours[pictures], points)
        for pictures, points in groups.items()
    ]


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
