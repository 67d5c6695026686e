"""A state dict gets into the network that its library builds, or the tensor at fault is named."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgeeff.architectures.variants import Variant, find_variant
from edgeeff.errors import EdgeeffError, InputError, UsageError
from edgeeff.state_dicts.layouts import places
from edgeeff.state_dicts.origins import ORIGINS
from edgeeff.state_dicts.reading import read
from tests.state_dicts import torch_files
from tests.state_dicts.libraries import NETWORKS

CLASSES = 3

PICTURES = {
    "input_size": [3, 256, 256],
    "interpolation": "bilinear",
    "crop_pct": 0.95,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.25, 0.5],
}
"""How timm says that they are made."""

TIMM = {"architecture": "tf_efficientnet_b0"}
TRANSFORMERS = {"model_type": "efficientnet", "image_size": 224}
"""Beginnings of descriptions."""


def narrow(name: str) -> Variant:
    """As deep as the variant, so that all its names are there, but small."""
    variant = find_variant(name)
    return replace(variant, width=variant.width / 8, classes=CLASSES)


def arrays_of(library: str, variant: Variant) -> dict[str, np.ndarray]:
    """A state dict as the library would save it: every value another one."""
    found = places(ORIGINS[library].layout, variant)
    start, arrays = 0, {}
    for name, place in found.items():
        size = int(np.prod(place.shape))
        arrays[name] = np.arange(start, start + size, dtype=np.float32).reshape(place.shape)
        start += size
    return arrays


@pytest.fixture(autouse=True)
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_files.pretend_torch(monkeypatch)


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """As the suffix says; .pth is a zip archive, .pt the legacy format."""
    if path.suffix == ".safetensors":
        safetensors.numpy.save_file(arrays, path)
        return path
    tensors, storages = torch_files.of_arrays(arrays)
    make = torch_files.state_dict if path.suffix == ".pt" else torch_files.archive
    path.write_bytes(make(OrderedDict(tensors), storages))
    return path


@pytest.mark.parametrize(("library", "name"), NETWORKS)
def test_every_tensor_comes_to_its_place(tmp_path: Path, library: str, name: str) -> None:
    variant = narrow(name)
    arrays = arrays_of(library, variant)
    state = read(write(tmp_path / "w.safetensors", arrays), variant, library)
    expected = places(ORIGINS[library].layout, variant)
    assert list(state.tensors) == [place.ours for place in expected.values()]
    for theirs, place in expected.items():
        np.testing.assert_array_equal(state.tensors[place.ours], place.keras(arrays[theirs]))


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
def test_each_format_gives_the_same_tensors(tmp_path: Path, suffix: str) -> None:
    arrays = arrays_of("torchvision", narrow("b0"))
    state = read(write(tmp_path / f"w{suffix}", arrays), narrow("b0"))
    expected = read(write(tmp_path / "w.safetensors", arrays), narrow("b0"))
    for name, values in expected.tensors.items():
        np.testing.assert_array_equal(state.tensors[name], values)


class TestTheNetwork:
    """What no tensor says comes with the library."""

    @pytest.mark.parametrize(
        ("library", "name", "epsilon", "padding", "resolution"),
        [
            ("torchvision", "b0", 1e-5, "symmetric", 224),
            ("torchvision", "b2", 1e-5, "symmetric", 288),
            ("torchvision", "b5", 1e-3, "symmetric", 456),
            ("timm", "b3", 1e-5, "symmetric", 288),
            ("timm", "lite0", 1e-5, "symmetric", 224),
            ("timm-tf", "b3", 1e-3, "same", 300),
            ("timm-tf", "lite4", 1e-3, "same", 380),
            ("efficientnet_pytorch", "b1", 1e-3, "same", 240),
            ("transformers", "b1", 1e-3, "same", 240),
        ],
    )
    def test_is_built_as_the_library_builds_it(
        self, library: str, name: str, epsilon: float, padding: str, resolution: int
    ) -> None:
        network = ORIGINS[library].network(find_variant(name))
        assert (network.epsilon, network.padding) == (epsilon, padding)
        assert network.resolution == resolution

    def test_fused_blocks_halve_the_picture_where_the_library_does(self) -> None:
        network = ORIGINS["timm"].network(find_variant("edgetpu-s"))
        halving = [block.strides for block in network.blocks if block.fused and block.stride == 2]
        assert halving == [(2, 1), (2, 1)]
        assert network.strided == "convolution"

    def test_has_as_many_classes_as_the_file(self, tmp_path: Path) -> None:
        variant = replace(narrow("b0"), classes=7)
        file = write(tmp_path / "w.pth", arrays_of("torchvision", variant))
        assert read(file, narrow("b0")).variant.classes == 7

    def test_may_lack_a_head(self, tmp_path: Path) -> None:
        arrays = arrays_of("torchvision", narrow("b0"))
        kept = {name: v for name, v in arrays.items() if not name.startswith("classifier")}
        state = read(write(tmp_path / "w.pth", kept), narrow("b0"))
        assert not [name for name in state.tensors if name.startswith("logits")]

    def test_takes_pictures_as_the_library_makes_them(self, tmp_path: Path) -> None:
        file = write(tmp_path / "w.pth", arrays_of("timm", narrow("lite0")))
        ours = read(file, narrow("lite0"), "timm").preprocessing()
        theirs = read(file, narrow("lite0"), "timm-tf").preprocessing()
        assert ours.mean == pytest.approx((123.675, 116.28, 103.53))
        assert theirs.mean == theirs.std == (127.5, 127.5, 127.5)
        assert (ours.interpolation, ours.crop) == ("bicubic", 0.875)

    def test_is_refused_at_a_size_on_which_the_library_pads_otherwise(self, tmp_path: Path) -> None:
        file = write(tmp_path / "w.pth", arrays_of("transformers", narrow("b1")))
        state = read(file, narrow("b1"))
        state.check_side(240)
        state.check_side(240 + 32)
        with pytest.raises(InputError, match="240 pixels want it, not those of 256"):
            state.check_side(256)


def in_checkpoint(tensors: dict, key: str) -> dict:
    other = torch_files.Tensor(torch_files.Storage("0", "FloatStorage", 864), 0, (1,), (1,))
    return {"epoch": 3, "arch": "efficientnet_b0", "optimizer": {"state": {0: other}}, key: tensors}


class TestWrapped:
    @pytest.mark.parametrize("key", ["state_dict", "model", "model_ema", "state_dict_ema"])
    def test_a_training_script_s_checkpoint_gives_its_weights(
        self, tmp_path: Path, key: str
    ) -> None:
        arrays = arrays_of("timm", narrow("b0"))
        tensors, storages = torch_files.of_arrays(arrays)
        file = tmp_path / "model_best.pth.tar"
        file.write_bytes(torch_files.archive(in_checkpoint(tensors, key), storages))
        state = read(file, narrow("b0"))
        assert state.origin.name == "timm"
        np.testing.assert_array_equal(state.tensors["stem_bn/gamma"], arrays["bn1.weight"])

    def test_averaged_weights_come_before_the_last_ones(self, tmp_path: Path) -> None:
        arrays = arrays_of("torchvision", narrow("b0"))
        tensors, storages = torch_files.of_arrays(arrays)
        worse = dict.fromkeys(tensors, tensors["features.0.1.bias"])
        averaged = {f"module.{name}": tensor for name, tensor in tensors.items()}
        saved = {"model": worse, "model_ema": averaged}
        (tmp_path / "w.pth").write_bytes(torch_files.archive(saved, storages))
        state = read(tmp_path / "w.pth", narrow("b0"))
        np.testing.assert_array_equal(state.tensors["top_bn/beta"], arrays["features.8.1.bias"])

    @pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module.model."])
    def test_a_wrapper_s_prefix_is_taken_off(self, tmp_path: Path, prefix: str) -> None:
        arrays = arrays_of("torchvision", narrow("b0"))
        wrapped = {f"{prefix}{name}": values for name, values in arrays.items()}
        state = read(write(tmp_path / "w.safetensors", wrapped), narrow("b0"))
        np.testing.assert_array_equal(state.tensors["stem_bn/beta"], arrays["features.0.1.bias"])

    def test_counters_of_training_steps_are_left_out(self, tmp_path: Path) -> None:
        arrays = arrays_of("torchvision", narrow("b0"))
        arrays["features.0.1.num_batches_tracked"] = np.zeros((), np.float32)
        arrays["n_averaged"] = np.zeros((), np.float32)
        state = read(write(tmp_path / "w.safetensors", arrays), narrow("b0"))
        expected = places(ORIGINS["torchvision"].layout, narrow("b0"))
        assert list(state.tensors) == [place.ours for place in expected.values()]

    def test_the_script_s_arguments_do_not_matter(self, tmp_path: Path) -> None:
        arrays = arrays_of("torchvision", narrow("b0"))
        tensors, storages = torch_files.of_arrays(arrays)
        saved = {"args": Namespace(lr=0.1, workers=[1, 2], path="x"), "model": tensors}
        (tmp_path / "w.pth").write_bytes(torch_files.archive(saved, storages))
        state = read(tmp_path / "w.pth", narrow("b0"))
        np.testing.assert_array_equal(state.tensors["top_bn/beta"], arrays["features.8.1.bias"])


class TestWhose:
    """timm's two families have the same tensors: something has to tell."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return write(tmp_path / "model.safetensors", arrays_of("timm", narrow("b0")))

    def test_a_file_that_does_not_say_is_not_guessed(self, file: Path) -> None:
        with pytest.raises(InputError, match="pad and normalise differently") as error:
            read(file, narrow("b0"))
        assert "--weights-from timm-tf" in error.value.hint

    @pytest.mark.parametrize("stem", ["b0_aa-827b6e33", "b0-0af12548", "lite0-0aa007d2"])
    def test_the_file_s_own_name_may_say(self, file: Path, stem: str) -> None:
        named = file.rename(file.with_name(f"tf_efficientnet_{stem}.safetensors"))
        assert read(named, narrow("b0")).origin.name == "timm-tf"

    def test_the_description_beside_it_says(self, file: Path) -> None:
        described = TIMM | {"pretrained_cfg": PICTURES}
        file.with_name("config.json").write_text(json.dumps(described))
        state = read(file, narrow("b0"))
        assert state.origin.name == "timm-tf"
        assert state.variant.resolution == 256
        found = state.preprocessing()
        assert (found.mean, found.std) == ((127.5, 127.5, 127.5), (127.5, 63.75, 127.5))
        assert (found.interpolation, found.crop, found.resolution) == ("bilinear", 0.95, 256)
        assert state.preprocessing(192).resolution == 192

    def test_what_the_user_says_counts_more(self, file: Path) -> None:
        described = {"architecture": "tf_efficientnet_b0"}
        file.with_name("config.json").write_text(json.dumps(described))
        assert read(file, narrow("b0"), "timm").origin.name == "timm"

    @pytest.mark.parametrize(
        "described",
        [
            TIMM | {"pretrained_cfg": {"mean": [0.5]}},
            {"architecture": "efficientnet_b0", "model_args": {"act_layer": "relu"}},
            TIMM | {"pretrained_cfg": PICTURES | {"input_size": [3, 224, 320]}},
            TIMM | {"pretrained_cfg": PICTURES | {"crop_mode": "border"}},
            TRANSFORMERS | {"image_size": "large"},
            TRANSFORMERS | {"image_size": math.inf},
            TRANSFORMERS | {"batch_norm_eps": 1e-5},
            TRANSFORMERS | {"hidden_act": "relu"},
        ],
    )
    def test_a_description_that_is_not_understood_is_refused(
        self, file: Path, described: dict
    ) -> None:
        file.with_name("config.json").write_text(json.dumps(described))
        with pytest.raises(InputError, match=r"config\.json describes the network"):
            read(file, narrow("b0"))

    def test_another_library_s_name_is_refused(self, file: Path) -> None:
        with pytest.raises(UsageError, match="called as in timm"):
            read(file, narrow("b0"), "torchvision")
        with pytest.raises(UsageError, match="'tim'") as error:
            read(file, narrow("b0"), "tim")
        assert "did you mean timm" in error.value.hint


