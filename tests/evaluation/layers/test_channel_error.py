"""Signal to noise in which every channel has its say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeeff.evaluation.layers.channel_error import ChannelError

SIGNAL = np.random.default_rng(0).normal(0, 1, (4, 50, 3)).astype(np.float32)


def ratio(truth: np.ndarray, found: np.ndarray) -> float:
    error = ChannelError(truth.shape[-1])
    for one, other in zip(truth, found, strict=True):
        error.add(one, other)
    return error.sqnr_db()


def test_noise_of_a_tenth_is_20_db():
    assert ratio(SIGNAL, SIGNAL * np.float32(1.1)) == pytest.approx(20.0, abs=1e-3)


def test_a_channel_that_reaches_far_does_not_hide_the_others():
    wide = SIGNAL * np.array([1000, 1, 1], np.float32)
    found = wide.copy()
    found[..., 1:] *= 1.1
    whole = 10 * math.log10(np.square(wide).sum() / np.square(wide - found).sum())
    assert whole > 70
    assert ratio(wide, found) == pytest.approx(20.0 + 10 * math.log10(3 / 2), abs=0.1)


def test_a_silent_channel_does_not_count():
    truth = np.concatenate([SIGNAL, np.zeros_like(SIGNAL[..., :1])], axis=-1)
    found = truth * np.float32(1.1)
    found[..., 3] = 5.0
    assert ratio(truth, found) == pytest.approx(20.0, abs=1e-3)


def test_a_faint_channel_counts_as_one_of_a_tenth():
    faint = SIGNAL * np.array([0.03, 1, 1], np.float32)
    found = faint.copy()
    found[..., 0] += 0.1
    # Noise of 0.1 is as much as a channel of a tenth; the other two are without noise.
    assert ratio(faint, found) == pytest.approx(10 * math.log10(2.09 / 1), abs=0.3)


def test_without_noise_it_is_infinite_and_without_signal_too():
    assert ratio(SIGNAL, SIGNAL) == math.inf
    assert ratio(np.zeros_like(SIGNAL), SIGNAL) == math.inf


def test_it_does_not_matter_how_pictures_are_grouped():
    found = SIGNAL + np.float32(0.01)
    whole = ChannelError(3)
    whole.add(SIGNAL, found)
    assert whole.sqnr_db() == pytest.approx(ratio(SIGNAL, found))
