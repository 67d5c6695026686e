"""The blocks that every EfficientNet is made of, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A run of equal blocks, before width and depth are scaled.

    Attributes:
        repeats: how many blocks; only the first has the stride and changes the filters.
        kernel: side of the square convolution kernel.
        stride: 1, or 2 to halve the picture's side.
        expand: how many times the block widens its input.
        filters_in: filters the stage is fed, as configured.
        filters_out: filters of every block's output.
        squeeze: squeeze-and-excitation width as a share of the block's input; 0 for none.
        fused: one full convolution instead of expansion and depthwise convolution.
        skip: blocks that keep their shape add their input to their output.
    """

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters_in: int
    filters_out: int
    squeeze: float = 0.0
    fused: bool = False
    skip: bool = True


@dataclass(frozen=True)
class Block:
    """One block as it is built, every number final.

    Attributes:
        name: stage and letter as in ``keras.applications``, such as ``block2a``.
        kernel: side of the depthwise kernel, or of the full one if ``fused``.
        stride: of the depthwise convolution; if ``fused``, of what ``strided`` says.
        filters_in: channels of the tensor it is fed.
        filters_expanded: channels inside; equal to ``filters_in`` if it does not expand.
        filters_out: channels of its output.
        squeeze: channels of the squeeze-and-excitation bottleneck; 0 for none.
        fused: one full convolution instead of expansion and depthwise convolution.
        residual: its input is added to its output.
        drop_rate: chance that training skips it (stochastic depth); 0 if not ``residual``.
        strided: as ``Variant.strided``.
        place: the number of its stage, from 1, and its own in there, from 0.
    """

    name: str
    kernel: int
    stride: int
    filters_in: int
    filters_expanded: int
    filters_out: int
    squeeze: int
    fused: bool
    residual: bool
    drop_rate: float
    strided: str = "projection"
    place: tuple[int, int] = (1, 0)

    @property
    def strides(self) -> tuple[int, int]:
        """Of the convolution with the kernel, and of the projection."""
        return (1, self.stride) if self.fused and self.strided == "projection" else (self.stride, 1)

    @property
    def expands(self) -> bool:
        """Whether a convolution widens the input first."""
        return self.filters_expanded != self.filters_in

    def __str__(self) -> str:
        """Its work in words, such as ``1x1 to 96, depthwise 3x3/2, squeeze 4``."""
        first, last = (f"/{stride}" if stride > 1 else "" for stride in self.strides)
        size = f"{self.kernel}x{self.kernel}"
        words = [f"1x1 to {self.filters_expanded}"] if self.expands and not self.fused else []
        words.append(
            f"{size}{first} to {self.filters_expanded}, 1x1{last}"
            if self.fused
            else f"depthwise {size}{first}"
        )
        words += [f"squeeze {self.squeeze}"] if self.squeeze else []
        words += ["residual"] if self.residual else []
        return ", ".join(words)


def round_filters(filters: int, width: float) -> int:
    """``filters`` times ``width``, rounded to a multiple of 8 but never down by over 10%."""
    scaled_filters = filters * width
    rounded = max(8, int(scaled_filters + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled_filters else rounded + 8


@dataclass(frozen=True)
class Counts:
    """What a network costs.

    Attributes:
        parameters: all numbers it stores, BatchNorm's moving statistics included.
        trainable: those that training changes.
        macs: multiply-accumulates for one picture: convolutions, squeeze-and-excitation,
            classifier. BatchNorm is free, it folds into the convolutions.
    """

    parameters: int
    trainable: int
    macs: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.parameters + other.parameters,
            self.trainable + other.trainable,
            self.macs + other.macs,
        )


def block_counts(block: Block, side: int) -> Counts:
    """One block fed a picture of ``side`` pixels."""
    inside, end = block.filters_expanded, shrunk(side, block.stride)
    total = convolution(1, inside, block.filters_out, end)
    if block.fused:
        inner = shrunk(side, block.strides[0])
        return total + convolution(block.kernel, block.filters_in, inside, inner)
    if block.expands:
        total += convolution(1, block.filters_in, inside, side)
    if block.squeeze:
        total += dense(inside, block.squeeze) + dense(block.squeeze, inside)
        total += Counts(0, 0, inside * end * end)  # each value is multiplied by its channel's
    return total + convolution(block.kernel, 1, inside, end)


def convolution(kernel: int, inputs: int, outputs: int, side: int) -> Counts:
    """A convolution without bias and its BatchNorm (which folds away); 1 input: depthwise."""
    weights = kernel * kernel * inputs * outputs
    return Counts(weights + 4 * outputs, weights + 2 * outputs, weights * side * side)


def dense(inputs: int, outputs: int) -> Counts:
    """A layer with bias, run once per picture."""
    weights = (inputs + 1) * outputs
    return Counts(weights, weights, inputs * outputs)


def shrunk(side: int, stride: int) -> int:
    """The side of a picture after a stride with ``same`` padding."""
    return -(-side // stride)
