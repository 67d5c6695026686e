"""What a Keras file says of its layers is taken exactly, or refused by the layer's name."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from edgeeff.errors import InputError
from edgeeff.network import weights
from edgeeff.network.builder import build
from edgeeff.network.export import exported
from edgeeff.network.input_scaling import separated
from edgeeff.pictures.preprocessing import Preprocessing
from edgeeff.tflite.graph import Graph
from edgeeff.tflite.logits import final_activation
from edgeeff.tflite.runner import Runner
from tests import networks

TINY = networks.tiny_variant()
Layers = list[dict[str, Any]]


@pytest.fixture(scope="module")
def network() -> Any:
    return build(TINY)


@pytest.fixture(scope="module")
def saved(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "net.keras"
    network.save(path)
    return path


def layer(kind: str, name: str, call: dict[str, Any] | None = None, **config: Any) -> Any:
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": [["before", 0, 0, call or {}]],
    }


def rescaling(scale: Any, offset: Any = 0.0, name: str = "rescaling") -> Any:
    return layer("Rescaling", name, scale=scale, offset=offset)


def normalization(mean: list[float], variance: list[float]) -> Any:
    return layer("Normalization", "normalization", mean=mean, variance=variance, invert=False)


def loaded(
    network: Any, saved: Path, folder: Path, change: Callable[[Layers], Any]
) -> weights.Weights:
    """Load the file with another description of the same tensors."""
    path = folder / "changed.keras"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "config.json":
                config = json.loads(content)
                change(config["config"]["layers"])
                content = json.dumps(config).encode()
            new.writestr(entry, content)
    return weights.load(network, TINY, path)


def in_front(*layers: Any) -> Callable[[Layers], None]:
    def change(described: Layers) -> None:
        described[1:1] = layers

    return change


def setting(name: str, **changed: Any) -> Callable[[Layers], None]:
    def change(described: Layers) -> None:
        (found,) = (each for each in described if each["name"] == name)
        found["config"].update(changed)

    return change


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
def test_the_heads_activation_is_read(network, saved, tmp_path, activation: str):
    found = loaded(network, saved, tmp_path, setting("logits", activation=activation))
    assert found.activation == activation


def test_an_activation_behind_the_head_is_the_heads(network, saved, tmp_path):
    behind = layer("Activation", "activation", activation="sigmoid")
    found = loaded(network, saved, tmp_path, lambda layers: layers.append(behind))
    assert found.activation == "sigmoid"


THIRDS = [1 / 2, 1 / 3, 1 / 4]


@pytest.mark.parametrize(
    ("layers", "mean", "std"),
    [
        ([rescaling(1 / 255)], 0.0, 255.0),
        ([rescaling(1 / 127.5, -1.0)], 127.5, 127.5),
        ([rescaling(255.0), rescaling(1 / 255, name="rescaling_1")], 0.0, 255.0),
        ([layer("RandomFlip", "flip"), rescaling(1 / 255)], 0.0, 255.0),
        ([rescaling(1 / 255), normalization([0.5] * 3, [0.25] * 3)], 127.5, 127.5),
        ([rescaling(1 / 255), rescaling(THIRDS, name="rescaling_1")], 0.0, [510, 765, 1020]),
        (
            [
                rescaling(1 / 255),
                layer("TFOpLambda", "multiply", {"y": THIRDS}, function="math.multiply"),
            ],
            0.0,
            [510, 765, 1020],
        ),
    ],
    ids=["255", "to-minus-one", "own-255", "augmented", "normalised", "channels", "multiplied"],
)
def test_layers_in_front_are_taken_by_their_numbers(network, saved, tmp_path, layers, mean, std):
    found = loaded(network, saved, tmp_path, in_front(*layers))
    assert found.scaling is not None
    assert found.scaling.mean == pytest.approx(np.broadcast_to(mean, 3))
    assert found.scaling.std == pytest.approx(np.broadcast_to(std, 3))


def test_a_network_without_layers_in_front_keeps_the_variants_preprocessing(
    network, saved, tmp_path
):
    assert loaded(network, saved, tmp_path, lambda layers: None).scaling is None


REFUSED: dict[str, tuple[Callable[[Layers], Any], str]] = {
    "no scale": (in_front(layer("Rescaling", "rescaling")), "'rescaling'"),
    "a mean in words": (
        in_front(rescaling(1 / 255), normalization(["a", "b", "c"], [1.0] * 3)),
        "'normalization'",
    ),
    "scale": (in_front(rescaling(2.0)), "'rescaling'"),
    "unit": (in_front(normalization([0.5] * 3, [0.25] * 3)), "'normalization'"),
    "code": (in_front(rescaling(1 / 255), layer("Lambda", "mine")), "'mine' .Lambda."),
    "resize": (in_front(layer("Resizing", "resizing", height=64, width=64)), "'resizing'"),
    "inverse": (
        in_front(rescaling(1 / 255), layer("Normalization", "normalization", invert=True)),
        "'normalization'",
    ),
    "operation": (
        in_front(rescaling(1 / 255), layer("TFOpLambda", "power", {"y": 2.0}, function="pow")),
        "'power'",
    ),
    "head": (setting("logits", activation="relu"), "'logits' ends the network in 'relu'"),
    "twice": (
        lambda layers: [
            setting("logits", activation="softmax")(layers),
            layers.append(layer("Activation", "activation", activation="sigmoid")),
        ],
        "'activation'",
    ),
    "inside": (lambda layers: layers.insert(9, layer("Lambda", "trick")), "'trick' .Lambda."),
    "activation": (setting("stem_activation", activation="relu"), "'stem_activation'.*relu"),
    "epsilon": (setting("stem_bn", epsilon=0.5), "'stem_bn' has epsilon 0.5"),
    "stride": (setting("stem_conv", strides=[1, 1]), "'stem_conv' has strides"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused_by_name(network, saved, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        loaded(network, saved, tmp_path, change)


def test_weights_alone_do_not_say_what_a_layer_of_the_users_does():
    tensors = {"normalization/mean": np.zeros(3), "normalization/variance": np.ones(3)}
    names = ["input_1", "rescaling", "rescaling_1", "normalization", "stem_conv"]
    with pytest.raises(InputError, match="'rescaling'"):
        separated(Path("weights.h5"), tensors, names)


def test_weights_alone_are_said_to_be_assumed_to_end_in_a_softmax(network, tmp_path):
    network.save_weights(tmp_path / "net.weights.h5")
    (note,) = weights.load(network, TINY, tmp_path / "net.weights.h5").notes
    assert "ends in a softmax is assumed" in note


@pytest.mark.parametrize(("outputs", "usual"), [(1, "sigmoid"), (2, "softmax"), (1000, "softmax")])
def test_where_nothing_says_it_one_output_is_a_sigmoid(outputs: int, usual: str):
    assert weights.usual_activation(outputs) == usual


def test_the_float_file_of_a_sigmoid_head_ends_in_one(network):
    """tests/network/test_export.py has the other heads."""
    content = exported(network, preprocessing=Preprocessing.of(TINY), activation="sigmoid").content
    last = final_activation(Graph.of(content))
    assert last is not None
    assert last.kind == "LOGISTIC"


@pytest.mark.slow
def test_a_sigmoid_head_of_keras_applications_says_what_keras_says(tmp_path: Path):
    from edgeeff.architectures.variants import find_variant

    keras = tf_keras.applications.EfficientNetB0(
        weights=None, classes=1, classifier_activation="sigmoid", input_shape=(64, 64, 3)
    )
    keras.save(tmp_path / "one.keras")
    variant = find_variant("b0")
    network = build(variant, classes=1, resolution=64)
    found = weights.load(network, variant, tmp_path / "one.keras")
    assert found.scaling is not None
    assert found.activation is not None
    preprocessing = Preprocessing(64, found.scaling.mean, found.scaling.std, "bilinear", 1.0)
    content = exported(network, preprocessing=preprocessing, activation=found.activation).content
    picture = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    wanted = keras(picture.astype(np.float32), training=False).numpy()
    got = Runner(content).run(preprocessing.normalised(picture))[0]
    assert got == pytest.approx(wanted, abs=1e-4)
