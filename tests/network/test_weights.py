"""All of a weight file gets into the network, or nothing and the tensor at fault is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from edgeeff.errors import InputError
from edgeeff.network import weights
from edgeeff.network.builder import build
from tests.network.weight_files import OWN_FILES, TINY, assert_same, values


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", OWN_FILES)
def test_a_saved_network_comes_back(trained: Any, fresh: Any, tmp_path: Path, name: str) -> None:
    OWN_FILES[name](trained, tmp_path / name)
    loaded = weights.load(fresh, TINY, tmp_path / name)
    assert_same(fresh, trained)
    assert loaded.trained
    if name in ("named.safetensors", "checkpoint"):
        assert loaded.notes == ()
    else:
        assert ["softmax" in note for note in loaded.notes] == [True]
    assert loaded.scaling is None
    assert loaded.sha256 is not None
    assert len(loaded.sha256) == 64


@pytest.mark.parametrize("name", ["checkpoint.index", "checkpoint.data-00000-of-00001", ""])
def test_a_checkpoint_is_found_by_any_of_its_files(
    trained: Any, fresh: Any, tmp_path: Path, name: str
) -> None:
    trained.save_weights(tmp_path / "checkpoint")
    weights.load(fresh, TINY, tmp_path / name)
    assert_same(fresh, trained)


def test_a_training_checkpoint_gives_its_model(trained: Any, fresh: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    tf.train.Checkpoint(model=trained, step=tf.Variable(3)).write(str(tmp_path / "state"))
    weights.load(fresh, TINY, tmp_path / "state")
    assert_same(fresh, trained)


def test_none_leaves_the_network_as_it_is(fresh: Any) -> None:
    assert weights.load(fresh, TINY, "none") == weights.Weights("none")


class TestAnotherClassCount:
    @pytest.fixture
    def file(self, trained: Any, tmp_path: Path) -> Path:
        weights.save_safetensors(trained, tmp_path / "ten.safetensors")
        return tmp_path / "ten.safetensors"

    def test_the_head_is_dropped_and_said_so(self, trained: Any, file: Path) -> None:
        model = build(TINY, classes=3)
        head = model.get_layer("logits").kernel.numpy()
        loaded = weights.load(model, TINY, file)
        np.testing.assert_array_equal(model.get_layer("logits").kernel.numpy(), head)
        np.testing.assert_array_equal(
            model.get_layer("top_conv").kernel.numpy(), trained.get_layer("top_conv").kernel.numpy()
        )
        assert not loaded.trained
        assert "10 classes, not 3" in loaded.notes[0]

    def test_a_file_without_a_head_is_said_to_lack_it(self, fresh: Any, file: Path) -> None:
        arrays = safetensors.numpy.load_file(file)
        kept = {name: array for name, array in arrays.items() if not name.startswith("logits")}
        safetensors.numpy.save_file(kept, file)
        loaded = weights.load(fresh, TINY, file)
        assert not loaded.trained
        assert "no classifier" in loaded.notes[0]


def without(arrays: dict[str, np.ndarray]) -> None:
    del arrays["top_conv/kernel"]


def transposed(arrays: dict[str, np.ndarray]) -> None:
    arrays["top_conv/kernel"] = np.ascontiguousarray(arrays["top_conv/kernel"].T)


def with_more(arrays: dict[str, np.ndarray]) -> None:
    arrays["block9z_dwconv/depthwise_kernel"] = np.zeros((3, 3, 8, 1), np.float32)


def not_finite(arrays: dict[str, np.ndarray]) -> None:
    arrays["top_bn/moving_variance"][5] = np.nan


def half_a_head(arrays: dict[str, np.ndarray]) -> None:
    del arrays["logits/bias"]


def not_numbers(arrays: dict[str, np.ndarray]) -> None:
    arrays["top_bn/gamma"] = np.ones(320, np.bool_)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without, r"lacks tensor 'top_conv/kernel' \(expected shape \[1, 1, 16, 320\]\)"),
        (
            transposed,
            r"'top_conv/kernel' has shape \[320, 16, 1, 1\], expected \[1, 1, 16, 320\]",
        ),
        (with_more, r"1 tensors .* 'block9z_dwconv/depthwise_kernel' of shape \[3, 3, 8, 1\]"),
        (not_finite, r"'top_bn/moving_variance' holds values that are not finite"),
        (half_a_head, r"lacks tensor 'logits/bias'"),
        (not_numbers, r"'top_bn/gamma' holds bool"),
    ],
)
def test_a_file_that_does_not_fit_names_the_tensor_and_changes_nothing(
    trained: Any, fresh: Any, tmp_path: Path, damage: Callable[[dict], None], message: str
) -> None:
    weights.save_safetensors(trained, tmp_path / "w.safetensors")
    arrays = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    damage(arrays)
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    before = values(fresh)
    with pytest.raises(InputError, match=message):
        weights.load(fresh, TINY, tmp_path / "w.safetensors")
    for name, found in values(fresh).items():
        np.testing.assert_array_equal(found, before[name])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", [name for name in OWN_FILES if name != "checkpoint"])
def test_a_file_cut_short_is_an_input_error(
    trained: Any, fresh: Any, tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    OWN_FILES[name](trained, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=name):
        weights.load(fresh, TINY, path)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_a_checkpoint_cut_short_is_an_input_error(
    trained: Any, fresh: Any, tmp_path: Path, suffix: str, share: float
) -> None:
    trained.save_weights(tmp_path / "checkpoint")
    path = tmp_path / f"checkpoint{suffix}"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="checkpoint"):
        weights.load(fresh, TINY, tmp_path / "checkpoint")


def test_a_saved_model_is_referred_to_the_command_that_reads_it(fresh, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InputError, match="a whole network") as refused:
        weights.load(fresh, TINY, tmp_path)
    assert "convert --model" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.h5", "cannot read"),
        ("missing.safetensors", "cannot read"),
        ("missing", "not a kind of weight file"),
        ("weights.npz", "not a kind of weight file"),
        ("/", "not a kind of weight file"),
    ],
)
def test_a_path_that_is_no_weight_file_is_an_input_error(
    fresh: Any, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        weights.load(fresh, TINY, tmp_path / name)
