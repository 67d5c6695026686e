"""The range of each activation, from its bounds, from BatchNorm statistics or from pictures.

Every range holds zero (``Grid.of_range`` sees to it).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import Vector
from edgeeff.quantization.calibration.bounds import MADE, answer_bounds, attainable
from edgeeff.quantization.calibration.estimators import ESTIMATORS, LEVELS, Range
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.calibration.shared_ranges import shared
from edgeeff.quantization.calibration.swish import LOWEST_AT, told_apart_by_swish
from edgeeff.quantization.grid import FIXED, RESCALING_END, Grid, rescaling
from edgeeff.quantization.recipes.recipe import Ranges
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import ARRANGING, logits_of
from edgeeff.tflite.model import Operator
from edgeeff.tflite.statistics import Statistics, TensorStatistics
from edgeeff.tflite.weights import per_channel

CREDIBLE_DEVIATIONS = 16.0
"""An observed mean so many BatchNorm deviations off says that the statistics are not this
network's (fine-tuned since with frozen BatchNorm, or a channel rescaled)."""

LARGEST_RESCALING = RESCALING_END / 2
"""Of a layer; corrections change the scales of its weights after that."""

UNLIKE = 1.8
"""A channel whose spread was seen so many times larger or smaller than BatchNorm says, beyond what
all channels of its tensor were, was rescaled since. With 48 synthetic pictures the linear
channels of Lite0, Lite1 and Lite2 lie between 0.69 and 1.58."""


def described(graph: Graph, embedded: Statistics | None) -> dict[int, TensorStatistics]:
    """The BatchNorm statistics that came with a network, by tensor index."""
    found = {t: embedded.tensors.get(graph.name(t)) for t in graph.activations} if embedded else {}
    return {
        tensor: said
        for tensor, said in found.items()
        if said is not None and len(said.mean) == graph.shape(tensor)[-1]
    }


def credible(
    said: Mapping[int, TensorStatistics], observed: Mapping[int, Observed], *, outdated: bool
) -> dict[int, TensorStatistics]:
    """BatchNorm statistics as far as they are this network's, by tensor index.

    A channel that was seen far outside of what BatchNorm says is taken as it was seen, and in a
    network whose weights were changed since (``outdated``) one that is unlike the others.
    """
    return {
        tensor: _corrected(said[tensor], observed[tensor].statistics(), outdated) for tensor in said
    }


def _corrected(said: TensorStatistics, seen: TensorStatistics, outdated: bool) -> TensorStatistics:
    if said.deviation is None or seen.deviation is None:
        return said
    # A channel that BatchNorm holds to be constant is compared with the others' spread.
    least = 0.01 * float(np.median(said.deviation))
    far = np.maximum(np.abs(seen.mean - said.mean), seen.deviation)
    lies = far > np.maximum(CREDIBLE_DEVIATIONS * said.deviation, least)
    # Pictures vary less or more than the training set did, but in all channels alike.
    ratio = np.maximum(seen.deviation, least) / np.maximum(said.deviation, least)
    usual = float(np.median(ratio))
    if outdated:
        lies |= np.maximum(ratio / usual, usual / ratio) > UNLIKE
    return TensorStatistics(
        np.where(lies, seen.mean, said.mean),
        np.where(lies, seen.deviation / usual, said.deviation),
    )


def trusted(
    batchnorm: Mapping[int, TensorStatistics], rule: Ranges, *, synthetic: bool
) -> Mapping[int, TensorStatistics]:
    """Those BatchNorm statistics that count above pictures, by the rule of a recipe."""
    return batchnorm if synthetic or rule.batchnorm == "always" else {}


