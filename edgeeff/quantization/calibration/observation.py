"""One pass over the calibration pictures that feeds every range estimator and correction.

All activations are made outputs of the float graph, so that XNNPACK runs it at full speed and
hands them all over. What is kept of a tensor is its channels' extremes and moments and a
histogram of a sample of its values, so that memory does not grow with the pictures.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeeff.errors import InputError
from edgeeff.progress import Advance
from edgeeff.quantization.float_graph import LARGEST
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.runner import Runner
from edgeeff.tflite.statistics import TensorStatistics

SAMPLE = 16384
"""Values of one tensor of one picture that enter its histogram, spread evenly over it."""

KEPT_BITS = 15
"""Sign, exponent and 6 bits of mantissa: bins are at most 1.6% wide, at every magnitude."""

BINS = 1 << KEPT_BITS

AT_ONCE = 2
"""Batches in work at the same time, each with activations of its own."""

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
        histogram: int64 [BINS]; ``bin_values`` gives each bin's value. Empty, as ``pictures``, if
            none was asked for.
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


class Observations:
    """What calibration pictures did in one network as it came, for one recipe after another."""

    def __init__(self) -> None:
        self._kept: Mapping[int, Observed] = {}
        self._histograms = False

    def take(
        self, look: Callable[[], dict[int, Observed]], *, histograms: bool
    ) -> dict[int, Observed]:
        """What is known from an earlier recipe, or what a look gives, which is kept.

        Args:
            look: ``observe`` of the network and its pictures.
            histograms: whether the look notes them, and the recipe reads them.
        """
        if not self._kept or (histograms and not self._histograms):
            self._kept, self._histograms = look(), histograms
        return dict(self._kept)


def observe(
    graph: Graph,
    batches: Iterable[npt.NDArray[np.float32]],
    *,
    histograms: bool = True,
    threads: int | None = None,
    advance: Advance | None = None,
) -> dict[int, Observed]:
    """Run the float network and note what every activation does.

    Args:
        graph: the float network; not changed.
        batches: inputs, each of exactly the shape of the graph's input.
        histograms: note them too; they take a third of the time.
        threads: kernel threads of each of the ``AT_ONCE`` batches in work.
        advance: called with 1 after each batch.

    Returns:
        One entry for each of ``graph.activations``.

    Raises:
        InputError: no batches, or an activation that is not finite, or as good as infinite.
    """
    seen: dict[int, Observed] = {}
    count = 0
    for looked in _looks(graph, batches, _runners(graph, threads), histograms):
        count += 1
        for tensor, observed in zip(graph.activations, looked, strict=True):
            if tensor in seen:
                _add(seen[tensor], observed, count)
            else:
                seen[tensor] = observed
        if advance:
            advance(1)
    if not count:
        raise InputError("no calibration pictures", "give at least one")
    return seen


def _looks(
    graph: Graph,
    batches: Iterable[npt.NDArray[np.float32]],
    runners: SimpleQueue[Runner],
    histograms: bool,
) -> Iterator[list[Observed]]:
    """What each batch shows of ``graph.activations``, in order, ``AT_ONCE`` in work."""

    def look(batch: npt.NDArray[np.float32], number: int) -> list[Observed]:
        runner = runners.get()
        try:
            looked = _look(runner, batch, graph, histograms)
        finally:
            runners.put(runner)
        _check(looked, graph, _pictures(number, len(batch)))
        return list(looked.values())

    # Threads of BLAS would wait for each other, and sum differently with their number.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(AT_ONCE) as pool:
        ahead: deque[Future[list[Observed]]] = deque()
        for number, batch in enumerate(batches, 1):
            if len(ahead) == AT_ONCE:
                yield ahead.popleft().result()
            ahead.append(pool.submit(look, batch, number))
        while ahead:
            yield ahead.popleft().result()


def _look(
    runner: Runner, batch: npt.NDArray[np.float32], graph: Graph, histograms: bool
) -> dict[int, Observed]:
    """What one batch shows of each tensor.

    The views of the activations end with this call: the runner's next one fails while any is held.
    """
    outputs = iter(runner.run(batch, views=True))
    return {
        tensor: _looked(
            batch if tensor == graph.input else next(outputs), len(batch), histograms=histograms
        )
        for tensor in graph.activations
    }


def _runners(graph: Graph, threads: int | None) -> SimpleQueue[Runner]:
    """``AT_ONCE`` copies of the network, whose outputs are all activations but the input."""
    shown = graph.copy()
    shown.expose([tensor for tensor in graph.activations if tensor != graph.input])
    content = shown.content()
    runners: SimpleQueue[Runner] = SimpleQueue()
    for _ in range(AT_ONCE):
        runners.put(Runner(content, threads=threads))
    return runners


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


def _looked(values: npt.NDArray[np.float32], batch: int, *, histograms: bool) -> Observed:
    """What one batch of so many pictures shows of a tensor."""
    rows = values.reshape(-1, *values.shape[-1:] or (1,))
    low, high = _channel_extremes(rows)
    # A product with ones takes a tenth of the time of mean(), and sums in blocks.
    mean = (np.ones(len(rows), np.float32) @ rows).astype(np.float64) / len(rows)
    square = np.einsum("ij,ij->j", rows, rows).astype(np.float64) / len(rows)
    of_each = _by_picture(values, batch)
    whole = [(float(low.min()), float(high.max()))] * batch
    extremes = whole if len(of_each) == 1 else _extremes(of_each)
    each = [_histogram(picture) for picture in of_each] if histograms else []
    pictures = [coarse(of_one) for of_one in each[:PICTURES]]
    histogram = np.sum(each, axis=0) if histograms else np.zeros(0, np.int64)
    return Observed(low, high, mean, square, histogram, extremes, pictures)


def _by_picture(values: npt.NDArray[np.float32], batch: int) -> npt.NDArray[np.float32]:
    """A tensor's values, a row for each picture; all in one if its first axis is not of pictures.

    Layer normalization, for one, makes vectors of a value for each place.
    """
    apart = values.ndim > 0 and values.shape[0] % batch == 0
    return values.reshape(batch if apart else 1, -1)


def _pictures(number: int, size: int) -> str:
    """Which pictures a batch holds, in words; both count from 1."""
    return (
        f"picture {number}"
        if size == 1
        else f"pictures {(number - 1) * size + 1} to {number * size}"
    )


def _check(looked: Mapping[int, Observed], graph: Graph, which: str) -> None:
    """Refuse what is not finite in these pictures."""
    for tensor, observed in looked.items():
        if not (observed.minimum.min() > -LARGEST and observed.maximum.max() < LARGEST):
            raise InputError(
                f"activation {graph.name(tensor)} is not finite for calibration {which}, "
                f"or beyond {LARGEST:g}",
                "is the network trained and the picture normalised?",
            )


def _add(known: Observed, observed: Observed, count: int) -> None:
    """Add what batch number ``count`` shows."""
    known.minimum = np.minimum(known.minimum, observed.minimum)
    known.maximum = np.maximum(known.maximum, observed.maximum)
    known.mean += (observed.mean - known.mean) / count
    known.square += (observed.square - known.square) / count
    known.histogram += observed.histogram
    known.extremes += observed.extremes
    known.pictures += observed.pictures[: PICTURES - len(known.pictures)]


def _extremes(values: npt.NDArray[np.float32]) -> list[tuple[float, float]]:
    """Of each picture, a row of values each."""
    return list(zip(values.min(axis=1).tolist(), values.max(axis=1).tolist(), strict=True))


def _channel_extremes(
    rows: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    channels = rows.shape[1]
    # Several rows as one: numpy is slow at many short ones.
    wide = rows.reshape(-1, math.gcd(len(rows), 16) * channels)
    low, high = wide.min(axis=0), wide.max(axis=0)
    return low.reshape(-1, channels).min(axis=0), high.reshape(-1, channels).max(axis=0)


def _histogram(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    flat = picture.reshape(-1)
    # An odd stride walks through all channels, whose number is a multiple of 8.
    stride = max(1, len(flat) // SAMPLE) | 1
    bits = np.ascontiguousarray(flat[::stride]).view(np.uint32)
    return np.bincount(bits >> (32 - KEPT_BITS), minlength=BINS)


def coarse(histogram: npt.NDArray[np.int64]) -> npt.NDArray[np.uint16]:
    """How many of one picture's values are in each coarse bin, uint16 [COARSE_BINS].

    Args:
        histogram: the same in fine bins, int64 [BINS].
    """
    finer = 1 << (KEPT_BITS - COARSE_BITS)
    # Whole slices: a sum over an axis of four is ten times slower.
    slices = [histogram[i::finer] for i in range(finer)]
    sides = functools.reduce(np.add, slices).reshape(2, -1)
    steps = 1 << (COARSE_BITS - 9)
    first = (127 + SMALLEST_EXPONENT) * steps
    last = first + EXPONENTS * steps - 1
    kept = sides[:, first : last + 1].copy()
    # Bin 0 holds the zeros.
    kept[:, 0] += sides[:, 1:first].sum(axis=1)
    kept[:, -1] += sides[:, last + 1 :].sum(axis=1)
    return np.asarray(kept.reshape(-1), np.uint16)
