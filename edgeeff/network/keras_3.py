"""Models of Keras 3, which TensorFlow brings along beside tf_keras."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeeff.errors import InputError

BACKEND = "tensorflow"


def is_model(model: Any) -> bool:
    """Whether something is a model of Keras 3 in memory."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def load(path: Path, *, allow_code: bool) -> Any:
    """Load a ``.keras`` or whole-model ``.h5`` file, outside of training.

    Args:
        path: of a file whose configuration was looked through (``model_code``).
        allow_code: run code that the file brings along.

    Raises:
        InputError: Keras 3 is in use with another backend.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = BACKEND
    keras = importlib.import_module("keras")
    check_backend(str(path))
    return keras.models.load_model(path, compile=False, safe_mode=not allow_code)


def calling(model: Any) -> Callable[[Any], Any]:
    """From pictures to what a model answers outside of training, also in a graph.

    Keras 3 allows names such as ``my model (v2)``, of which TensorFlow can make no scope of a
    graph: layers have others while they are called.
    """
    names = {layer: str(layer.name) for layer in model._flatten_layers()}

    def call(image: Any) -> Any:
        try:
            for layer, name in names.items():
                layer.name = _fit_for_scopes(name)
            return model(image, training=False)
        finally:
            for layer, name in names.items():
                layer.name = name

    return call


def _fit_for_scopes(name: str) -> str:
    fit = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", name)
    return fit if re.match(r"[A-Za-z0-9.]", fit) else f"layer{fit}"


def check_backend(name: str) -> None:
    """Raise ``InputError`` unless Keras 3 computes with TensorFlow, whose converter is used."""
    used = sys.modules["keras"].config.backend()
    if used != BACKEND:
        raise InputError(
            f"{name} is of Keras 3, which computes with {used} here",
            f"save the model and convert the file in a process with KERAS_BACKEND={BACKEND}",
        )
