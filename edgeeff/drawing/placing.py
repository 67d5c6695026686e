"""Where the names of points are written so that they cover neither each other nor points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

LETTER, HEIGHT = 5.8, 10.0
"""Of a letter of 10 pixels, about: text is not measured."""

GAP = 7.0
"""Between a point and its name."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two have a place in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: Box) -> bool:
        """Whether the other one is inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True)
class Place:
    """Where words stand: as SVG's ``text`` takes it."""

    x: float
    y: float
    anchor: str


@dataclass
class Names:
    """The names that were placed so far, inside a frame."""

    frame: Box
    taken: list[Box] = field(default_factory=list)

    def keep_clear(self, x: float, y: float, radius: float) -> None:
        """Let no name cover a point."""
        self.taken.append(Box(x - radius, y - radius, x + radius, y + radius))

    def place(self, x: float, y: float, words: str) -> Place | None:
        """A free place beside a point; ``None`` where there is none."""
        for place, box in _places(x, y, LETTER * len(words)):
            if self.frame.holds(box) and not any(box.meets(other) for other in self.taken):
                self.taken.append(box)
                return place
        return None


def _places(x: float, y: float, width: float) -> Iterator[tuple[Place, Box]]:
    """Places around a point, the best first."""
    for across, down in ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)):
        middle = y + down * (GAP + HEIGHT / 2 - (2 if across else 0))
        anchor = {1: "start", -1: "end", 0: "middle"}[across]
        at = x + across * (GAP if not down else GAP - 3)
        left = {1: at, -1: at - width, 0: at - width / 2}[across]
        box = Box(left, middle - HEIGHT / 2, left + width, middle + HEIGHT / 2)
        yield Place(at, middle + 3.5, anchor), box
