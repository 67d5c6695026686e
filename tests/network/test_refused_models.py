"""A user's file that has code of its own, or is no classifier, is refused with what works."""

from __future__ import annotations

import importlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
import tensorflow as tf
import tf_keras

from edgeeff.errors import InputError
from edgeeff.network import model_export, model_files
from edgeeff.network.model_code import refuse_code
from tests.network.classifiers import LAYERS, PICTURE, SAVED_BY_KERAS, SIDE, classifier, trunk

pytestmark = SAVED_BY_KERAS


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_is_never_run_from_a_file_unless_allowed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    classifier(LAYERS.Lambda(lambda image: image / 255, name="mine")).save(path)
    with pytest.raises(InputError, match="layer 'mine' has code of its own") as refused:
        model_files.read(path)
    assert "--allow-code" in refused.value.hint
    assert model_files.read(path, allow_code=True).shape == (SIDE, SIDE, 3)


def changed(path: Path, old: str, new: str) -> Path:
    """A .keras file whose configuration says something else."""
    out = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name in ("config.json", "metadata.json"):
                content = content.replace(old.encode(), new.encode())
            target.writestr(name, content)
    return out


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "net.keras"
    classifier(LAYERS.Rescaling(1 / 255)).save(path)
    return path


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("keras.utils", "get_file"),
        ("tf_keras.src.layers.core.lambda_layer", "os.system"),
        ("tf_keras.src.utils.data_utils", "get_file"),
        ("keras.layers", "TFSMLayer"),
        ("keras.layers", "StringLookup"),
        ("keras.src.ops.core", "Map"),
    ],
)
def test_a_configuration_that_names_other_code_is_refused(
    module: str, name: str, saved: Path
) -> None:
    old = '"module": "keras.layers", "class_name": "Rescaling"'
    path = changed(saved, old, f'"module": "{module}", "class_name": "{name}"')
    with pytest.raises(InputError, match="has code of its own"):
        model_files.read(path)


@pytest.mark.filterwarnings("ignore:The `keras.initializers.serialize")
def test_initializers_of_tensorflow_are_no_code(tmp_path: Path) -> None:
    """As EfficientNetV2 of keras.applications has one."""
    image = tf_keras.Input((SIDE, SIDE, 3))
    head = LAYERS.Dense(3, bias_initializer=tf.constant_initializer(0))
    tf_keras.Model(image, head(LAYERS.GlobalAveragePooling2D()(image))).save(tmp_path / "net.keras")
    assert model_files.read(tmp_path / "net.keras").shape == (SIDE, SIDE, 3)
    path = changed(tmp_path / "net.keras", '"class_name": "Constant"', '"class_name": "dtypes"')
    with pytest.raises(InputError, match="has code of its own"):
        model_files.read(path)


def test_functions_of_tensorflow_that_reach_outside_are_refused(tmp_path: Path) -> None:
    image = tf_keras.Input((SIDE, SIDE, 3))
    pooled = LAYERS.GlobalAveragePooling2D()(tf.math.divide(image, 255.0))
    tf_keras.Model(image, LAYERS.Dense(3)(pooled)).save(tmp_path / "net.keras")
    assert model_files.read(tmp_path / "net.keras").shape == (SIDE, SIDE, 3)
    path = changed(tmp_path / "net.keras", "math.truediv", "load_library")
    with pytest.raises(InputError, match="load_library"):
        model_files.read(path)


def saving(answer: Any) -> Any:
    """An answer that is also written into a file of the export's choice."""
    saved = tf.raw_ops.SaveV2(
        prefix="/nowhere/else", tensor_names=["a"], shape_and_slices=[""], tensors=[answer]
    )
    with tf.control_dependencies([saved]):
        return tf.identity(answer)


OUTSIDE: dict[str, Callable[[Any], Any]] = {
    "ReadFile": lambda answer: (
        answer * tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
    ),
    "ImmutableConst": lambda answer: (
        answer
        + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[3], memory_region_name="/etc/hostname")
    ),
    "DebugIdentity": lambda answer: tf.raw_ops.DebugIdentity(
        input=answer, tensor_name="a:0", debug_urls=["file:///nowhere/else"]
    ),
    "SaveV2": saving,
}
"""What an export may do with its answer beside giving it, by the operator."""


def exported_module(folder: Path, shape: Any, answer: Callable[[Any], Any]) -> Path:
    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
        def __call__(self, image: Any) -> Any:
            return answer(image)

    module = Network()
    signatures = {model_files.SIGNATURE: module.__call__.get_concrete_function()}
    tf.saved_model.save(module, str(folder), signatures)
    return folder


@pytest.mark.parametrize("operator", OUTSIDE)
def test_an_exported_model_that_reads_or_writes_files_is_refused(
    tmp_path: Path, operator: str
) -> None:
    def answer(image: Any) -> Any:
        return OUTSIDE[operator](tf.reduce_mean(image, [1, 2]))

    path = exported_module(tmp_path / "net", (1, SIDE, SIDE, 3), answer)
    with pytest.raises(InputError, match=operator):
        model_files.read(path)


def test_an_exported_model_that_takes_any_number_of_sizes_is_refused(tmp_path: Path) -> None:
    path = exported_module(tmp_path / "net", None, lambda image: tf.reduce_mean(image, [1, 2]))
    with pytest.raises(InputError, match=r"net takes \[\]"):
        model_files.read(path)


