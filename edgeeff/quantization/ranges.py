"""The range of each activation, from pictures or from BatchNorm statistics.

Every range holds zero (``Grid.of_range`` sees to it). Estimators work on what one pass over
the pictures noted (``observation.Observed``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from edgeeff.litert.statistics import Statistics, TensorStatistics
from edgeeff.quantization.graph import Graph, Operator
from edgeeff.quantization.grid import FIXED, Grid
from edgeeff.quantization.observation import Observed, bin_values, coarse_values
from edgeeff.quantization.recipe import Ranges

Range = tuple[float, float]
Estimator = Callable[[Observed, Ranges], Range]

LEVELS = 255
CANDIDATES = np.linspace(0.2, 1.0, 41)
"""Shares of the full range that ``mse`` and ``entropy`` try."""

SHARES = np.geomspace(0.05, 1.0, 32)
"""Shares of the lower and of the upper end that ``geometric`` tries."""

CREDIBLE_DEVIATIONS = 16.0
"""An observed mean so many BatchNorm deviations off says that the statistics are not this
network's (fine-tuned since with frozen BatchNorm, or a channel rescaled)."""


def minmax(observed: Observed, rule: Ranges) -> Range:
    """The smallest and the largest value seen."""
    return float(observed.minimum.min()), float(observed.maximum.max())


def percentile(observed: Observed, rule: Ranges) -> Range:
    """The values between which ``rule.percentile`` percent of all lie, half cut on each side."""
    values, counts = _sorted_bins(observed)
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - rule.percentile / 100) / 2
    low = values[min(int(np.searchsorted(share, tail, side="right")), len(values) - 1)]
    high = values[min(int(np.searchsorted(share, 1 - tail)), len(values) - 1)]
    bottom, top = minmax(observed, rule)
    return max(float(low), bottom), min(float(high), top)


def mse(observed: Observed, rule: Ranges) -> Range:
    """The share of the full range whose int8 grid has the least squared error.

    Clipping costs on the few values outside, rounding on all inside (Banner et al. 2019,
    "Post training 4-bit quantization", section 3, by search instead of a model density).
    """
    values, counts = _sorted_bins(observed)
    low, high = minmax(observed, rule)

    def error(share: float) -> float:
        grid = Grid.of_range(low * share, high * share)
        return float(counts @ (values - grid.dequantize(grid.quantize(values))) ** 2)

    best = min(CANDIDATES, key=lambda share: error(float(share)))
    return low * float(best), high * float(best)


def geometric(observed: Observed, rule: Ranges) -> Range:
    """The range whose squared error has the least geometric mean over the pictures.

    Networks without a bound on their activations answer a few pictures with values far beyond
    all others. Their error owns any sum over pictures, and a range that holds them gives every
    picture coarse steps; in a mean of logarithms each picture has one voice.
    """
    low, high = (min(observed.minimum.min(), 0.0), max(observed.maximum.max(), 0.0))
    counts = np.stack(observed.pictures, axis=1).astype(np.float64)
    values = coarse_values()
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    below, few = _cut_off(values, counts, low * SHARES)
    above, many = _cut_off(-values[::-1], counts[::-1], -high * SHARES)
    inside = counts.sum(axis=0) - few[:, None] - many[None]
    steps = np.maximum(high * SHARES[None] - low * SHARES[:, None], 1e-12) / LEVELS
    rounded = inside * (steps**2 / 12)[..., None]
    error = np.log(below[:, None] + above[None] + rounded + 1e-30).mean(axis=-1)
    best_low, best_high = np.unravel_index(np.argmin(error), error.shape)
    return low * float(SHARES[best_low]), high * float(SHARES[best_high])


