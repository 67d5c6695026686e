"""Which layer feeds which in a flat Keras network."""

from __future__ import annotations

from typing import Any

import tf_keras


def parents(layer: Any) -> list[Any]:
    """The layers whose outputs a layer takes, in its order of inputs."""
    return [node.layer for node in layer.inbound_nodes[0].parent_nodes]


def children(model: tf_keras.Model) -> dict[str, list[Any]]:
    """By layer name, the layers that take its output."""
    takers: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    for layer in model.layers:
        for parent in parents(layer):
            takers[parent.name].append(layer)
    return takers
