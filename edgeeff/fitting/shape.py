"""What decides how long a network runs: how often each kind of work is done.

Every number grows, or stays, when a network gets wider, deeper or larger.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from edgeeff.architectures.blocks import Block, shrunk
from edgeeff.architectures.variants import counts, find_variant

SMOOTH = ("swish", "hard_swish")
"""Activations that are operators of their own; the others are part of a convolution."""


@dataclass(frozen=True)
class Shape:
    """The work of one picture.

    Attributes:
        pointwise: multiply-accumulates of 1x1 convolutions and of the classifier.
        full: those of the stem, and of fused blocks with a larger kernel.
        depthwise: those of depthwise convolutions.
        moved: values that operators read and write.
        smooth: values that go through a smooth activation.
        weights: numbers that are read once.
        operators: how many there are.
        runs: 1: what a run costs whatever is in it.
    """

    pointwise: float = 0
    full: float = 0
    depthwise: float = 0
    moved: float = 0
    smooth: float = 0
    weights: float = 0
    operators: float = 0
    runs: float = 0

    def __add__(self, other: Shape) -> Shape:
        return Shape(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


NAMES = tuple(field.name for field in fields(Shape))


@functools.cache
def shape(variant: str, resolution: int, classes: int | None = None) -> Shape:
    """The work of a variant at a resolution."""
    network = find_variant(variant)
    smooth = network.activation in SMOOTH
    side, filters = shrunk(resolution, 2), network.stem_filters
    total = _activated(filters, side, smooth=smooth) + Shape(
        full=27 * filters * side * side,
        moved=3 * resolution * resolution,
        weights=counts(network, resolution, classes).parameters,
        operators=1,
        runs=1,
    )
    for block in network.blocks:
        for part in _parts(block, side, smooth=smooth):
            total += part
        side, filters = shrunk(side, block.stride), block.filters_out
    head = network.head_filters
    outputs = classes or network.classes
    total += _convolution(filters, head, side, smooth=smooth)
    return total + Shape(
        pointwise=head * outputs, moved=head * side * side + 2 * head + outputs, operators=3
    )


def _parts(block: Block, side: int, *, smooth: bool) -> Iterator[Shape]:
    inside, end = block.filters_expanded, shrunk(side, block.stride)
    if block.fused:
        inner = shrunk(side, block.strides[0])
        yield _activated(inside, inner, smooth=smooth) + Shape(
            full=block.kernel**2 * block.filters_in * inside * inner * inner,
            moved=block.filters_in * side * side,
            operators=1,
        )
    else:
        if block.expands:
            yield _convolution(block.filters_in, inside, side, smooth=smooth)
        yield _activated(inside, end, smooth=smooth) + Shape(
            depthwise=block.kernel**2 * inside * end * end,
            moved=inside * side * side,
            operators=1,
        )
    if block.squeeze:
        # Mean, two convolutions with their activations, and the product.
        yield Shape(pointwise=2 * inside * block.squeeze, moved=3 * inside * end * end, operators=6)
    yield _convolution(inside, block.filters_out, end, smooth=False)
    if block.residual:
        yield Shape(moved=3 * block.filters_out * end * end, operators=1)


def _convolution(inputs: int, outputs: int, side: int, *, smooth: bool) -> Shape:
    """A 1x1 convolution."""
    work = Shape(pointwise=inputs * outputs * side * side, operators=1, moved=inputs * side * side)
    return work + _activated(outputs, side, smooth=smooth)


def _activated(filters: int, side: int, *, smooth: bool) -> Shape:
    """The writing of an operator's values, and their activation."""
    values = filters * side * side
    return Shape(moved=values, smooth=values if smooth else 0)