def grids(
    graph: Graph,
    observed: Mapping[int, Observed],
    batchnorm: Mapping[int, TensorStatistics],
    rule: Ranges,
    *,
    synthetic: bool,
    levels: int = LEVELS,
) -> dict[int, Grid]:
    """The int8 grid of every activation but the input, whose range the preprocessing gives.

    Args:
        graph: the network.
        observed: what the calibration pictures did, by tensor index.
        batchnorm: what BatchNorm says, by tensor index (``credible``).
        rule: of the recipe.
        synthetic: the pictures are made up.
        levels: that values will be told apart by: more than int8 has if the grids are widened.
    """
    trust = trusted(batchnorm, rule, synthetic=synthetic)
    logits, made = logits_of(graph), _first_holding(graph, logits_of(graph))
    margin = rule.logits_margin if synthetic else rule.logits_margin_data
    low, high = logits_range(observed[logits], graph.shape(logits)[-1], rule.logits_percent, margin)
    found = dict.fromkeys((logits, made), (low * rule.headroom, high * rule.headroom))
    for operator in graph.operators:
        for tensor in operator.outputs:
            if tensor not in observed or tensor in found:
                continue
            fixed = FIXED.get(operator.kind)
            found[tensor] = (
                (fixed.minimum, fixed.maximum)
                if fixed
                else _range(graph, operator, observed[tensor], trust, found, rule, levels)
            )
    found = shared(graph, found)
    _widen(graph, observed, found)
    found = shared(graph, found)
    kinds = {tensor: made.kind for made in graph.operators for tensor in made.outputs}
    result = {t: FIXED.get(kinds[t]) or Grid.of_range(*found[t]) for t in found}
    bounds = answer_bounds(graph)
    if bounds is not None:
        # Probabilities that are handed on need no grid of their own.
        probabilities = bounds == MADE["SOFTMAX"]
        result[logits] = result[made] = (
            FIXED["SOFTMAX"] if probabilities else Grid.of_range(*bounds)
        )
    return result


def _widen(graph: Graph, observed: Mapping[int, Observed], found: dict[int, Range]) -> None:
    """Give layers that hardly wake, or never, a range with which kernels can compute."""
    seen = observed[graph.input]
    ends = {graph.input: (float(seen.minimum.min()), float(seen.maximum.max()))}
    for operator in graph.operators:
        source = found.get(operator.inputs[0]) or ends.get(operator.inputs[0])
        if not operator.weighted or operator.output not in found or source is None:
            continue
        low, high = found[operator.output]
        rows = per_channel(operator, graph.weights(operator))
        least = float(rescaling(rows, _width(source), LARGEST_RESCALING).max())
        if _width((low, high)) < least:
            found[operator.output] = low, min(low, 0.0) + least


def _width(ends: Range) -> float:
    """Of the range that holds zero as well."""
    return max(ends[1], 0.0) - min(ends[0], 0.0)


FAR_BEYOND = 1.1
"""Logits that reach so many times as far as the range belong to pictures that are unlike the
others, and more than the outermost would be cut off."""

ALIKE = 0.65
"""A lower end that reaches so far as a share of the upper one tells as much."""

LEAST_LEVELS = 48
"""Of the grid, that the logits of the picture in the middle should span."""


def logits_range(observed: Observed, outputs: int, percent: float, margin: float) -> Range:
    """From the extremes of each picture, not of its values: the largest logit is the answer.

    Other pictures reach higher than those seen (made-up ones show no class clearly), hence the
    margin. The lower end gets none where it lies much nearer to zero: the softmax of the classes
    down there is next to nothing, and made-up pictures reach as low as photographs.

    ``percent`` leaves out pictures that reach so far that they would cost all others their
    precision. Where they would not, because the grid has levels enough for the picture in the
    middle, cutting them off would only cost.

    Args:
        observed: of the logits.
        outputs: how many each picture has.
        percent: of the pictures whose extremes are inside, before the margin.
        margin: on the larger end, and on the other if it is alike.
    """
    lowest, highest = np.transpose(observed.extremes)

    def reaching(percent: float) -> Range:
        low, high = (
            float(np.percentile(lowest, 100 - percent)),
            float(np.percentile(highest, percent)),
        )
        both = outputs == 1 or -low >= ALIKE * high
        return low * (margin if both else 1.0), high * margin

    usual, whole = reaching(percent), reaching(100.0)
    beyond = max(_times(float(lowest.min()), usual[0]), _times(float(highest.max()), usual[1]))
    levels = LEVELS * float(np.median(highest - lowest)) / max(_width(whole), 1e-30)
    return whole if beyond > FAR_BEYOND and levels >= LEAST_LEVELS else usual


