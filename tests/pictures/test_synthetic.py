"""Made-up pictures: the same everywhere, and like nature where it can be measured."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeeff.errors import UsageError
from edgeeff.pictures.synthetic import synthetic_pictures


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """100 pictures at 224, on the scale 0..1."""
    return np.stack(list(synthetic_pictures(100, 224))).astype(np.float32) / 255


def picture(resolution: int, number: int = 0, seed: int = 0) -> np.ndarray:
    stream = synthetic_pictures(number + 1, resolution, seed)
    return next(itertools.islice(stream, number, None))


def smaller(made: np.ndarray, size: int) -> np.ndarray:
    step = len(made) // size
    return made.reshape(size, step, size, step, 3).mean((1, 3))


def test_same_bytes_again_and_the_count_does_not_matter():
    three = list(synthetic_pictures(3, 40))
    five = list(synthetic_pictures(5, 40))
    assert all((a == b).all() for a, b in zip(three, five, strict=False))
    assert three[0].dtype == np.uint8
    assert three[0].shape == (40, 40, 3)


def test_other_numbers_and_seeds_are_other_pictures():
    made = [picture(40, number, seed).tobytes() for number in range(3) for seed in range(3)]
    assert len(set(made)) == 9


@pytest.mark.parametrize("resolution", [1, 2, 7, 33])
def test_a_picture_has_the_resolution_that_is_asked_for(resolution):
    assert picture(resolution).shape == (resolution, resolution, 3)


@pytest.mark.parametrize("number", range(6))
def test_content_is_the_same_at_every_resolution(number):
    large, small = smaller(picture(448, number), 28), smaller(picture(112, number), 28)
    likeness = np.corrcoef(large.ravel(), small.ravel())[0, 1]
    assert likeness > 0.9
    assert abs(large - small).mean() < 15


@pytest.mark.slow
def test_colours_are_as_bright_and_varied_as_imagenets(many):
    np.testing.assert_allclose(many.mean((0, 1, 2)), (0.485, 0.456, 0.406), atol=0.04)
    np.testing.assert_allclose(many.std((0, 1, 2)), (0.229, 0.224, 0.225), atol=0.035)


def test_channels_go_together_as_in_photographs(many):
    red, green, blue = many.reshape(-1, 3)[::97].T
    for first, second in ((red, green), (green, blue), (red, blue)):
        assert 0.7 < np.corrcoef(first, second)[0, 1] < 0.98


def test_few_pixels_are_clipped(many):
    assert (many == 0).mean() < 0.08
    assert (many == 1).mean() < 0.08


def test_spectrum_falls_as_in_nature(many):
    """Amplitude over frequency falls with a power near -1 (Field 1987: -0.8 to -1.5)."""
    grey = many.mean(3)
    window = np.hanning(224)[:, None] * np.hanning(224)[None, :]
    power = np.abs(np.fft.rfft2((grey - grey.mean((1, 2), keepdims=True)) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(224)[:, None], np.fft.rfftfreq(224)[None, :])
    bands = np.geomspace(4 / 224, 0.4, 8)
    middle = np.sqrt(bands[:-1] * bands[1:])
    amplitude = [
        np.sqrt(power[:, (frequency >= low) & (frequency < high)].mean())
        for low, high in itertools.pairwise(bands)
    ]
    slope = np.polyfit(np.log(middle), np.log(amplitude), 1)[0]
    assert -1.6 < slope < -0.8


@pytest.mark.parametrize(("count", "resolution", "seed"), [(-1, 8, 0), (1, 0, 0), (1, 8, -1)])
def test_what_cannot_be_is_wrong_usage(count, resolution, seed):
    with pytest.raises(UsageError, match=f"{count} pictures of {resolution} pixels, seed {seed}"):
        list(synthetic_pictures(count, resolution, seed))


def test_no_pictures_are_an_empty_list():
    assert list(synthetic_pictures(0, 8)) == []
