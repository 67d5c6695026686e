"""Weights from a TensorFlow checkpoint of a Keras network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.network.named_tensors import NamedTensors, check_size

VARIABLE = re.compile(r"(?:.*/)?layer_with_weights-(\d+)/([a-z_]+)/\.ATTRIBUTES/VARIABLE_VALUE")
"""How Keras' object-based checkpoints name a layer's variable; anything else is training state."""


def prefix_of(path: Path) -> Path | None:
    """The checkpoint's common prefix, if ``path`` is one: a prefix, its index or a data file."""
    name = re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name)
    prefix = path.with_name(name)
    if path.is_dir():
        latest = tf.train.latest_checkpoint(str(path))
        return None if latest is None else Path(latest)
    return prefix if prefix.with_name(f"{name}.index").is_file() else None


def read(prefix: Path, layers: Sequence[str]) -> NamedTensors:
    """Read what ``model.save_weights(prefix)`` or ``tf.train.Checkpoint`` saved.

    Args:
        prefix: as ``prefix_of`` gives it.
        layers: the network's layers that have weights, in order: a checkpoint numbers them.

    Raises:
        InputError: damaged, or not a checkpoint of a Keras network.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        tensors = {}
        for key in sorted(shapes):
            found = VARIABLE.fullmatch(key)
            if found is None or ".OPTIMIZER_SLOT" in key:
                continue
            number = int(found[1])
            layer = layers[number] if number < len(layers) else f"layer_with_weights-{number}"
            check_size(prefix, key, shapes[key])
            tensors[f"{layer}/{found[2]}"] = np.asarray(reader.get_tensor(key))
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{prefix} is not a readable TensorFlow checkpoint: {error}",
            "give the path without .index or .data-00000-of-00001; both must be there",
        ) from error
    if not tensors:
        raise InputError(
            f"{prefix} holds no weights of a Keras network",
            "edgeeff reads checkpoints that model.save_weights or tf.train.Checkpoint wrote",
        )
    return NamedTensors(tensors)