def _times(extreme: float, end: float) -> float:
    return extreme / end if extreme * end > 0 else 1.0


def _first_holding(graph: Graph, tensor: int) -> int:
    """The first tensor with the same values: before what only gives them another shape."""
    maker = graph.producer.get(tensor)
    while maker is not None and maker.kind in ARRANGING and maker.inputs[0] != graph.input:
        tensor = maker.inputs[0]
        maker = graph.producer.get(tensor)
    return tensor


def reads_histograms(graph: Graph, batchnorm: Mapping[int, TensorStatistics], rule: Ranges) -> bool:
    """Whether any range needs more than extremes, which is all that logits need.

    Args:
        graph: the network.
        batchnorm: what counts above pictures (``trusted``).
        rule: of the recipe.
    """
    logits = logits_of(graph)
    estimated = {
        tensor
        for operator in graph.operators
        for tensor in operator.outputs
        if tensor in graph.activations
        and operator.kind not in FIXED
        and not _by_batchnorm(graph, operator, batchnorm)
    }
    return rule.estimator != "minmax" and not estimated <= {logits, _first_holding(graph, logits)}


def from_pictures(graph: Graph, batchnorm: Mapping[int, TensorStatistics]) -> dict[int, Operator]:
    """The operators whose output's range only pictures tell, by tensor index.

    Not those whose range BatchNorm gives (``trusted``), nor those that their activation bounds.
    """
    return {
        tensor: operator
        for operator in graph.operators
        for tensor in operator.outputs
        if tensor in graph.activations
        and operator.kind not in FIXED
        and operator.activation != "RELU6"
        and not _by_batchnorm(graph, operator, batchnorm)
    }


def _by_batchnorm(
    graph: Graph, operator: Operator, batchnorm: Mapping[int, TensorStatistics]
) -> bool:
    if operator.kind == "MEAN":
        return _is_bounded_mean(graph, operator, batchnorm)
    said = batchnorm.get(operator.output)
    if said is None or operator.activation not in ("NONE", "RELU6"):
        return False
    return (
        operator.activation == "RELU6"
        or is_swish(graph, operator)
        or (said.deviation is not None and operator.kind in LINEAR)
    )


def _is_bounded_mean(
    graph: Graph, operator: Operator, batchnorm: Mapping[int, TensorStatistics]
) -> bool:
    """Whether what it averages reaches from 0 to 6: so does the mean, if a picture is flat."""
    maker = graph.producer.get(operator.inputs[0])
    return (
        maker is not None and maker.activation == "RELU6" and _by_batchnorm(graph, maker, batchnorm)
    )


def _range(
    graph: Graph,
    operator: Operator,
    observed: Observed,
    batchnorm: Mapping[int, TensorStatistics],
    found: Mapping[int, Range],
    rule: Ranges,
    levels: int,
) -> Range:
    reached = observed.minimum.astype(np.float64)
    if not _by_batchnorm(graph, operator, batchnorm):
        low, high = ESTIMATORS[rule.estimator](observed, rule)
        if operator.activation != "RELU6":
            low, high = _with_headroom(graph, operator, (low, high), found, rule)
    elif operator.activation == "RELU6" or operator.kind == "MEAN":
        return 0.0, 6.0
    elif is_swish(graph, operator):
        low, high = found[operator.inputs[0]]
        return _swish(max(low, LOWEST_AT)), _swish(high)
    else:
        said = batchnorm[operator.output]
        reach = rule.deviations * np.asarray(said.deviation)
        reached = said.mean - reach
        low, high = float(reached.min()), float((said.mean + reach).max())
    lowest, highest = told_apart(graph, operator.output, rule)
    told = _told_in_swish(graph, operator.output, reached, high, rule, levels)
    # With an upper end from BatchNorm, below which most values stay far, an end so near to zero
    # cost a B0 1.2 dB where its channels are not scaled.
    scaled = not math.isfinite(lowest)
    if told is not None and (scaled or not _by_batchnorm(graph, operator, batchnorm)):
        lowest = told
    return max(low, lowest), min(high, highest)


