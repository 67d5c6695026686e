"""Weights of ``keras.applications``, published and a user's own, give what Keras' network gives."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras
from tf_keras.src.applications import efficientnet

from edgeeff.architectures.variants import find_variant
from edgeeff.network import keras_imagenet, weights
from edgeeff.network.builder import build
from edgeeff.pictures.preprocessing import Preprocessing
from tests import networks
from tests.network.weight_files import OWN_FILES, TINY

PIXELS = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), np.uint8)
IMAGENET_MEAN = (0.485, 0.456, 0.406)


def keras_tiny(applications: Any) -> Any:
    """``keras.applications``' own network of the size of ``networks.tiny_variant``."""
    return applications.EfficientNet(
        0.25,
        1.0,
        32,
        blocks_args=applications.DEFAULT_BLOCKS_ARGS[:3],
        weights=None,
        classes=networks.TINY_CLASSES,
        classifier_activation=None,
    )


def set_normalization(keras: Any, mean: Any, variance: Any) -> None:
    layer = next(each for each in keras.layers if type(each).__name__ == "Normalization")
    layer.set_weights([np.asarray(mean), np.asarray(variance), 0])


def assert_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def outputs_as_the_file_asks(path: Path) -> np.ndarray:
    model = build(TINY)
    loaded = weights.load(model, TINY, path)
    assert loaded.scaling is not None
    assert "replaces the preprocessing of tiny" in loaded.notes[0]
    given = (PIXELS - np.asarray(loaded.scaling.mean)) / np.asarray(loaded.scaling.std)
    return model(given.astype(np.float32)).numpy()


@pytest.fixture(scope="module")
def keras() -> Any:
    model = keras_tiny(efficientnet)
    networks.reestimate(model, PIXELS.astype(np.float32))
    return model


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
class TestKerasApplications:
    """A user's own training of ``keras.applications.EfficientNet``."""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", [name for name in OWN_FILES if "safetensors" not in name])
    def test_outputs_agree_with_the_scaling_that_the_file_asks_for(
        self, keras: Any, tmp_path: Path, name: str
    ) -> None:
        OWN_FILES[name](keras, tmp_path / name)
        assert_agree(outputs_as_the_file_asks(tmp_path / name), keras(PIXELS).numpy())

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["whole.h5", "archive.keras", "numbered.weights.h5"])
    def test_what_compiling_and_training_add_to_a_file_is_left_alone(
        self, keras: Any, tmp_path: Path, name: str
    ) -> None:
        keras.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        labels = np.zeros(len(PIXELS))
        keras.fit(PIXELS, labels, verbose=0)
        keras.evaluate(PIXELS, labels, verbose=0)
        OWN_FILES[name](keras, tmp_path / name)
        assert_agree(outputs_as_the_file_asks(tmp_path / name), keras(PIXELS).numpy())

    def test_imagenets_mean_needs_no_other_preprocessing(self, keras: Any, tmp_path: Path) -> None:
        set_normalization(keras, IMAGENET_MEAN, [0.05, 0.06, 0.07])
        keras.save_weights(tmp_path / "w.h5")
        expected = keras(PIXELS).numpy()
        set_normalization(keras, [0.0] * 3, [1.0] * 3)
        model = build(TINY)
        assert weights.load(model, TINY, tmp_path / "w.h5").scaling is None
        assert_agree(model(Preprocessing.of(TINY).normalised(PIXELS)).numpy(), expected)

    @pytest.mark.slow
    def test_keras_3_files_agree(self, tmp_path: Path) -> None:
        subprocess.run(
            [sys.executable, "-c", KERAS_3, str(tmp_path)],
            check=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TF_USE_LEGACY_KERAS": "0"},
        )
        expected = np.load(tmp_path / "outputs.npy")
        for name in ("whole.h5", "archive.keras", "numbered.weights.h5"):
            assert_agree(outputs_as_the_file_asks(tmp_path / name), expected)


KERAS_3 = """
import sys, keras, numpy as np
from pathlib import Path
from keras.src.applications import efficientnet
model = efficientnet.EfficientNet(
    0.25, 1.0, 32, blocks_args=efficientnet.DEFAULT_BLOCKS_ARGS[:3], weights=None,
    classes=10, classifier_activation=None, name="tiny")
pixels = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), np.uint8).astype("float32")
for layer in model.layers:
    if type(layer).__name__ == "BatchNormalization":
        layer.momentum = 0.0
model(pixels, training=True)
folder = Path(sys.argv[1])
model.save(folder / "whole.h5")
model.save(folder / "archive.keras")
model.save_weights(folder / "numbered.weights.h5")
np.save(folder / "outputs.npy", np.asarray(model(pixels, training=False)))
"""


@pytest.mark.slow
class TestKerasImagenet:
    """Keras' own code path for ``weights="imagenet"``, on a file made up in its format.

    The real file holds ImageNet's deviations as variances and lists no layer for the further
    division that Keras' network makes, so neither does this one.
    """

    PIXELS = np.random.default_rng(5).integers(0, 256, (2, 224, 224, 3), np.uint8)

    @pytest.fixture
    def official(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        model = tf_keras.applications.EfficientNetB0(weights=None)
        deviations = np.asarray(efficientnet.IMAGENET_STDDEV_RGB)
        set_normalization(model, IMAGENET_MEAN, deviations**2)
        networks.reestimate(model, self.PIXELS.astype(np.float32))
        set_normalization(model, IMAGENET_MEAN, deviations)
        path = home / ".keras/models/efficientnetb0.h5"
        path.parent.mkdir(parents=True)
        model.save_weights(path)
        hashes = {**efficientnet.WEIGHTS_HASHES, "b0": (md5(path), "none")}
        monkeypatch.setattr(efficientnet, "WEIGHTS_HASHES", hashes)
        return path

    def test_predictions_equal_keras_own(self, official: Path, tmp_path: Path) -> None:
        variant = find_variant("b0")
        keras = tf_keras.applications.EfficientNetB0(weights="imagenet", classifier_activation=None)
        expected = keras(self.PIXELS).numpy()
        given = Preprocessing.of(variant).normalised(self.PIXELS)
        keras.save_weights(tmp_path / "fine-tuned.h5")
        keras.save_weights(tmp_path / "fine-tuned.weights.h5")
        shutil.copy(official, tmp_path / "copied.h5")
        for source in ("imagenet", "auto", *tmp_path.glob("*.h5")):
            model = build(variant)
            loaded = weights.load(model, variant, source)
            assert loaded.trained
            assert loaded.scaling is None
            assert_agree(model(given).numpy(), expected)


def test_keras_imagenet_weights_are_fetched_and_checked(
    fresh: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "host" / "efficientnetb0.h5"
    served.parent.mkdir()
    fresh.save_weights(served)
    monkeypatch.setattr(efficientnet, "BASE_WEIGHTS_PATH", f"{served.parent.as_uri()}/")
    hashes = {**efficientnet.WEIGHTS_HASHES, "b0": (md5(served), "none")}
    monkeypatch.setattr(efficientnet, "WEIGHTS_HASHES", hashes)
    path = keras_imagenet.obtain(find_variant("b0"))
    assert path == home / ".keras/models/efficientnetb0.h5"
    assert path.read_bytes() == served.read_bytes()


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