class TestDoesNotFit:
    @pytest.fixture
    def arrays(self) -> dict[str, np.ndarray]:
        return arrays_of("torchvision", narrow("b0"))

    def refused(self, tmp_path: Path, arrays: dict, name: str = "b0") -> str:
        with pytest.raises(EdgeeffError) as error:
            read(write(tmp_path / "w.pth", arrays), narrow(name))
        return error.value.message

    def test_another_shape_names_the_tensor_and_both(self, tmp_path: Path, arrays: dict) -> None:
        arrays["features.0.0.weight"] = np.zeros((8, 3, 5, 5), np.float32)
        message = self.refused(tmp_path, arrays)
        assert "'features.0.0.weight' has shape [8, 3, 5, 5], expected [8, 3, 3, 3]" in message

    def test_a_missing_tensor_is_named(self, tmp_path: Path, arrays: dict) -> None:
        del arrays["features.8.1.running_var"]
        message = self.refused(tmp_path, arrays)
        assert "lacks tensor 'features.8.1.running_var' (expected shape [160])" in message

    def test_a_tensor_too_many_is_named(self, tmp_path: Path, arrays: dict) -> None:
        arrays["features.9.0.weight"] = np.zeros((3, 4), np.float32)
        message = self.refused(tmp_path, arrays)
        assert "such as 'features.9.0.weight' of shape [3, 4]" in message

    def test_another_variant_is_told(self, tmp_path: Path, arrays: dict) -> None:
        assert "features." in self.refused(tmp_path, arrays, "b1")
        assert "torchvision has no edgetpu-s" in self.refused(tmp_path, arrays, "edgetpu-s")

    def test_names_of_no_library_are_shown(self, tmp_path: Path) -> None:
        message = self.refused(tmp_path, {"encoder.weight": np.zeros(3, np.float32)})
        assert "'encoder.weight'" in message
