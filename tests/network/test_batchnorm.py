"""BatchNorm's closed forms agree with what the activations really do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeeff.network.batchnorm import moments
from edgeeff.network.builder import ACTIVATIONS, build
from edgeeff.network.normal_moments import Moments, clipped_normal
from tests import networks

means = st.floats(-20, 20)
deviations = st.floats(0, 10)


@given(mean=means, deviation=deviations, upper=st.sampled_from([6.0, math.inf]))
def test_clipped_moments_stay_within_their_bounds(mean, deviation, upper) -> None:
    after, spread = clipped_normal(np.array([mean]), np.array([deviation]), 0.0, upper)
    assert max(0.0, min(mean, upper)) - deviation - 1e-9 <= after[0] <= upper
    assert 0 <= spread[0] <= deviation + 1e-6


@pytest.mark.parametrize("upper", [6.0, math.inf])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (-1, 2), (5, 3), (9, 1), (-30, 1)])
def test_clipped_moments_equal_a_simulation(mean, deviation, upper) -> None:
    samples = np.clip(np.random.default_rng(0).normal(mean, deviation, 1_000_000), 0, upper)
    after, spread = clipped_normal(np.array([float(mean)]), np.array([float(deviation)]), 0, upper)
    assert after[0] == pytest.approx(samples.mean(), abs=0.01)
    assert spread[0] == pytest.approx(samples.std(), abs=0.01)


def test_a_constant_channel_stays_one() -> None:
    after, spread = clipped_normal(np.array([-1.0, 2.0, 7.0]), np.zeros(3), 0.0, 6.0)
    np.testing.assert_allclose(after, [0, 2, 6])
    np.testing.assert_allclose(spread, 0, atol=1e-9)


@pytest.fixture(scope="module")
def known() -> dict[str, Moments]:
    return moments(networks.untrained(networks.tiny_variant(), pictures=8), IMAGE)


IMAGE = Moments(np.zeros(3), np.ones(3))


def test_nothing_is_known_after_a_gate_until_the_next_batchnorm(known) -> None:
    gates = ("se_reduce", "se_expand", "se_excite", "project_conv")
    assert not [name for name in known if name.endswith(gates)]
    assert {"image", "stem_bn", "block1a_project_bn", "block1a_se_squeeze", "logits"} <= set(known)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_activations_of_a_normal_variable(activation: str) -> None:
    model = build(networks.tiny_variant(), activation=activation)
    layer = model.get_layer("stem_bn")
    layer.beta.assign(np.linspace(-2, 2, 8))
    layer.gamma.assign(np.linspace(-1, 3, 8))
    samples = np.random.default_rng(1).normal(size=(400_000, 8)).astype(np.float32)
    samples = samples * np.linspace(-1, 3, 8) + np.linspace(-2, 2, 8)
    after = model.get_layer("stem_activation")(samples.astype(np.float32)).numpy()
    found = moments(model, IMAGE)["stem_activation"]
    np.testing.assert_allclose(found.mean, after.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.deviation, after.std(axis=0), atol=0.01)


def test_sums_add_means_and_variances(known) -> None:
    first, second, both = (
        known[name] for name in ("block2a_project_bn", "block2b_project_bn", "block2b_add")
    )
    np.testing.assert_allclose(both.mean, first.mean + second.mean)
    np.testing.assert_allclose(both.deviation, np.hypot(first.deviation, second.deviation))


def outputs(model: Any, names: list[str], batch: np.ndarray) -> dict[str, np.ndarray]:
    import tf_keras

    part = tf_keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    return dict(zip(names, (each.numpy() for each in part(batch)), strict=True))


def test_means_are_those_of_the_pictures_that_trained_the_network() -> None:
    variant = networks.tiny_variant()
    model = networks.untrained(variant, pictures=32)
    known = moments(model, IMAGE)
    linear = [name for name in known if name.endswith(("project_bn", "_add"))]
    batch = networks.synthetic_batch(variant, 32)
    for name, found in outputs(model, linear, batch).items():
        values = found.reshape(-1, found.shape[-1])
        # Keras' moving variance is the unbiased one, so its normalisation differs a little.
        np.testing.assert_allclose(known[name].mean, values.mean(axis=0), atol=0.02, err_msg=name)
