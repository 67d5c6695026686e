"""Whether a step of a training fits into memory, asked before it begins."""

from __future__ import annotations

from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import psutil
import tensorflow as tf

from edgeeff.errors import UsageError

WAY_BACK = 1.5
"""Outputs of layers, and gradients and work space beside them: half as much again."""

COPIES = 7
"""Of the weights: values, gradients, the average, two moments of the optimizer, and two that are
being made."""


def picture_bytes(model: Any) -> int:
    """What one picture of a step takes: the outputs of all layers, which the way back needs."""
    numbers = sum(
        int(tf.TensorShape(one.shape[1:]).num_elements() or 0)
        for layer in model.layers
        for one in tf.nest.flatten(layer.output)
    )
    return int(4 * numbers * WAY_BACK)


def check_memory(model: Any, batch: int, name: str) -> None:
    """Refuse a step that this machine's memory has no room for; of a GPU's, the driver tells.

    Args:
        model: the network.
        batch: pictures of a device's step.
        name: of the network, for the message.

    Raises:
        UsageError: names the batch that fits.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    free = int(psutil.virtual_memory().available)
    one, fixed = picture_bytes(model), 4 * COPIES * int(model.count_params())
    if fixed + batch * one <= free:
        return
    fits = (free - fixed) // one
    sizes = f"{(fixed + batch * one) / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free"
    raise UsageError(
        f"not enough memory: a step of {batch} pictures of {name} takes {sizes}",
        f"--batch {fits} fits" if fits > 0 else "not even one picture fits: lower --resolution",
    )
