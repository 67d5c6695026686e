"""The layer error report as a picture.

Rows are the layers from input to output. Each has a bar for the error of its weights and one for
that of its activation; a line follows the error of the whole network up to there. The axis is
the SQNR in dB and falls from left to right, so that more error is further right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeeff.drawing.svg import (
    BAND,
    BLUE,
    FAINT,
    GRID,
    INK,
    ORANGE,
    PAPER,
    Plot,
    label,
    opened,
    shortened,
    text,
)
from edgeeff.evaluation.layers.report import LayerError

WEIGHTS, ACTIVATION, NETWORK = BLUE, ORANGE, INK
ROW, BAR = 17, 6
"""Heights in pixels."""

PLOT_WIDTH, MARGIN, HEAD, AXIS = 560, 18, 104, 34
LETTER, BOLD_LETTER = 6.4, 7.4
"""Width of a letter of 11 pixels, about: text is not measured."""

LONGEST_NAME, LONGEST_CAUSE, LONGEST_TITLE = 48, 110, 80
NARROWEST = 860.0
WORST = 5
TICK = 5
BEST_SHOWN, WORST_SHOWN = 80.0, -10.0
"""Beyond these a bar or point is drawn at the edge."""


@dataclass(frozen=True)
class _Frame:
    """Where everything goes, in pixels."""

    rows: int
    names: float
    causes: float
    best: float
    worst: float

    @property
    def left(self) -> float:
        return MARGIN + self.names + 10

    @property
    def right(self) -> float:
        return self.left + PLOT_WIDTH

    @property
    def width(self) -> float:
        return max(NARROWEST, self.right + (self.causes + 12 if self.causes else 0) + MARGIN)

    @property
    def top(self) -> float:
        return HEAD + AXIS

    @property
    def bottom(self) -> float:
        return self.top + self.rows * ROW

    @property
    def height(self) -> float:
        return self.bottom + AXIS + MARGIN

    def x(self, db: float) -> float:
        """The place of an SQNR; more error is further right."""
        share = (self.best - db) / (self.best - self.worst)
        return self.left + PLOT_WIDTH * min(1.0, max(0.0, share))

    def y(self, row: int) -> float:
        """The middle of a row."""
        return self.top + (row + 0.5) * ROW


def layer_plot(errors: Sequence[LayerError], title: str, subtitle: str = "") -> Plot:
    """Draw what ``layer_errors`` found.

    Args:
        errors: at least one, in any order.
        title: such as the model's name.
        subtitle: such as what it was compared with, and on what.
    """
    layers = sorted(errors, key=lambda error: error.index)
    worst = sorted(errors, key=lambda error: error.own_db)[:WORST]
    frame = _frame(layers)
    parts = [
        *opened(title, frame.width, frame.height),
        *_head(frame, title, subtitle),
        *_bands(frame),
        *_axis(frame),
        *(part for row, layer in enumerate(layers) for part in _bars(frame, row, layer, worst)),
        *_line(frame, layers),
        "</svg>",
    ]
    return Plot("\n".join(parts) + "\n", title)


def _frame(layers: Sequence[LayerError]) -> _Frame:
    ratios = [
        min(BEST_SHOWN, max(WORST_SHOWN, value))
        for layer in layers
        for value in (layer.sqnr_db, layer.activation_sqnr_db, layer.weight_sqnr_db)
        if value is not None and math.isfinite(value)
    ]
    best = TICK * math.ceil((max(ratios, default=40.0) + 1) / TICK)
    worst = TICK * math.floor((min(ratios, default=10.0) - 1) / TICK)
    return _Frame(
        len(layers),
        BOLD_LETTER * max(min(len(layer.name), LONGEST_NAME) for layer in layers),
        LETTER * max(min(len(layer.cause), LONGEST_CAUSE) for layer in layers),
        best,
        worst,
    )


def _head(frame: _Frame, title: str, subtitle: str) -> Iterator[str]:
    yield label(MARGIN, 32, shortened(title, LONGEST_TITLE), size=18, weight="600")
    yield label(MARGIN, 52, shortened(subtitle, 2 * LONGEST_TITLE), size=12, fill=FAINT)
    note = f"Further right is more error. Bold: the {WORST} layers with most error of their own."
    yield label(MARGIN, 70, note, size=12, fill=FAINT)
    x = float(MARGIN)
    for colour, words in ((WEIGHTS, "its weights alone"), (ACTIVATION, "its activation alone")):
        yield f'<rect x="{x}" y="86" width="14" height="9" fill="{colour}"/>'
        yield label(x + 20, 95, words, size=12)
        x += 36 + 7 * len(words)
    yield (
        f'<path d="M{x} 90.5h22" stroke="{NETWORK}" stroke-width="2"/>'
        f'<circle cx="{x + 11}" cy="90.5" r="3" fill="{NETWORK}"/>'
    )
    yield label(x + 28, 95, "the network up to here", size=12)


def _bands(frame: _Frame) -> Iterator[str]:
    wide = frame.width - 2 * MARGIN
    for row in range(0, frame.rows, 2):
        y = frame.y(row) - ROW / 2
        yield f'<rect x="{MARGIN}" y="{y:.1f}" width="{wide:.1f}" height="{ROW}" fill="{BAND}"/>'


def _axis(frame: _Frame) -> Iterator[str]:
    step = TICK if frame.best - frame.worst <= 12 * TICK else 2 * TICK
    ticks = [db for db in range(int(frame.worst), int(frame.best) + 1) if db % step == 0]
    for db in ticks:
        x = frame.x(db)
        yield f'<path d="M{x:.1f} {frame.top}V{frame.bottom}" stroke="{GRID}"/>'
        for y in (frame.top - 6, frame.bottom + 14):
            yield label(x, y, str(db), anchor="middle", fill=FAINT)
    middle = (frame.left + frame.right) / 2
    for y in (frame.top - 20, frame.bottom + 29):
        yield label(middle, y, "SQNR in dB", anchor="middle", fill=FAINT)


def _bars(frame: _Frame, row: int, layer: LayerError, worst: Sequence[LayerError]) -> Iterator[str]:
    y = frame.y(row)
    bold = "700" if layer in worst else "400"
    name = shortened(layer.name, LONGEST_NAME)
    yield f"<g><title>{text(_told(layer))}</title>"
    yield label(frame.left - 8, y + 4, name, anchor="end", weight=bold)
    bars = ((layer.weight_sqnr_db, -BAR, WEIGHTS), (layer.activation_sqnr_db, 0, ACTIVATION))
    for ratio, up, colour in bars:
        if ratio is not None and math.isfinite(ratio):
            width = max(1.0, frame.x(ratio) - frame.left)
            yield (
                f'<rect x="{frame.left:.1f}" y="{y + up:.1f}" width="{width:.1f}" '
                f'height="{BAR}" fill="{colour}"/>'
            )
    if layer.cause:
        yield label(frame.right + 12, y + 4, shortened(layer.cause, LONGEST_CAUSE), fill=FAINT)
    yield "</g>"


def _line(frame: _Frame, layers: Sequence[LayerError]) -> Iterator[str]:
    points = [
        (frame.x(layer.sqnr_db), frame.y(row))
        for row, layer in enumerate(layers)
        if math.isfinite(layer.sqnr_db)
    ]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    for colour, width in ((PAPER, 5), (NETWORK, 2)):
        yield (
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="{width}" '
            'stroke-linejoin="round"/>'
        )
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{NETWORK}" stroke="{PAPER}"/>'


def _told(layer: LayerError) -> str:
    """What a browser shows when one points at a row."""
    ratios = (
        ("weights", layer.weight_sqnr_db),
        ("activation", layer.activation_sqnr_db),
        ("network up to here", layer.sqnr_db),
    )
    words = ", ".join(f"{what} {_db(ratio)}" for what, ratio in ratios if ratio is not None)
    return f"{layer.name} ({layer.operator}): {words}. {layer.cause}"


def _db(ratio: float) -> str:
    return f"{ratio:.1f} dB" if math.isfinite(ratio) else "no error"
