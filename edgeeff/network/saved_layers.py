"""The layers that a Keras file describes, and whether the network edgeeff builds is the same.

A configuration is data here: it is looked through and never built, custom code included. What
it says and edgeeff does not understand is refused by the layer's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError

STEM = "stem_conv"

HEADS = ("logits", "predictions")
"""What the classifier is called: here, and in keras.applications."""

COMPARED: Mapping[str, tuple[str, ...]] = {
    "Conv2D": ("kernel_size", "strides", "dilation_rate", "groups", "activation"),
    "DepthwiseConv2D": ("kernel_size", "strides", "dilation_rate", "activation"),
    "BatchNormalization": ("epsilon",),
    "Activation": ("activation",),
}
"""What of a layer has to be as in the network that edgeeff builds, by class."""

SHAPING = ("InputLayer", "ZeroPadding2D", "Reshape", "GlobalAveragePooling2D", "Multiply", "Add")
"""Classes whose layers may have names of their own: their place follows from the weights."""

IN_TRAINING = ("Dropout", "Random", "GaussianNoise")
"""Parts of the names of classes that do nothing outside of training."""

ALIASES = {"silu": "swish"}

ELSEWHERE = (
    "give the whole network to edgeeff convert --model, or its float .tflite to edgeeff quantize"
)


@dataclass(frozen=True)
class SavedLayer:
    """A layer as a configuration describes it.

    Attributes:
        kind: its class, such as ``Conv2D``.
        name: its name.
        config: its settings.
        call: with what it is called beside its input: operations have their constants there.
    """

    kind: str
    name: str
    config: Mapping[str, Any]
    call: Mapping[str, Any]


def parse(text: str | bytes) -> tuple[SavedLayer, ...]:
    """The layers of a model's configuration, in order.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: not a configuration of a model.
    """
    described = json.loads(text)
    return tuple(_layer(entry) for entry in described["config"]["layers"])


def _layer(entry: Mapping[str, Any]) -> SavedLayer:
    config = dict(entry["config"])
    # The InputLayer of a Sequential has no name.
    name = entry.get("name") or config.get("name", "")
    return SavedLayer(str(entry["class_name"]), str(name), config, _call(entry))


def _call(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """tf_keras: [[name, node, tensor, {...}]], each perhaps in one more list; Keras 3: kwargs."""
    nodes = entry.get("inbound_nodes") or [{}]
    while isinstance(nodes, list) and nodes and isinstance(nodes[0], (list, dict)):
        nodes = nodes[0]
    if isinstance(nodes, dict):
        return dict(nodes.get("kwargs") or {})
    return dict(nodes[3]) if isinstance(nodes, list) and len(nodes) > 3 else {}


def head_activation(path: Path, layers: Sequence[SavedLayer]) -> str | None:
    """What the network ends in: ``softmax``, ``sigmoid`` or ``linear``; ``None`` without a head.

    Raises:
        InputError: another activation.
    """
    heads = [index for index, layer in enumerate(layers) if layer.name in HEADS]
    if not heads:
        return None
    found = "linear"
    for layer in layers[heads[-1] :]:
        name = "softmax" if layer.kind == "Softmax" else _activation(layer.config)
        if name not in ("softmax", "sigmoid", "linear") or "linear" not in (name, found):
            raise InputError(
                f"{path}: layer {layer.name!r} ends the network in {name!r}", ELSEWHERE
            )
        found = name if found == "linear" else found
    return found


def refuse_others(
    path: Path, layers: Sequence[SavedLayer], built: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse layers that the network which edgeeff builds has not, or has otherwise.

    Those in front of the first convolution are left to ``input_scaling``.

    Args:
        path: of the file, for messages.
        layers: of the network that was saved.
        built: the settings of each layer of the network that edgeeff builds, by name.

    Raises:
        InputError: names the layer.
    """
    for layer in layers[len(before_stem(layers)) :]:
        if any(part in layer.kind for part in IN_TRAINING) or layer.name in HEADS:
            continue
        ours = built.get(layer.name)
        if ours is None and layer.kind not in SHAPING and not _ends(layer, layers):
            raise not_understood(path, layer)
        for key in COMPARED.get(layer.kind, ()) if ours is not None else ():
            wanted = _plain(built[layer.name][key])
            found = _plain(layer.config[key]) if key in layer.config else wanted
            if found != wanted:
                raise InputError(
                    f"{path}: layer {layer.name!r} has {key} {found}, that of the variant {wanted}",
                    ELSEWHERE,
                )


def before_stem(layers: Sequence[SavedLayer]) -> Sequence[SavedLayer]:
    """Those in front of the first convolution; none if it is called otherwise."""
    names = [layer.name for layer in layers]
    return layers[: names.index(STEM)] if STEM in names else ()


def not_understood(path: Path, layer: SavedLayer) -> InputError:
    """The error for a layer that may change what the network computes."""
    return InputError(
        f"{path}: layer {layer.name!r} ({layer.kind}) is none that the variant has",
        f"{ELSEWHERE}; or is it the file of another variant?",
    )


def _ends(layer: SavedLayer, layers: Sequence[SavedLayer]) -> bool:
    """Whether it is an activation behind the head, which ``head_activation`` looks at."""
    return layer is layers[-1] and layer.kind in ("Activation", "Softmax")


def _activation(config: Mapping[str, Any]) -> str:
    return str(_plain(config.get("activation", "linear")))


def _plain(value: Any) -> Any:
    """A setting as a value that compares: names of functions as text, sizes as tuples."""
    if isinstance(value, Mapping):
        value = value.get("config") if value.get("class_name") == "function" else value
        value = value.get("class_name") if isinstance(value, Mapping) else value
    if isinstance(value, (list, tuple)):
        return tuple(value)
    return ALIASES.get(value, value) if isinstance(value, str) else value