def test_a_configuration_may_be_nested_as_deeply_as_json_is_read() -> None:
    nested: Any = {"class_name": "Lambda"}
    for _ in range(5000):
        nested = {"config": nested}
    with pytest.raises(InputError, match="Lambda"):
        refuse_code("network.keras", nested)


def test_an_export_with_augmentation_switched_on_is_refused_by_its_layer(tmp_path: Path) -> None:
    classifier(LAYERS.RandomFlip("horizontal")).export(str(tmp_path / "net"))
    with pytest.raises(InputError, match=r"random_flip.* changes pictures at random"):
        model_files.read(tmp_path / "net")


def test_a_file_of_a_later_keras_is_refused_with_the_way_that_works(saved: Path) -> None:
    version = f'"keras_version": "{tf_keras.__version__}"'
    path = changed(saved, version, '"keras_version": "4.0.0"')
    with pytest.raises(InputError, match=r"saved by Keras 4\.0\.0") as refused:
        model_files.read(path)
    assert "model.export" in refused.value.hint


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    classifier().save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(InputError, match="not a whole Keras model") as refused:
        model_files.read(tmp_path / "net.weights.h5")
    assert "--weights with --variant" in refused.value.hint


def test_a_tensor_that_lies_in_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    classifier().save(path)
    with h5py.File(path, "a") as stored:
        stored.create_dataset("far", (4,), "f4", external=[("/etc/hostname", 0, 16)])
    with pytest.raises(InputError, match="points to another file"):
        model_files.read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"text"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.keras").write_bytes(content)
    with pytest.raises(InputError, match="not a whole Keras model"):
        model_files.read(tmp_path / "net.keras")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a SavedModel"):
        model_files.read(tmp_path)


def two_ends() -> Any:
    image = tf_keras.Input((SIDE, SIDE, 3))
    pooled = LAYERS.GlobalAveragePooling2D()(image)
    return tf_keras.Model(image, [LAYERS.Dense(3)(pooled), LAYERS.Dense(2)(pooled)])


def two_channels() -> Any:
    image = tf_keras.Input((SIDE, SIDE, 2))
    return tf_keras.Model(image, LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D()(image)))


@pytest.mark.parametrize(
    ("make", "said"),
    [(two_ends, "1 input and 2 outputs"), (two_channels, "takes"), (trunk, "answers")],
)
def test_what_is_no_classifier_of_pictures_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        model_files.of_model(make())


def test_operators_that_tflite_lacks_are_named() -> None:
    image = tf_keras.Input((SIDE, SIDE, 3))
    pooled = LAYERS.GlobalAveragePooling2D()(tf.math.special.bessel_i0(image / 255))
    network = model_files.of_model(tf_keras.Model(image, LAYERS.Dense(3)(pooled)))
    with pytest.raises(InputError, match="BesselI0"):
        model_export.exported(network, PICTURE, 1)


def test_a_file_says_which_version_wrote_it(saved: Path) -> None:
    """What the choice between tf_keras and Keras 3 rests on."""
    with zipfile.ZipFile(saved) as archive:
        assert json.loads(archive.read("metadata.json"))["keras_version"].startswith("2.")


@pytest.mark.filterwarnings("ignore")
def test_a_layer_of_ones_own_class_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    keras = importlib.import_module("keras")

    class Twice(keras.layers.Layer):
        def call(self, values: Any) -> Any:
            return 2 * values

    layers = [Twice(name="double"), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential([keras.Input(PICTURE), *layers]).save(tmp_path / "own.keras")
    with pytest.raises(InputError, match="cannot be loaded, for its layer double of class Twice"):
        model_files.read(tmp_path / "own.keras", allow_code=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("keras", [tf_keras, importlib.import_module("keras")])
def test_an_activation_of_ones_own_is_named(keras: Any, suffix: str, tmp_path: Path) -> None:
    def steep(values: Any) -> Any:
        return values * values

    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation=steep)]
    keras.Sequential([keras.Input(PICTURE), *layers]).save(tmp_path / f"own{suffix}")
    with pytest.raises(
        InputError, match=r"cannot be loaded, for its layer dense.* with function steep$"
    ) as refused:
        model_files.read(tmp_path / f"own{suffix}")
    assert "edgeeff.convert_model" in refused.value.hint


@pytest.mark.filterwarnings("ignore")
def test_an_activation_that_keras_does_not_know_is_named(saved: Path) -> None:
    path = changed(saved, '"activation": "linear"', '"activation": "steep"')
    with pytest.raises(InputError, match=r"cannot be loaded, for its .*steep"):
        model_files.read(path)


@pytest.mark.filterwarnings("ignore")
def test_code_is_not_allowed_where_a_file_has_none(tmp_path: Path) -> None:
    """A class that a program registered has its name in the file alone."""

    @tf_keras.saving.register_keras_serializable("garden")
    class Half(LAYERS.Layer):
        def call(self, values: Any) -> Any:
            return values / 2

    classifier(Half(name="mine")).save(tmp_path / "own.h5")
    with pytest.raises(InputError, match="layer 'mine' has code of its own") as refused:
        model_files.read(tmp_path / "own.h5")
    assert "--allow-code" not in refused.value.hint


@pytest.mark.parametrize("keras", [tf_keras, importlib.import_module("keras")])
def test_a_network_of_another_precision_is_told_from_one_without_operators(keras: Any) -> None:
    half = keras.layers.Dense(3, dtype="mixed_float16", name="half")
    network = keras.Sequential([keras.Input(PICTURE), keras.layers.Flatten(), half])
    with pytest.raises(InputError, match="computes in float16 from layer half on"):
        model_files.of_model(network)