def _cut_off(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Squared error of raising what is below each end to it, and how much that is.

    Args:
        values: in order, [bins].
        counts: [bins, pictures].
        ends: [ends].

    Returns:
        Both [ends, pictures].
    """
    place = np.searchsorted(values, ends)
    none = np.zeros((1, counts.shape[1]))
    number, total, square = (
        np.concatenate([none, np.cumsum(counts * power[:, None], axis=0)])[place]
        for power in (np.ones_like(values), values, values**2)
    )
    error = square - 2 * ends[:, None] * total + ends[:, None] ** 2 * number
    return np.maximum(error, 0), number


def entropy(observed: Observed, rule: Ranges) -> Range:
    """The share of the full range that keeps most of the values' distribution.

    Migacz, "8-bit inference with TensorRT" (2017): the least Kullback-Leibler divergence
    between the clipped histogram and its int8 version.
    """
    values, counts = _sorted_bins(observed)
    low, high = minmax(observed, rule)

    def divergence(share: float) -> float:
        grid = Grid.of_range(low * share, high * share)
        raw = grid.quantize(values).astype(np.int64) + 128
        inside = (values >= grid.minimum) & (values <= grid.maximum)
        clipped = np.where(inside, counts, 0).astype(np.float64)
        levels = np.bincount(raw, weights=counts, minlength=LEVELS + 1)
        members = np.bincount(raw, weights=(counts > 0) & inside, minlength=LEVELS + 1)
        spread = np.divide(levels, members, out=np.zeros_like(levels), where=members > 0)[raw]
        kept = inside & (counts > 0)
        p, q = clipped[kept] / clipped[kept].sum(), spread[kept] / spread[kept].sum()
        lost = counts[~inside].sum() / counts.sum()
        return float(np.sum(p * np.log(p / q)) - np.log1p(-min(lost, 0.999)))

    best = min(CANDIDATES, key=lambda share: divergence(float(share)))
    return low * float(best), high * float(best)


ESTIMATORS: Mapping[str, Estimator] = {
    "minmax": minmax,
    "percentile": percentile,
    "mse": mse,
    "entropy": entropy,
    "geometric": geometric,
}
"""By the name that a recipe gives."""


def credible(
    graph: Graph, embedded: Statistics | None, observed: Mapping[int, Observed]
) -> dict[int, TensorStatistics]:
    """The BatchNorm statistics that are this network's, by tensor index.

    A channel that was seen far outside of what BatchNorm says is taken as it was seen.
    """
    known: dict[int, TensorStatistics] = {}
    for tensor in graph.activations:
        said = embedded.tensors.get(graph.name(tensor)) if embedded else None
        if said is None or len(said.mean) != len(observed[tensor].mean):
            continue
        known[tensor] = _corrected(said, observed[tensor].statistics())
    return known


def _corrected(said: TensorStatistics, seen: TensorStatistics) -> TensorStatistics:
    if said.deviation is None or seen.deviation is None:
        return said
    far = np.abs(seen.mean - said.mean) > CREDIBLE_DEVIATIONS * said.deviation
    wide = seen.deviation > CREDIBLE_DEVIATIONS * said.deviation
    # A channel that BatchNorm holds to be constant is compared with the others' spread.
    matters = np.maximum(np.abs(seen.mean - said.mean), seen.deviation) > 0.01 * float(
        np.median(said.deviation)
    )
    lies = (far | wide) & matters
    return TensorStatistics(
        np.where(lies, seen.mean, said.mean), np.where(lies, seen.deviation, said.deviation)
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
) -> dict[int, Grid]:
    """The int8 grid of every activation but the input, whose range the preprocessing gives.

    Args:
        graph: the network.
        observed: what the calibration pictures did, by tensor index.
        batchnorm: what BatchNorm says, by tensor index (``credible``).
        rule: of the recipe.
        synthetic: the pictures are made up.
    """
    trust = trusted(batchnorm, rule, synthetic=synthetic)
    found: dict[int, Range] = {}
    for operator in graph.operators:
        tensor = operator.output
        if tensor in observed:
            found[tensor] = _range(graph, operator, observed[tensor], trust, found, rule)
    logits = _logits(graph)
    margin = rule.logits_margin if synthetic else rule.logits_margin_data
    found[logits] = _logits_range(observed[logits], rule.logits_percent, margin)
    kinds = {operator.output: operator.kind for operator in graph.operators}
    return {t: FIXED.get(kinds[t]) or Grid.of_range(*found[t]) for t in found}


def _logits_range(observed: Observed, percent: float, margin: float) -> Range:
    """From the extremes of each picture, not of its values: the largest logit is the answer.

    Other pictures reach higher than those seen (made-up ones show no class clearly), hence the
    margin; but a few may reach so far that they would cost all others their precision. The lower
    end gets no margin: the softmax of the classes down there is next to nothing, and made-up
    pictures reach as low as photographs.
    """
    lowest, highest = np.transpose(observed.extremes)
    low = float(np.percentile(lowest, 100 - percent))
    return low, float(np.percentile(highest, percent)) * margin


def from_pictures(graph: Graph, batchnorm: Mapping[int, TensorStatistics]) -> dict[int, Operator]:
    """The operators whose output's range only pictures tell, by tensor index.

    Not those whose range BatchNorm gives (``trusted``), nor those that their activation bounds.
    """
    return {
        operator.output: operator
        for operator in graph.operators
        if operator.output in graph.activations
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
        or _is_swish(graph, operator)
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
) -> Range:
    if not _by_batchnorm(graph, operator, batchnorm):
        return ESTIMATORS[rule.estimator](observed, rule)
    if operator.activation == "RELU6" or operator.kind == "MEAN":
        return 0.0, 6.0
    if _is_swish(graph, operator):
        low, high = found[operator.inputs[0]]
        return _swish(max(low, SWISH_LOWEST)), _swish(high)
    said = batchnorm[operator.output]
    reach = rule.deviations * np.asarray(said.deviation)
    return float((said.mean - reach).min()), float((said.mean + reach).max())


LINEAR = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD")
"""Operators whose output BatchNorm describes as a normal distribution per channel."""

SWISH_LOWEST = -1.2784645
"""Where x · sigmoid(x) is smallest."""


def _swish(x: float) -> float:
    return x / (1 + math.exp(-x))


def _is_swish(graph: Graph, operator: Operator) -> bool:
    """Whether it is the MUL of x · sigmoid(x), with x as its first operand."""
    if operator.kind != "MUL":
        return False
    first, second = operator.inputs
    gate = graph.producer.get(second)
    return gate is not None and gate.kind == "LOGISTIC" and gate.inputs == (first,)


def _logits(graph: Graph) -> int:
    """The tensor before the final softmax, or the output."""
    last = graph.producer[graph.output]
    return last.inputs[0] if last.kind == "SOFTMAX" else graph.output


def _sorted_bins(
    observed: Observed,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    values = bin_values()
    filled = np.flatnonzero(observed.histogram)
    order = filled[np.argsort(values[filled], kind="stable")]
    # The middle of the outermost bins can lie beyond what was seen.
    inside = np.clip(values[order], observed.minimum.min(), observed.maximum.max())
    return inside, observed.histogram[order]
