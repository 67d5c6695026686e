"""What a float classifier does to its input before its first layer: the scaling it brings along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import Array
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.model import Operator

UNSCALED = (
    *("CAST", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
    *("RESHAPE", "SQUEEZE", "EXPAND_DIMS"),
)
"""Operators that leave the values as they are, or between those around them."""

WIDEST, NARROWEST = 8.0, 0.4
"""Normalised pictures span so much from black to white: 1 for 0..1, 4.4 for ImageNet's."""

FARTHEST = 4.0
"""No normalised value lies farther from zero; ImageNet's reach 2.7."""

CAFFE = (103.939, 116.779, 123.68)
"""What VGG and ResNet50 of Keras take off pixels of 0 to 255, and divide by nothing: ImageNet's
mean of blue, green and red, as Caffe had it."""


@dataclass(frozen=True)
class Scaling:
    """What happens to an input value ``x``: ``factor · x + offset``, per channel or one for all.

    Attributes:
        factor: float64 [1] or [channels].
        offset: likewise.
    """

    factor: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def then(self, kind: str, constant: Array, *, first: bool) -> Scaling | None:
        """The scaling with one step more; ``None`` if it is none that scales.

        Args:
            kind: ``MUL``, ``ADD``, ``SUB`` or ``DIV``.
            constant: the other operand, one value or one per channel.
            first: the input is the first operand.
        """
        value = constant.reshape(-1).astype(np.float64)
        if kind == "MUL":
            return Scaling(self.factor * value, self.offset * value)
        if kind == "ADD":
            return Scaling(self.factor, self.offset + value)
        if kind == "SUB":
            sign = 1.0 if first else -1.0
            return Scaling(sign * self.factor, sign * (self.offset - value))
        if kind == "DIV" and first and value.all():
            return Scaling(self.factor / value, self.offset / value)
        return None

    @property
    def white(self) -> float | None:
        """What white is at the input if this normalises pictures: 255, 1, or ``None``."""
        if np.all(self.factor == 1) and np.array_equal(np.sort(-self.offset).round(3), CAFFE):
            return 255.0
        return next((white for white in (255.0, 1.0) if self.normalises(white)), None)

    def normalises(self, white: float) -> bool:
        """Whether it makes normalised values of pictures from 0 (black) to ``white``."""
        ends = np.stack(np.broadcast_arrays(self.offset, self.factor * white + self.offset))
        widths = np.abs(ends[1] - ends[0])
        within = widths.min() >= NARROWEST and widths.max() <= WIDEST
        return bool(within and np.abs(ends).max() <= FARTHEST)


UNTOUCHED = Scaling(np.ones(1), np.zeros(1))
"""Before any step."""


def leading_scaling(graph: Graph) -> Scaling | None:
    """The scaling in front of a network's first layer; ``None`` if there is none.

    A Rescaling or Normalization layer becomes such operators: MUL, ADD, SUB and DIV by constants.
    """
    found, tensor = UNTOUCHED, graph.input
    while len(readers := graph.consumers.get(tensor, ())) == 1:
        operator = readers[0]
        if operator.kind not in UNSCALED:
            scaled = _scaled(graph, operator, tensor, found)
            if scaled is None:
                break
            found = scaled
        tensor = operator.output
    return None if found is UNTOUCHED else found


def _scaled(graph: Graph, operator: Operator, tensor: int, before: Scaling) -> Scaling | None:
    """The scaling with one operator more; ``None`` if it is none that scales by a constant."""
    if len(operator.inputs) != 2 or operator.activation != "NONE":
        return None
    first = operator.inputs[0] == tensor
    values = graph.values(operator.inputs[1 if first else 0])
    if values is None or values.size not in (1, graph.shape(tensor)[-1]):
        return None
    return before.then(operator.kind, values, first=first)
