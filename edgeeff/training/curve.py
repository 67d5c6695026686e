"""The learning curve of a run as a picture: losses and accuracies over the epochs, one SVG."""

from __future__ import annotations

from edgeeff.drawing import BLUE, FAINT, GRID, INK, ORANGE, label, opened
from edgeeff.training.runs import Run

WIDTH, HEIGHT = 420.0, 240.0
LEFT, GAP, TOP, BOTTOM = 60.0, 80.0, 84.0, 48.0
LINES = 4
"""Of the grid, between top and bottom."""


def curve(run: Run) -> str:
    """Draw the epochs of a run, one at least.

    Returns:
        An SVG document, UTF-8 text without references to anything outside.
    """
    epochs = run.epochs
    width, height = 2 * (LEFT + WIDTH) + GAP, TOP + HEIGHT + BOTTOM
    title = f"{run.settings.variant} on {run.settings.dataset or run.settings.data}"
    best = run.best
    said = (
        f"best: epoch {best.epoch}, {best.val_top1:.2%} of the pictures to choose by"
        if best
        else ""
    )
    parts = [*opened(title, width, height), label(LEFT, 30, title, size=17, weight="600")]
    parts.append(label(LEFT, 50, said, size=12, fill=FAINT))
    panels = (
        ("loss", [one.loss for one in epochs], [one.val_loss for one in epochs], "{:.2f}"),
        ("top-1", [one.accuracy for one in epochs], [one.val_top1 for one in epochs], "{:.0%}"),
    )
    for number, (name, training, judged, form) in enumerate(panels):
        left = LEFT + number * (LEFT + WIDTH + GAP - LEFT)
        parts += _panel(left, name, training, judged, form)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    left: float, name: str, training: list[float], judged: list[float], form: str
) -> list[str]:
    """One pair of lines over the epochs, with its axes."""
    values = [*training, *judged]
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.05
    low, high = max(0.0, low - room), high + room
    if name == "top-1":
        high = min(1.0, high)

    def x(place: int) -> float:
        return left + WIDTH * (place / max(1, len(training) - 1))

    def y(value: float) -> float:
        return TOP + HEIGHT * (high - value) / (high - low)

    parts = []
    for step in range(LINES + 1):
        value = low + (high - low) * step / LINES
        parts.append(f'<path d="M{left:.1f} {y(value):.1f}h{WIDTH}" stroke="{GRID}"/>')
        parts.append(label(left - 8, y(value) + 4, form.format(value), anchor="end", fill=FAINT))
    for colour, words, line in (
        (ORANGE, f"{name} in training, on changed pictures", training),
        (BLUE, f"{name} of the average, on pictures to choose by", judged),
    ):
        points = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in enumerate(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f"<title>{words}</title>"
        )
        parts += [
            f'<circle cx="{x(place):.1f}" cy="{y(value):.1f}" r="2.5" fill="{colour}"/>'
            for place, value in enumerate(line)
        ]
    for row, (colour, words) in enumerate(((ORANGE, "in training"), (BLUE, "to choose by"))):
        place = left + row * 110
        parts.append(f'<rect x="{place:.1f}" y="64" width="14" height="4" fill="{colour}"/>')
        parts.append(label(place + 19, 70, words, fill=INK))
    for place in {0, len(training) - 1}:
        parts.append(
            label(x(place), TOP + HEIGHT + 16, str(place + 1), anchor="middle", fill=FAINT)
        )
    parts.append(
        label(left + WIDTH / 2, TOP + HEIGHT + 34, f"{name} by epoch", anchor="middle", fill=FAINT)
    )
    return parts
