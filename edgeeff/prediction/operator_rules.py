"""Rules on operators that a delegate's table is made of, each a question with one answer.

A condition looks at an operator in its graph and returns why it does not hold, or ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from edgeeff.tflite.model import Operator, Subgraph, Tensor


@dataclass(frozen=True)
class Node:
    """An operator together with the graph it stands in."""

    graph: Subgraph
    operator: Operator

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Its inputs without the optional ones left out."""
        return tuple(self.graph.tensors[index] for index in self.operator.inputs if index >= 0)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Its outputs."""
        return tuple(self.graph.tensors[index] for index in self.operator.outputs)

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """What flows through it: inputs that are no constants, and outputs."""
        return tuple(tensor for tensor in self.inputs if not tensor.constant) + self.outputs

    def option(self, name: str, default: Any = None) -> Any:
        """An entry of its options."""
        return self.operator.options.get(name, default)

    def numbers(self, position: int) -> list[int] | None:
        """The values of a constant input, flat; ``None`` if it is no constant or left out."""
        if position >= len(self.operator.inputs) or self.operator.inputs[position] < 0:
            return None
        values = self.graph.tensors[self.operator.inputs[position]].values
        return None if values is None else [int(value) for value in values.ravel()]


Condition = Callable[[Node], "str | None"]


@dataclass(frozen=True)
class Rule:
    """When an operator is taken.

    Attributes:
        conditions: all must hold.
        since: the first runtime version that has it; 0: all.
        uncertain: a limit that the vendor mentions but does not state.
    """

    conditions: tuple[Condition, ...] = ()
    since: int = 0
    uncertain: str = ""


def broken(node: Node, conditions: Iterable[Condition]) -> str | None:
    """The answer of the first condition that does not hold."""
    try:
        return next((why for condition in conditions if (why := condition(node))), None)
    except IndexError:  # of a file that no converter wrote
        return "lacks an input or an output"


def no_activation(node: Node) -> str | None:
    """No fused activation function."""
    fused = node.option("fused_activation_function", "NONE")
    return None if fused == "NONE" else f"has a fused {fused}"


def same_dilation(node: Node) -> str | None:
    """The same dilation along x and y."""
    across, down = node.option("dilation_w_factor", 1), node.option("dilation_h_factor", 1)
    return None if across == down else f"dilation {across} along x but {down} along y"


def no_dilation(node: Node) -> str | None:
    """No dilation at all."""
    dilated = max(node.option("dilation_w_factor", 1), node.option("dilation_h_factor", 1)) > 1
    return "is dilated" if dilated else None


def default_weights(node: Node) -> str | None:
    """Weights of a fully connected operator in the default layout."""
    layout = node.option("weights_format", "DEFAULT")
    return None if layout == "DEFAULT" else f"weights in the layout {layout}"


def one_dimensional_output(node: Node) -> str | None:
    """One output dimension above 1 at most."""
    wide = [size for size in node.outputs[0].shape if size != 1]
    return f"output of {len(wide)} dimensions" if len(wide) > 1 else None


def zero_padding_constant(node: Node) -> str | None:
    """A constant input only if there are two inputs and it is all zeros."""
    for tensor in node.inputs:
        if not tensor.constant:
            continue
        if len(node.inputs) != 2:
            return "joins a constant with more than one other input"
        zero = tensor.zero_points[0] if tensor.zero_points else 0
        if tensor.values is None or (tensor.values != zero).any():
            return "joins a constant that is not all zeros"
    return None


def keeps_batch(node: Node) -> str | None:
    """No reduction over the first dimension (axes are the second input)."""
    axes = _axes(node)
    if axes is None:
        return "its axes are not in the file"
    return "works across the batch" if 0 in axes else None


def depth_of_four(node: Node) -> str | None:
    """A reduction over the depth only if that is a multiple of 4."""
    depth = len(node.inputs[0].shape) - 1
    if depth in (_axes(node) or []) and node.inputs[0].shape[depth] % 4:
        return f"reduces a depth of {node.inputs[0].shape[depth]}, no multiple of 4"
    return None


def spatial_axes(node: Node) -> str | None:
    """A reduction over height and width only."""
    outside = set(_axes(node) or []) - {1, 2}
    return "reduces more than height and width" if outside else None


def pads_no_batch(node: Node) -> str | None:
    """No padding of the first dimension."""
    widths = node.numbers(1)
    if widths is None:
        return "its padding is not in the file"
    return "pads the batch" if any(widths[:2]) else None


def pads_spatially(node: Node) -> str | None:
    """Padding of height and width only."""
    widths = node.numbers(1) or []
    return "pads more than height and width" if any(widths[:2] + widths[6:]) else None


def axis_not_batch(node: Node) -> str | None:
    """An ``axis`` option that is not the first dimension."""
    axis, rank = node.option("axis", 1), len(node.outputs[0].shape)
    return "works across the batch" if axis in (0, -rank) else None


def splits_no_batch(node: Node) -> str | None:
    """A split along another dimension than the first (the axis is the first input)."""
    axis, rank = node.numbers(0), len(node.outputs[0].shape)
    return "splits the batch" if axis is not None and axis[0] in (0, -rank) else None


def one_dimensional_alpha(node: Node) -> str | None:
    """PReLU's slopes along the innermost dimension only."""
    wide = node.inputs[1].shape[:-1]
    return "a slope for every position" if math.prod(wide) > 1 else None


