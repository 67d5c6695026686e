"""Where a training is computed: ``tf.distribute`` strategies by name."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.errors import UsageError

Strategy = Any
"""A ``tf.distribute.Strategy``."""

CLUSTER = "TF_CONFIG"
"""The environment variable that names all workers, and which of them this one is."""


def chosen_strategy(name: str) -> Strategy:
    """The strategy of a name; has to be made before anything is computed.

    Args:
        name: ``auto``, ``one``, ``mirrored`` or ``multiworker``.

    Raises:
        UsageError: several workers without TF_CONFIG.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # too late: it has computed something already
            tf.config.experimental.set_memory_growth(gpu, True)
    if name == "auto":
        name = "multiworker" if CLUSTER in os.environ else "mirrored" if len(gpus) > 1 else "one"
    if name == "multiworker":
        if CLUSTER not in os.environ:
            raise UsageError(
                f"--strategy multiworker needs {CLUSTER}, which names the workers",
                "docs/training.md shows one for two machines",
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: Strategy) -> bool:
    """Whether this process is the one that writes."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id in (None, 0)
