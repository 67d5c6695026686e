import numpy as np
import pytest

from edgeeff.architectures.variants import find_variant
from edgeeff.network.builder import build
from edgeeff.training.memory import picture_bytes
from edgeeff.training.network import StepDropout, built, freeze_batchnorm, named_weights
from edgeeff.training.settings import TrainingSettings

LITE = find_variant("lite0-phi-8")


def dropped(step, *, seed=0, name="drop", noise_shape=None, shape=(64, 4, 4, 8), rate=0.25):
    layer = StepDropout(rate, noise_shape, seed, lambda: step, name=name)
    return layer(np.ones(shape, np.float32), training=True).numpy()


def test_a_mask_follows_from_the_step():
    assert np.array_equal(dropped(3), dropped(3))
    assert not np.array_equal(dropped(3), dropped(4))


@pytest.mark.parametrize("other", [{"seed": 1}, {"name": "other"}])
def test_seeds_and_layers_have_masks_of_their_own(other):
    assert not np.array_equal(dropped(3), dropped(3, **other))


def test_what_is_left_makes_up_for_what_is_dropped():
    found = dropped(0)
    assert np.allclose(np.unique(found), [0, 1 / 0.75])
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_stochastic_depth_drops_a_whole_picture():
    found = dropped(0, noise_shape=(None, 1, 1, 1))
    assert all(len(np.unique(one)) == 1 for one in found)
    assert len(np.unique(found)) == 2


def test_outside_of_training_nothing_is_dropped():
    layer = StepDropout(0.5, None, 0, lambda: 0)
    ones = np.ones((2, 3), np.float32)
    assert np.array_equal(layer(ones, training=False), ones)


@pytest.fixture(scope="module")
def network():
    settings = TrainingSettings(dataset="digits", resolution=32)
    return built(LITE, 10, settings, synchronised=False)


@pytest.mark.slow
def test_a_network_for_training_is_the_one_that_is_exported(network):
    plain = build(LITE, classes=10, resolution=32)
    for name, value in named_weights(plain).items():
        named_weights(network.model)[name].assign(value)
    picture = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    found = network.model(picture, training=False)
    assert np.allclose(found, plain(picture, training=False), atol=1e-6)


@pytest.mark.slow
def test_frozen_batchnorm_has_nothing_to_learn():
    settings = TrainingSettings(dataset="digits", resolution=32)
    model = built(LITE, 10, settings, synchronised=False).model
    freeze_batchnorm(model)
    assert not any("_bn/" in one.name for one in model.trainable_variables)
    picture = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    before = model.get_layer("stem_bn").moving_mean.numpy()
    model(picture, training=True)
    assert np.array_equal(model.get_layer("stem_bn").moving_mean.numpy(), before)


def test_a_larger_picture_takes_as_much_more_memory(network):
    settings = TrainingSettings(dataset="digits", resolution=64)
    larger = built(LITE, 10, settings, synchronised=False).model
    assert picture_bytes(larger) == pytest.approx(4 * picture_bytes(network.model), rel=0.05)
