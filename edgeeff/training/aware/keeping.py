"""Keeps the best network of a training, judged on pictures that are not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeeff.arrays import FloatArray, Pixels
from edgeeff.quantization.corrections.corrected import Corrected
from edgeeff.tflite.graph import Graph
from edgeeff.training.aware.teacher import integer_values

JUDGING = 96
"""Pictures that judge, at most."""

SHARE = 5
"""One of so many pictures judges, if that is less."""

SMALLEST = 1e-6
"""Relative squared error below which a picture is answered exactly (-60 dB)."""


def apart(pictures: Pixels) -> tuple[Pixels, Pixels]:
    """Pictures to learn from, and to judge by: spread over all, never none.

    Where there are fewer than ``SHARE``, all of them are both.
    """
    count = min(JUDGING, len(pictures) // SHARE)
    if not count:
        return pictures, pictures
    places = np.arange(count) * len(pictures) // count
    return np.delete(pictures, places, axis=0), pictures[places]


class Judge:
    """Says how near an integer network is to the float one."""

    def __init__(
        self, pictures: FloatArray, real: FloatArray, name: str, threads: int | None
    ) -> None:
        """Keep what the float network makes.

        Args:
            pictures: as the network takes them, [count, side, side, 3].
            real: what the float network makes of them, [count, ...].
            name: of the tensor that it makes.
            threads: kernel threads.
        """
        self._pictures, self._real = pictures, real.reshape(len(real), -1).astype(np.float64)
        self._name, self._threads = name, threads

    def __call__(self, written: Graph) -> float:
        """Signal to noise ratio in dB, mean over the pictures.

        Args:
            written: the integer model, its ends as they are inside.
        """
        (made,) = integer_values(written, [self._name], self._threads)(self._pictures)
        noise = np.square(made.reshape(self._real.shape) - self._real).sum(axis=1)
        signal = np.maximum(np.square(self._real).sum(axis=1), 1e-30)
        return float(-10 * np.log10(noise / signal + SMALLEST).mean())


@dataclass(frozen=True)
class Kept:
    """The best network so far.

    Attributes:
        network: to be written.
        step: after which it was as it is; 0: before the first.
        db: as it was judged.
    """

    network: Corrected
    step: int
    db: float

    def or_better(self, other: Kept) -> Kept:
        """The other one if it is judged better."""
        return other if other.db > self.db else self
