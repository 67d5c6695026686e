"""One pass over the calibration pictures that feeds every range estimator and correction.

All activations are made outputs of the float graph, so that XNNPACK runs it at full speed and
hands them all over. What is kept of a tensor is its channels' extremes and moments and a
histogram of a sample of its values, so that memory does not grow with the pictures.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeeff.errors import InputError
from edgeeff.litert import rewrite
from edgeeff.litert.runner import Runner
from edgeeff.litert.statistics import TensorStatistics
from edgeeff.progress import Advance
from edgeeff.quantization.graph import Graph

SAMPLE = 16384
"""Values of one tensor of one batch that enter its histogram, spread evenly over it."""

KEPT_BITS = 15
"""Sign, exponent and 6 bits of mantissa: bins are at most 1.6% wide, at every magnitude."""

BINS = 1 << KEPT_BITS

PICTURES = 64
"""Pictures whose own histograms are kept, the first ones."""

COARSE_BITS = 13
"""Of these histograms: sign, exponent and 4 bits of mantissa, bins at most 6% wide."""

SMALLEST_EXPONENT, EXPONENTS = -12, 24
"""Powers of two that they tell apart; what lies beyond counts to the nearest of them."""

COARSE_BINS = 2 * EXPONENTS << (COARSE_BITS - 9)


@dataclass
class Observed:
    """What was seen of one activation.

    Attributes:
        minimum, maximum: of each channel (the last axis), float32 [channels].
        mean: of each channel, float64 [channels].
        square: mean square of each channel, float64 [channels].
        histogram: int64 [BINS]; ``bin_values`` gives each bin's value.
        extremes: smallest and largest value of each picture, in order (``coverage``).
        pictures: of each of the first ``PICTURES`` pictures a histogram, uint16 [COARSE_BINS];
            ``coarse_values`` gives each bin's value. Zeros are left out.
    """

    minimum: npt.NDArray[np.float32]
    maximum: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float64]
    square: npt.NDArray[np.float64]
    histogram: npt.NDArray[np.int64]
    extremes: list[tuple[float, float]]
    pictures: list[npt.NDArray[np.uint16]]

    def statistics(self) -> TensorStatistics:
        """The same as means and spreads per channel."""
        spread = np.sqrt(np.maximum(self.square - self.mean**2, 0.0))
        return TensorStatistics(
            self.mean.astype(np.float32), spread.astype(np.float32), self.minimum, self.maximum
        )


def observe(
    graph: Graph,
    batches: Iterable[npt.NDArray[np.float32]],
    *,
    threads: int | None = None,
    advance: Advance | None = None,
) -> dict[int, Observed]:
    """Run the float network and note what every activation does.

    Args:
        graph: the float network; not changed.
        batches: inputs, each of exactly the shape of the graph's input.
        threads: kernel threads.
        advance: called with 1 after each batch.

    Returns:
        One entry for each of ``graph.activations``.

    Raises:
        InputError: no batches, or an activation that is not finite.
    """
    content = graph.content()
    model = rewrite.unpack(content)
    tensors = [tensor for tensor in graph.activations if tensor != graph.input]
    rewrite.expose(model, tensors)
    runner = Runner(rewrite.pack(model), threads=threads)
    seen: dict[int, Observed] = {}
    count = 0
    # numpy lets go of the interpreter's lock while it looks at a tensor.
    with ThreadPoolExecutor(runner.threads) as pool:
        for batch in batches:
            count += 1
            note = functools.partial(_note, seen, count=count, graph=graph)
            arrays = [batch, *runner.run(batch)]
            for _ in pool.map(note, [graph.input, *tensors], arrays):
                pass
            if advance:
                advance(1)
    if not count:
        raise InputError("no calibration pictures", "give at least one")
    return seen


def bin_values() -> npt.NDArray[np.float32]:
    """The value in the middle of each histogram bin, float32 [BINS]; NaN where there is none."""
    bits = (np.arange(BINS, dtype=np.uint32) << (32 - KEPT_BITS)) | (1 << (31 - KEPT_BITS))
    values: npt.NDArray[np.float32] = bits.view(np.float32).copy()
    values[np.abs(values) < np.finfo(np.float32).tiny] = 0.0
    return values


def coarse_values() -> npt.NDArray[np.float64]:
    """The value in the middle of each bin of a picture's histogram, float64 [COARSE_BINS]."""
    steps = 1 << (COARSE_BITS - 9)
    place = np.arange(COARSE_BINS // 2)
    magnitude = np.exp2(SMALLEST_EXPONENT + place // steps) * (1 + (place % steps + 0.5) / steps)
    return np.concatenate([magnitude, -magnitude])


def _note(
    seen: dict[int, Observed],
    tensor: int,
    values: npt.NDArray[np.float32],
    count: int,
    graph: Graph,
) -> None:
    rows = values.reshape(-1, values.shape[-1])
    low, high = rows.min(axis=0), rows.max(axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise InputError(
            f"activation {graph.name(tensor)} is not finite for calibration picture {count}",
            "is the network trained and the picture normalised?",
        )
    # A product with ones takes a tenth of the time of mean(), and sums in blocks.
    mean = (np.ones(len(rows), np.float32) @ rows).astype(np.float64) / len(rows)
    square = np.einsum("ij,ij->j", rows, rows).astype(np.float64) / len(rows)
    histogram = _histogram(values)
    one = len(values) == 1
    extremes = [(float(low.min()), float(high.max()))] if one else _extremes(values)
    missing = PICTURES - len(seen[tensor].pictures) if tensor in seen else PICTURES
    pictures = [coarse_histogram(picture) for picture in values[:missing]]
    if tensor not in seen:
        seen[tensor] = Observed(low, high, mean, square, histogram, extremes, pictures)
        return
    known = seen[tensor]
    known.minimum = np.minimum(known.minimum, low)
    known.maximum = np.maximum(known.maximum, high)
    known.mean += (mean - known.mean) / count
    known.square += (square - known.square) / count
    known.histogram += histogram
    known.extremes += extremes
    known.pictures += pictures


def _extremes(values: npt.NDArray[np.float32]) -> list[tuple[float, float]]:
    pictures = values.reshape(len(values), -1)
    return list(zip(pictures.min(axis=1).tolist(), pictures.max(axis=1).tolist(), strict=True))


def _histogram(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return np.bincount(_sampled_bits(values) >> (32 - KEPT_BITS), minlength=BINS)


def coarse_histogram(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """How many of one picture's values are in each coarse bin, uint16 [COARSE_BINS]."""
    bits = _sampled_bits(picture)
    bits = bits[(bits << 1) != 0] >> (32 - COARSE_BITS)
    side = COARSE_BINS // 2
    sign, magnitude = bits >> (COARSE_BITS - 1), bits & ((1 << (COARSE_BITS - 1)) - 1)
    first = (127 + SMALLEST_EXPONENT) << (COARSE_BITS - 9)
    place = np.clip(magnitude.astype(np.int64) - first, 0, side - 1) + side * sign
    return np.bincount(place, minlength=COARSE_BINS).astype(np.uint16)


def _sampled_bits(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint32]:
    flat = values.reshape(-1)
    # An odd stride walks through all channels, whose number is a multiple of 8.
    stride = max(1, len(flat) // SAMPLE) | 1
    return np.ascontiguousarray(flat[::stride]).view(np.uint32)
