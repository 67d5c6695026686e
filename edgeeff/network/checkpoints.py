"""Weights from a TensorFlow checkpoint of a Keras network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from edgeeff.errors import InputError
from edgeeff.network.input_scaling import separated
from edgeeff.network.named_tensors import NamedTensors, check_size
from edgeeff.state_dicts.weight_files import checkpoint_prefix

VARIABLE = re.compile(r"(?:.*/)?layer_with_weights-(\d+)/([a-z_]+)/\.ATTRIBUTES/VARIABLE_VALUE")
"""How Keras' object-based checkpoints name a layer's variable; anything else is training state."""


def prefix_of(path: Path) -> Path | None:
    """The checkpoint's common prefix, if ``path`` is one: a prefix, its index or a data file."""
    if os.path.isdir(path):
        latest = tf.train.latest_checkpoint(str(path))
        return None if latest is None else Path(latest)
    return checkpoint_prefix(path)


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
        found = {key: VARIABLE.fullmatch(key) for key in sorted(shapes)}
        variables = {key: (int(name[1]), name[2]) for key, name in found.items() if name}
        names = _layer_names(variables.values(), layers)
        tensors = {}
        for key, (number, variable) in variables.items():
            check_size(prefix, key, shapes[key])
            tensors[f"{names[number]}/{variable}"] = np.asarray(reader.get_tensor(key))
    # TensorFlow's reader turns some of its errors into Python's.
    except (tf.errors.OpError, LookupError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{prefix} is not a readable TensorFlow checkpoint: {error}",
            "give the path without .index or .data-00000-of-00001; both must be there",
        ) from error
    if not tensors:
        raise InputError(
            f"{prefix} holds no weights of a Keras network",
            "edgeeff reads checkpoints that model.save_weights or tf.train.Checkpoint wrote",
        )
    return separated(prefix, tensors, None)


def _layer_names(variables: Iterable[tuple[int, str]], layers: Sequence[str]) -> dict[int, str]:
    """By the checkpoint's number; a Normalization, which ours lack, takes none of ours."""
    held: dict[int, set[str]] = {}
    for number, variable in variables:
        held.setdefault(number, set()).add(variable)
    names, rest = {}, iter(layers)
    for number in sorted(held):
        normalization = {"mean", "variance"} <= held[number]
        names[number] = "normalization" if normalization else next(rest, f"layer {number}")
    return names
