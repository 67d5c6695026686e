"""Channels sorted into groups, each of which gets a grid of its own.

A tensor has one int8 grid for all channels. Where some reach a hundred times as far as others, the
grid that fits the widest leaves the narrow ones a step or two. In groups of similar width each has
the steps it needs. The groups are the same for several tensors, since all that happens between two
layers is by channel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

SWEEPS = 6
"""Rounds of exchanges at most; they end earlier if none helps."""

PARTNERS = 3
"""Channels of another group that an exchange is tried with."""


def partition(low: Matrix, high: Matrix, weight: Matrix, count: int, unit: int = 8) -> Labels:
    """The groups in which rounding costs least.

    The error of a group in a tensor is the square of the width of its grid times the sum of its
    channels' weights. Channels are sorted by several measures of width; of each order the best
    cuts are found exactly, then channels change places between groups as long as that helps.

    Args:
        low: smallest value of each channel, at most 0, [tensors, channels].
        high: largest value of each channel, at least 0, [tensors, channels].
        weight: what an error in the channel costs, [tensors, channels].
        count: of groups.
        unit: sizes of all groups but one are multiples of it, as kernels like them.

    Returns:
        The group of each channel, [channels], 0 to ``count`` - 1; some may be empty.
    """
    width = high - low
    if count == 1:
        return np.zeros(width.shape[1], np.int64)
    usual = np.sqrt((width**2 * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-30))
    relative = width / np.maximum(usual, 1e-30)[:, None]
    keys = (*width, relative.max(axis=0), np.log(relative + 1e-9).mean(axis=0))
    orders = [np.argsort(key, kind="stable") for key in keys]
    found = [_cut(low, high, weight, order, count, unit) for order in orders]
    best = min(found, key=lambda labels: cost(low, high, weight, labels))
    return _exchanged(low, high, weight, best, relative)


def cost(low: Matrix, high: Matrix, weight: Matrix, labels: Labels) -> float:
    """The squared widths of the groups' grids, weighted: twelve times 255² of them are the error.

    Args:
        low: as ``partition`` takes it.
        high: likewise.
        weight: likewise.
        labels: the group of each channel, [channels].
    """
    groups = range(labels.max() + 1)
    return sum(_group_cost(low, high, weight, labels == group) for group in groups)


def _group_cost(low: Matrix, high: Matrix, weight: Matrix, members: npt.NDArray[np.bool_]) -> float:
    if not members.any():
        return 0.0
    width = high[:, members].max(axis=1) - low[:, members].min(axis=1)
    return float((width**2 * weight[:, members].sum(axis=1)).sum())


def _cut(low: Matrix, high: Matrix, weight: Matrix, order: Labels, count: int, unit: int) -> Labels:
    """The best cuts of channels in one order, by dynamic programming over multiples of a unit."""
    channels = len(order)
    places = np.append(np.arange(0, channels, unit), channels)
    pieces = len(places) - 1
    costs = _segment_costs(low[:, order], high[:, order], weight[:, order], places)
    best, cuts = costs[0], []
    for _ in range(1, count):
        # best[j]: of the first j pieces so far; one more group begins at piece i.
        candidates = np.minimum(best[:, None], np.inf) + np.vstack([costs, np.zeros(pieces + 1)])
        candidates[np.tril_indices(pieces + 1, -1)] = np.inf
        cuts.append(candidates.argmin(axis=0))
        best = candidates.min(axis=0)
    labels = np.zeros(channels, np.int64)
    end = pieces
    for group in range(count - 1, 0, -1):
        start = int(cuts[group - 1][end])
        labels[order[places[start] : places[end]]] = group
        end = start
    return labels


def _segment_costs(low: Matrix, high: Matrix, weight: Matrix, places: Labels) -> Matrix:
    """The cost of a group from piece i up to piece j, [pieces, pieces + 1]; infinite if j <= i."""
    pieces, first = len(places) - 1, places[:-1]
    lows, highs = np.minimum.reduceat(low, first, axis=1), np.maximum.reduceat(high, first, axis=1)
    sums = np.concatenate([np.zeros((len(weight), 1)), weight.cumsum(axis=1)], axis=1)[:, places]
    costs = np.full((pieces, pieces + 1), np.inf)
    for start in range(pieces):
        width = np.maximum.accumulate(highs[:, start:], axis=1)
        width -= np.minimum.accumulate(lows[:, start:], axis=1)
        weights = sums[:, start + 1 :] - sums[:, [start]]
        costs[start, start + 1 :] = (width**2 * weights).sum(axis=0)
    return costs


def _exchanged(
    low: Matrix, high: Matrix, weight: Matrix, labels: Labels, relative: Matrix
) -> Labels:
    """Channels that set the width of their group, exchanged for narrow ones of others."""
    best, least = labels, cost(low, high, weight, labels)
    for _ in range(SWEEPS):
        before = least
        for group in np.unique(best):
            for channel in _widest(low, high, np.flatnonzero(best == group)):
                for partner in _partners(best, relative, int(best[channel])):
                    tried = best.copy()
                    tried[[channel, partner]] = best[[partner, channel]]
                    found = cost(low, high, weight, tried)
                    if found < least * (1 - 1e-6):
                        best, least = tried, found
                        break
        if least == before:
            break
    return best


def _widest(low: Matrix, high: Matrix, members: Labels) -> list[int]:
    """The channels of a group that reach to the ends of its grids."""
    if not len(members):
        return []
    ends = {*high[:, members].argmax(axis=1), *low[:, members].argmin(axis=1)}
    return [int(members[place]) for place in sorted(ends)]


def _partners(labels: Labels, relative: Matrix, group: int) -> list[int]:
    """The narrowest channels of every other group."""
    narrow = np.square(relative).sum(axis=0)
    found: list[int] = []
    for other in np.unique(labels):
        members = np.flatnonzero(labels == other)
        if other != group:
            ranked = members[np.argsort(narrow[members], kind="stable")]
            found += [int(channel) for channel in ranked[:PARTNERS]]
    return found
