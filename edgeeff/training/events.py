"""What TensorBoard shows of a run: the figures of each epoch, for its plugin for scalars.

Written with TensorFlow's own writer: only who looks at them needs the package ``tensorboard``.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import edgeeff.network  # noqa: F401 - first: it imports TensorFlow without its chatter

# isort: split
import tensorflow as tf

from edgeeff.training.runs import Epoch

SHOWN = {
    "loss": "train/loss",
    "accuracy": "train/accuracy",
    "val_loss": "val/loss",
    "val_top1": "val/top1",
    "learning_rate": "train/learning_rate",
    "images_per_second": "train/images_per_second",
}
"""Fields of an epoch and what they are called there."""


class Events:
    """Appends to the event files of a folder; each session of a run has one of its own."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = tf.summary.create_file_writer(str(folder))
        self._kind = tf.compat.v1.SummaryMetadata()
        self._kind.plugin_data.plugin_name = "scalars"

    def add(self, epoch: Epoch) -> None:
        """Write the figures of one epoch."""
        values = asdict(epoch)
        with self._writer.as_default(step=epoch.epoch):
            for name, tag in SHOWN.items():
                tf.summary.write(tag, tf.constant(values[name], tf.float32), metadata=self._kind)
        self._writer.flush()