def image_sized(node: Node) -> str | None:
    """Height, width and depth at most."""
    return "is not an image" if math.prod(node.inputs[0].shape[:-3]) > 1 else None


def short_vector(longest: int) -> Condition:
    """A vector (one dimension above 1) of at most so many values."""

    def condition(node: Node) -> str | None:
        shape = node.inputs[0].shape
        if sum(size != 1 for size in shape) > 1:
            return "works on more than a vector"
        return f"more than {longest:,} values" if math.prod(shape) > longest else None

    return condition


def plain_strides(node: Node) -> str | None:
    """Strides of 1 and no ellipsis or new-axis mask."""
    if node.option("ellipsis_mask", 0) or node.option("new_axis_mask", 0):
        return "has an ellipsis or a new axis"
    strides = node.numbers(3)
    return None if strides is not None and set(strides) <= {1} else "steps over values"


def leading_ones(node: Node) -> str | None:
    """Removes dimensions in front of the first one above 1 only."""
    dropped = len(node.inputs[0].shape) - len(node.outputs[0].shape)
    kept = node.inputs[0].shape[dropped:]
    return None if kept == node.outputs[0].shape else "removes an inner dimension"


def same_shape_or_scalar(node: Node) -> str | None:
    """Inputs after the first have the output's shape, or are constants of one value."""
    wanted = node.outputs[0].shape
    for tensor in node.inputs[1:]:
        scalar = tensor.constant and math.prod(tensor.shape) == 1
        if tensor.shape != wanted and not scalar:
            return "an input is spread over the output's shape"
    return None


def at_most_dimensions(most: int) -> Condition:
    """Tensors of at most so many dimensions."""

    def condition(node: Node) -> str | None:
        deepest = max((len(tensor.shape) for tensor in node.activations), default=0)
        return f"a tensor of {deepest} dimensions" if deepest > most else None

    return condition


def static_shapes(node: Node) -> str | None:
    """No size is left open."""
    open_sizes = any(size < 0 for tensor in node.activations for size in tensor.shape)
    return "a size is left open" if open_sizes else None


def three_innermost(node: Node) -> str | None:
    """Only the three innermost dimensions may be above 1."""
    deep = any(math.prod(tensor.shape[:-3]) > 1 for tensor in node.activations)
    return "more than the three innermost dimensions are above 1, such as a batch" if deep else None


def types(allowed: frozenset[str]) -> Condition:
    """Activations of these types only."""

    def condition(node: Node) -> str | None:
        other = sorted({tensor.dtype for tensor in node.activations} - allowed)
        return f"works on {', '.join(other)}" if other else None

    return condition


def constant_inputs(node: Node) -> str | None:
    """Weights and biases are in the file: every input after the first is a constant."""
    loose = any(not tensor.constant for tensor in node.inputs[1:])
    return "its weights are computed, not in the file" if loose else None


def _axes(node: Node) -> list[int] | None:
    axes = node.numbers(1)
    rank = len(node.inputs[0].shape)
    return None if axes is None else [axis % rank for axis in axes] if rank else []