def _with_headroom(
    graph: Graph, operator: Operator, seen: Range, found: Mapping[int, Range], rule: Ranges
) -> Range:
    """A range that pictures tell, made wider, but no wider than its inputs let values get."""
    low, high = (end * rule.headroom for end in seen)
    lowest, highest = attainable(graph, operator, found)
    return max(low, min(seen[0], lowest)), min(high, max(seen[1], highest))


def told_apart(graph: Graph, tensor: int, rule: Ranges) -> Range:
    """How far below and above zero the values of a tensor matter to what reads it.

    Args:
        graph: the network.
        tensor: an activation.
        rule: of the recipe.

    Returns:
        Infinite ends unless all its readers are a swish, a hard swish, or the sigmoid of a scaled
        swish, x / s · sigmoid(x).
    """
    readers = graph.consumers.get(tensor, ())
    if readers and all(reader.kind == "HARD_SWISH" for reader in readers):
        return -HARD_SWISH_END, math.inf
    products = [reader for reader in readers if reader.kind == "MUL"]
    if len(readers) == 2 and len(products) == 1 and is_swish(graph, products[0]):
        return (-rule.swish_end if products[0].inputs[0] == tensor else -math.inf), math.inf
    if len(readers) == 1 and readers[0].kind == "LOGISTIC":
        after = graph.consumers.get(readers[0].output, ())
        if len(after) == 1 and _factor_in_sigmoid(graph, after[0]) is not None:
            return -rule.swish_end, rule.swish_end
    return -math.inf, math.inf


def _told_in_swish(
    graph: Graph, tensor: int, reached: Vector, high: float, rule: Ranges, levels: int
) -> float | None:
    """The least value of a swish's input that its product's grid tells from those below.

    The narrow channels of a scaled swish, x / s · sigmoid(x), whose s is small, have the finest
    steps, but hardly reach down themselves.

    Args:
        graph: the network.
        tensor: an activation.
        reached: the least value of each of its channels, [channels].
        high: the upper end of its range, at which that of the product lies.
        rule: of the recipe; below ``-swish_end`` no x is told apart.
        levels: of a grid.

    Returns:
        ``None`` for what is no input of a swish.
    """
    readers = graph.consumers.get(tensor, ())
    products = [reader for reader in readers if reader.kind == "MUL"]
    if len(readers) != 2 or len(products) != 1 or products[0].inputs[0] != tensor:
        return None
    factor = np.ones(1) if is_swish(graph, products[0]) else _factor_in_sigmoid(graph, products[0])
    if factor is None:
        return None
    half_a_step = factor.astype(np.float64) * max(high, 0.0) / (2 * levels)
    told = told_apart_by_swish(half_a_step, rule.swish_end)
    return float(np.maximum(told / factor, reached).min())


def _factor_in_sigmoid(graph: Graph, product: Operator) -> npt.NDArray[np.float32] | None:
    """The factor s of each channel in x · sigmoid(s · x); ``None`` for any other operator."""
    if product.kind != "MUL":
        return None
    gate = graph.producer.get(product.inputs[1])
    maker = graph.producer.get(gate.inputs[0]) if gate and gate.kind == "LOGISTIC" else None
    if maker is None or maker.kind != "DEPTHWISE_CONV_2D" or maker.inputs[0] != product.inputs[0]:
        return None
    kernel = graph.weights(maker)
    return kernel.reshape(-1) if kernel.shape[1:3] == (1, 1) else None


HARD_SWISH_END = 3.0
"""x · relu6(x + 3) / 6 is zero below the negative of it."""

LINEAR = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
"""Operators whose output BatchNorm describes as a normal distribution per channel."""


def _swish(x: float) -> float:
    return x / (1 + math.exp(-x))


def is_swish(graph: Graph, operator: Operator) -> bool:
    """Whether it is the MUL of x · sigmoid(x), with x as its first operand."""
    if operator.kind != "MUL":
        return False
    first, second = operator.inputs
    gate = graph.producer.get(second)
    return gate is not None and gate.kind == "LOGISTIC" and gate.inputs == (first,)
