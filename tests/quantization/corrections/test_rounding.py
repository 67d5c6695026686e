"""Rounded weights lie on the int8 grid of their channel; GPTQ's keep the layer's output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeeff.quantization.corrections import rounding

matrices = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-8, 8, width=16),
)


def random_weights(channels: int, taps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(channels, taps)).astype(np.float32)


def correlated_inputs(taps: int, seed: int, samples: int = 2000) -> np.ndarray:
    """Inputs of which a quarter as many hidden causes explain nearly all."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(taps, max(2, taps // 4)))
    hidden = random.normal(size=(mixing.shape[1], samples))
    noise = 0.1 * random.normal(size=(taps, samples))
    return (mixing @ hidden + noise).astype(np.float32)


def output_error(weights: np.ndarray, rounded: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """What GPTQ minimises, by channel: the mean squared error of the layer's output."""
    error = (weights - rounded).astype(np.float64)
    subscripts = "ci,cij,cj->c" if moments.ndim == 3 else "ci,ij,cj->c"
    return np.einsum(subscripts, error, moments.astype(np.float64), error)


def steps(rounded: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return rounded / rounding.channel_scales(weights)


@given(matrices)
def test_nearest_errs_by_half_a_step_at_most(weights: np.ndarray) -> None:
    error = np.abs(rounding.nearest(weights) - weights)
    assert (error <= rounding.channel_scales(weights) * 0.5001).all()


@given(matrices)
def test_nearest_is_on_the_grid_with_the_largest_at_127(weights: np.ndarray) -> None:
    found = steps(rounding.nearest(weights), weights)
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    used = np.abs(weights).max(axis=1) > 0
    np.testing.assert_allclose(np.abs(found[used]).max(axis=1), 127, rtol=1e-5)


@given(matrices, st.floats(0.05, 1.0))
def test_clipping_never_adds_to_the_squared_error(weights: np.ndarray, least: float) -> None:
    scales = rounding.clipped_scales(weights, least)
    widest = rounding.channel_scales(weights)
    assert (scales <= widest * 1.0001).all()
    assert (scales >= widest * least * 0.9999).all()

    def error(of_scales: np.ndarray) -> np.ndarray:
        return ((rounding.nearest(weights, of_scales) - weights) ** 2).sum(axis=1)

    assert (error(scales) <= error(widest) * 1.0001 + 1e-12).all()


def lone_large_weight(power: float) -> tuple[np.ndarray, np.ndarray]:
    """A thousand weights up to 1, the first one 3, and moments with the power of its input."""
    weights = np.random.default_rng(0).uniform(-1, 1, (1, 1000)).astype(np.float32)
    weights[0, 0] = 3
    return weights, np.diag(np.append(power, np.ones(999))).astype(np.float32)


@pytest.mark.parametrize(("power", "clipped"), [(1e-4, True), (1.0, False)])
def test_a_large_weight_is_cut_off_if_its_input_is_weak(power: float, clipped: bool) -> None:
    weights, moments = lone_large_weight(power)
    share = rounding.clipped_scales(weights, 0.2, moments) / rounding.channel_scales(weights)
    assert share.item() == pytest.approx(1 / 3, abs=0.05) if clipped else share.item() > 0.95


def test_gptq_spreads_what_clipping_cut_off() -> None:
    inputs = correlated_inputs(32, 0)
    moments = rounding.hessian(inputs)
    weights = random_weights(8, 32)
    scales = 0.8 * rounding.channel_scales(weights)
    cut = rounding.nearest(weights, scales)
    spread = rounding.gptq(weights, moments, scales=scales)
    np.testing.assert_allclose(spread / scales, np.rint(spread / scales), atol=1e-3)
    assert np.abs(spread / scales).max() <= 127.001
    cost = output_error(weights, spread, moments) / output_error(weights, cut, moments)
    assert np.median(cost) < 0.5


@settings(max_examples=50)
@given(matrices, st.integers(0, 1000))
def test_gptq_is_on_the_grid_and_its_scale_can_be_read_off(weights: np.ndarray, seed: int) -> None:
    moments = rounding.hessian(correlated_inputs(weights.shape[1], seed, samples=64))
    rounded = rounding.gptq(weights, moments)
    found = steps(rounded, weights)
    np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
    used = np.abs(weights).max(axis=1) > 0
    np.testing.assert_allclose(np.abs(found[used]).max(axis=1), 127, rtol=1e-5)
    assert np.abs(found).max() <= 127.001


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("taps", [9, 32, 150])
def test_gptq_halves_the_output_error_of_correlated_inputs(taps: int, seed: int) -> None:
    weights = random_weights(16, taps, seed)
    moments = rounding.hessian(correlated_inputs(taps, seed))
    gptq = output_error(weights, rounding.gptq(weights, moments), moments)
    nearest = output_error(weights, rounding.nearest(weights), moments)
    assert gptq.sum() < 0.5 * nearest.sum()


def test_gptq_halves_it_for_depthwise_layers_too() -> None:
    weights = random_weights(32, 9)
    inputs = np.stack([correlated_inputs(9, seed) for seed in range(32)])
    moments = rounding.hessian(inputs)
    gptq = output_error(weights, rounding.gptq(weights, moments), moments)
    nearest = output_error(weights, rounding.nearest(weights), moments)
    assert gptq.sum() < 0.5 * nearest.sum()


def test_gptq_of_uncorrelated_inputs_is_nearest() -> None:
    weights = random_weights(8, 20)
    np.testing.assert_array_equal(
        rounding.gptq(weights, np.eye(20, dtype=np.float32)), rounding.nearest(weights)
    )


def test_inputs_never_excited_are_rounded_to_nearest() -> None:
    weights = random_weights(8, 20)
    inputs = correlated_inputs(20, seed=1)
    inputs[12:] = 0
    rounded = rounding.gptq(weights, rounding.hessian(inputs))
    np.testing.assert_array_equal(rounded[:, 12:], rounding.nearest(weights)[:, 12:])


def test_a_batch_of_depthwise_channels_equals_one_after_the_other() -> None:
    weights = random_weights(6, 25)
    moments = rounding.hessian(np.stack([correlated_inputs(25, seed) for seed in range(6)]))
    together = rounding.gptq(weights, moments)
    alone = [rounding.gptq(weights[c : c + 1], moments[c : c + 1])[0] for c in range(6)]
    np.testing.assert_array_equal(together, np.stack(alone))


@pytest.mark.parametrize("taps", [rounding.BLOCK - 1, rounding.BLOCK, 2 * rounding.BLOCK + 5])
def test_blocks_equal_tap_after_tap(taps: int) -> None:
    weights = random_weights(8, taps)
    moments = rounding.hessian(correlated_inputs(taps, seed=3))
    shared = rounding.gptq(weights, moments, damping=0.1)
    repeated = rounding.gptq(weights, np.stack([moments] * 8), damping=0.1)
    np.testing.assert_array_equal(shared, repeated)


@pytest.mark.parametrize("shape", [(9,), (64,), (65,), (200,), (3, 70)])
def test_the_error_spreads_by_the_cholesky_factor_of_the_inverse(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(1).normal(size=(*shape, 400)).astype(np.float32)
    moments = rounding.hessian(inputs)
    taps, damped = shape[-1], moments.astype(np.float64)
    mean = np.einsum("...ii->...", damped)[..., None, None] / taps
    factor = np.linalg.cholesky(np.linalg.inv(damped + 0.1 * mean * np.eye(taps)))
    upper = np.swapaxes(factor, -1, -2)
    steps = np.einsum("...ii->...i", upper)[..., None]
    assert rounding._inverse_factor(moments, 0.1) == pytest.approx(upper / steps, abs=1e-5)


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_channel_of_zeros_stays_zero(depthwise: bool) -> None:
    weights = random_weights(4, 9)
    weights[2] = 0
    moments = rounding.hessian(correlated_inputs(9, seed=0))
    rounded = rounding.gptq(weights, np.stack([moments] * 4) if depthwise else moments)
    assert np.isfinite(rounded).all()
    assert not rounded[2].any()
    assert not rounding.nearest(weights)[2].any()


def test_inputs_that_are_always_zero_change_nothing() -> None:
    weights = random_weights(4, 9)
    silent = np.zeros((9, 9), np.float32)
    np.testing.assert_array_equal(rounding.gptq(weights, silent), rounding.nearest(weights))


def test_arguments_are_not_changed() -> None:
    weights, moments = random_weights(4, 9), rounding.hessian(correlated_inputs(9, seed=0))
    before = weights.copy(), moments.copy()
    rounding.gptq(weights, moments)
    np.testing.assert_array_equal(weights, before[0])
    np.testing.assert_array_equal(moments, before[1])


def centred(inputs: np.ndarray) -> np.ndarray:
    return inputs - inputs.mean(axis=-1, keepdims=True)


def kept(weights: np.ndarray, seen: np.ndarray, real: np.ndarray, ridge: float) -> np.ndarray:
    moments, mixed = rounding.hessian(seen), rounding.mixed_moments(real, seen)
    return rounding.keeping_outputs(weights, moments, mixed, ridge, seen.shape[-1])


@pytest.mark.parametrize("ridge", [0.01, 1.0, 100.0])
def test_weights_stay_where_a_layer_gets_what_it_should(ridge: float) -> None:
    weights, inputs = random_weights(5, 12), centred(correlated_inputs(12, 0))
    np.testing.assert_allclose(kept(weights, inputs, inputs, ridge), weights, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_kept_better_from_inputs_that_were_rounded(seed: int) -> None:
    weights, real = random_weights(6, 16, seed), centred(correlated_inputs(16, seed))
    seen = centred(np.rint(real / 2).astype(np.float32) * 2)
    target = weights @ real
    before = np.square(weights @ seen - target).mean()
    after = np.square(kept(weights, seen, real, 0.01) @ seen - target).mean()
    assert after < 0.8 * before


def test_few_samples_leave_the_weights_nearly_as_they_were() -> None:
    weights, real = random_weights(6, 64), centred(correlated_inputs(64, 0, samples=16))
    seen = centred(np.rint(real / 2).astype(np.float32) * 2)
    moved = np.abs(kept(weights, seen, real, 1.0) - weights).mean()
    assert moved < 0.1 * np.abs(weights).mean()


def test_depthwise_channels_are_fitted_each_for_itself() -> None:
    weights = random_weights(3, 9)
    real = np.stack([centred(correlated_inputs(9, seed)) for seed in range(3)])
    seen = np.rint(real / 2).astype(np.float32) * 2
    together = kept(weights, seen, real, 0.1)
    for channel in range(3):
        alone = kept(weights[channel : channel + 1], seen[channel], real[channel], 0.1)
        np.testing.assert_allclose(together[channel], alone[0], rtol=1e-3, atol=1e-4)
