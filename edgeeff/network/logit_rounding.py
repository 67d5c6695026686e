"""Answers of a softmax or of sigmoids that differ by no more than the rounding of their logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import cut_at_logits, final_activation
from edgeeff.tflite.runner import Runner

ROOM = 2.0
"""How far rounding may move logits, in times of what nudges do. On flat pictures all places round
alike, which noise does not do: of EfficientNetB0 with random weights it was up to 1.7 times."""


def within_rounding(
    graph: Graph,
    batches: Sequence[FloatArray],
    nudged: Sequence[Sequence[FloatArray]],
    wanted: FloatArray,
    allowed: float,
) -> npt.NDArray[np.bool_]:
    """Whether answers are those of a file's logits, but for their rounding, [pictures].

    Args:
        graph: the file, which ends in a softmax or sigmoids; else none is.
        batches: its pictures.
        nudged: the same, changed by next to nothing, in several ways: how far the logits of a
            picture move with that is the measure of how far rounding moves them.
        wanted: the answers, [pictures, classes].
        allowed: by how much an answer may differ.
    """
    last = final_activation(graph)
    if last is None:
        return np.zeros(len(wanted), np.bool_)
    runner, beta = Runner(cut_at_logits(graph).content()), last.options.get("beta", 1.0)
    logits, *others = (
        beta * np.concatenate([runner.run(images)[0] for images in pictures], dtype=np.float64)
        for pictures in (batches, *nudged)
    )
    margins = logits.reshape(wanted.shape)
    moved = [np.abs(other - logits).reshape(wanted.shape) for other in others]
    room = ROOM * np.max(moved, axis=(0, 2))[:, None]
    if last.kind == "SOFTMAX":
        # One may rise while the others fall.
        margins, room = _margins(margins), 2 * room
    lowest, highest = ((1 + np.tanh((margins + far) / 2)) / 2 for far in (-room, room))
    within = (wanted >= lowest - allowed) & (wanted <= highest + allowed)
    return np.asarray(within.all(axis=1))


def _margins(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of what the softmax is the sigmoid: each logit less the log of the sum of the others' powers.

    That of the largest is worked out apart: in the sum of all, a lead of 37 hides the others.
    """
    first = logits.argmax(axis=1, keepdims=True)
    log_share = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.put_along_axis(log_share, first, -1.0, axis=1)
    margins: npt.NDArray[np.float64] = log_share - np.log1p(-np.exp(log_share))
    rest = logits.copy()
    np.put_along_axis(rest, first, -np.inf, axis=1)
    lead = logits.max(axis=1, keepdims=True) - np.logaddexp.reduce(rest, axis=1, keepdims=True)
    np.put_along_axis(margins, first, lead, axis=1)
    return margins
