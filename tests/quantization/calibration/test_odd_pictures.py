"""Which pictures do not calibrate."""

from dataclasses import replace

import numpy as np
import pytest

from edgeeff.pictures.preprocessing import from_options
from edgeeff.quantization.calibration.observation import Observed
from edgeeff.quantization.calibration.odd_pictures import odd_pictures
from edgeeff.quantization.calibration.pictures import set_of, without
from edgeeff.quantization.corrections.corrected import correct_network
from edgeeff.quantization.recipes.recipe import find_recipe
from edgeeff.tflite.float_model import FloatModel
from tests.small_classifiers import SmallClassifier


def seen(reach):
    """Twenty activations, in which each picture reaches so far at the upper end."""
    nothing = np.zeros(1)
    extremes = [(-0.3 * each, each) for each in reach]
    return {
        tensor: Observed(nothing, nothing, nothing, nothing, nothing, list(extremes), [])
        for tensor in range(20)
    }


def test_a_picture_that_reaches_far_beyond_the_others_is_odd():
    assert odd_pictures(seen([1.0] * 12 + [40.0] + [1.1] * 12), 25, 3.0) == [12]


@pytest.mark.parametrize("reach", [2.9, 0.01, 0.0])
def test_a_picture_that_reaches_about_as_far_or_less_is_not(reach):
    assert odd_pictures(seen([1.0] * 24 + [reach]), 25, 3.0) == []


def test_the_lower_end_counts_as_well():
    observed = seen([1.0] * 24 + [1.0])
    for each in observed.values():
        each.extremes[-1] = (-9.0, 1.0)
    assert odd_pictures(observed, 25, 3.0) == [24]


def test_one_activation_alone_makes_no_picture_odd():
    observed = seen([1.0] * 25)
    observed[3].extremes[7] = (-1.0, 1000.0)
    assert odd_pictures(observed, 25, 3.0) == []


def test_of_many_that_reach_far_the_farthest_tenth_is_left_out():
    assert odd_pictures(seen([1.0] * 20 + [9.0, 8.0, 7.0, 20.0, 5.0]), 25, 3.0) == [20, 23]


def test_what_fills_up_the_last_batch_is_no_picture():
    assert odd_pictures(seen([1.0] * 25 + [9.0]), 25, 3.0) == []


def test_without_a_limit_every_picture_calibrates():
    assert odd_pictures(seen([1.0] * 24 + [40.0]), 25, 0.0) == []


def test_activations_that_are_always_zero_tell_nothing():
    assert odd_pictures(seen([0.0] * 25), 25, 3.0) == []


def test_a_network_is_calibrated_as_if_an_odd_picture_were_not_there():
    how = from_options(16, "127.5", "128", "bilinear:1")
    net = SmallClassifier(16, seed=1)
    wide = net.convolution(net.image, 8, activation="RELU")
    content = net.content(net.dense(net.mean(net.convolution(wide, 8)), 5))
    random = np.random.default_rng(0)
    faint = random.integers(120, 136, (20, 16, 16, 3))
    stark = 255 * random.integers(0, 2, (1, 1, 1, 3))
    pixels = np.concatenate([faint, stark * np.ones((1, 16, 16, 1), int)]).astype(np.uint8)
    pictures = set_of("test", pixels, tuple(map(str, range(21))))
    recipe = find_recipe("int8-plain")
    recipe = replace(recipe, ranges=replace(recipe.ranges, odd=3.0))
    told = []
    model = FloatModel(content, how)
    found = correct_network(model, recipe, pictures, covered=told.append)
    assert found.grids == correct_network(model, recipe, without(pictures, {20})).grids
    assert told[0].odd == ("20",)
    assert told[0].pictures == 20
