"""What a path has to be to hold weights, as far as its name and the folder that it is in tell."""

from __future__ import annotations

import os
import re
from pathlib import Path

from edgeeff.errors import InputError
from edgeeff.shell import word
from edgeeff.state_dicts.reading import SUFFIXES

KERAS = (".h5", ".hdf5", ".keras")
KINDS = (*KERAS, ".safetensors", *SUFFIXES)


def check_there(path: Path, others: str) -> None:
    """Refuse a path at which no file is.

    Args:
        path: of a weight file, or what the files of a TensorFlow checkpoint have in common.
        others: what may stand in its place.

    Raises:
        InputError: nothing is there, or a device or pipe.
    """
    if not any(os.path.exists(one) for one in (path, Path(f"{path}.index"))):
        raise InputError(
            f"{path}: no such weight file or run", f"give the path of one, or {others}"
        )
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise InputError(f"{path} is not a regular file", "copy it into one")


def check_kind(path: Path, network: str) -> None:
    """Refuse a path at which weights of no kind that is read can be.

    Args:
        path: of a file, or a TensorFlow checkpoint: its folder or its common prefix.
        network: whose weights they should be, for the message.

    Raises:
        InputError: a SavedModel, or of a kind that is not read.
    """
    if checkpoint_prefix(path) is not None or os.path.isfile(path / "checkpoint"):
        return
    if os.path.isfile(path / "saved_model.pb"):
        raise InputError(
            f"{path} is a SavedModel: a whole network, not weights of {network}",
            f"edgeeff convert --model {word(path)}",
        )
    if path.suffix not in KINDS:
        raise unknown_kind(path)


def checkpoint_prefix(path: Path) -> Path | None:
    """What a checkpoint's files have in common, if the path is that or one of them."""
    if os.path.isdir(path):
        return None
    name = re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name)
    prefix = path.with_name(name)
    return prefix if os.path.isfile(prefix.with_name(f"{name}.index")) else None


def unknown_kind(path: Path) -> InputError:
    """The error for a path that is no kind of weight file."""
    return InputError(
        f"{path} is not a kind of weight file that edgeeff reads",
        f"these are: {', '.join(KINDS)} and TensorFlow checkpoints",
    )
