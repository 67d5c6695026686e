"""Tensors by name from the files that PyTorch's world writes.

``torch.save`` writes a zip archive since PyTorch 1.6: ``NAME/data.pkl`` beside one entry
``NAME/data/KEY`` for each storage. Before, a file was five pickles (magic number, protocol
version, system information, state dict, storage keys) and then the raw storages in the order
of the keys, each after its element count as a little-endian int64
(torch/serialization.py, ``_save`` and ``_legacy_save``).
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeeff import files, foreign
from edgeeff.arrays import Array
from edgeeff.state_dicts.pickles import Storage, Tensor, load

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

PICKLE_LIMIT = 64 << 20
"""Bytes of the pickle in an archive; that of B7 has a quarter of a million."""

Arrays = Mapping[str, Array]

WRAPPERS = (
    "state_dict_ema",
    "model_ema_state_dict",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
)
"""Where training scripts put the state dict; averaged weights first, as timm's loader does."""


@dataclass(frozen=True)
class Checkpoint:
    """What ``torch.save`` wrote.

    Attributes:
        tensors: of the state dict, by name, in the file's order: read-only arrays in PyTorch's
            layout (convolution kernels are [out, in / groups, height, width]).
        architecture: what a training script calls the network; empty if the file says nothing.
    """

    tensors: Arrays
    architecture: str = ""


def read_checkpoint(path: Path) -> Checkpoint:
    """The state dict in a file of ``torch.save``, bare or in a training script's checkpoint.

    Raises:
        InputError: not such a file, cut short, or a pickle that does anything else than
            list tensors; nothing in it has run then.
    """
    content = files.read_bytes(path)
    with foreign.parsing(
        f"{path} is not a readable PyTorch state dict",
        "if it is whole, save the weights alone and without the code: "
        "torch.save(model.state_dict(), 'weights.pth')",
    ):
        return _from_archive(content) if content.startswith(b"PK") else _from_legacy(content)


def _from_archive(content: bytes) -> Checkpoint:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        pickled = [name for name in entries if name.endswith("/data.pkl")]
        if len(pickled) != 1 or pickled[0].count("/") != 1:
            raise ValueError("the zip archive holds no data.pkl, or several")
        folder = pickled[0].partition("/")[0]
        if entries[pickled[0]].file_size > PICKLE_LIMIT:
            raise ValueError("its data.pkl is larger than that of any EfficientNet")
        order = entries.get(f"{folder}/byteorder")
        if order is not None and order.file_size < 16 and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")

        def storage(wanted: Storage) -> Array:
            entry = entries.get(f"{folder}/data/{wanted.key}")
            size = wanted.elements * wanted.dtype.itemsize
            if entry is None or entry.file_size != size:
                raise ValueError(f"storage {wanted.key[:40]} is not there, or of another size")
            if entry.compress_type != zipfile.ZIP_STORED or size > len(content):
                raise ValueError("its storages are compressed, which PyTorch never does")
            return np.frombuffer(archive.read(entry), wanted.dtype)

        saved = load(io.BytesIO(archive.read(pickled[0])))
        arrays = _arrays(state_dict(saved), storage, len(content))
        return Checkpoint(arrays, _architecture(saved))


def _from_legacy(content: bytes) -> Checkpoint:
    stream = io.BytesIO(content)
    if (load(stream), load(stream)) != (MAGIC, PROTOCOL):
        raise ValueError("it is neither PyTorch's zip archive nor its legacy format")
    system = load(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    pickled = load(stream)
    keys = load(stream)
    tensors = state_dict(pickled)
    everything = [found.storage for found in _tensors_in(pickled)]
    found = _cut(memoryview(content), stream.tell(), keys, everything)
    arrays = _arrays(tensors, lambda wanted: found[wanted.key], len(content))
    return Checkpoint(arrays, _architecture(pickled))


def state_dict(pickled: Any) -> dict[str, Tensor]:
    """The dictionary of tensors in what was pickled. Raises ``ValueError`` without one."""
    for _ in range(len(WRAPPERS)):
        if not isinstance(pickled, dict):
            break
        inner = next((key for key in WRAPPERS if isinstance(pickled.get(key), dict)), None)
        if inner is None:
            break
        pickled = pickled[inner]
    if not isinstance(pickled, dict) or not pickled:
        raise ValueError("it does not hold a dictionary of tensors")
    for name, value in pickled.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            shown = repr(name[:80]) if isinstance(name, str) else "without a name"
            raise ValueError(f"entry {shown} is not a tensor")
    return pickled


def _architecture(saved: Any) -> str:
    """``arch`` in the checkpoints of timm's training script."""
    name = saved.get("arch") if isinstance(saved, dict) else None
    return name if isinstance(name, str) else ""


def _tensors_in(pickled: Any) -> Iterable[Tensor]:
    """Every tensor, those of the optimizer included; containers are visited once each."""
    waiting, seen = [pickled], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)


def _cut(
    content: memoryview, position: int, keys: Any, declared: Iterable[Storage]
) -> dict[str, Array]:
    """Cut the bytes after the legacy format's pickles into storages."""
    wanted = {storage.key: storage for storage in declared}
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it does not hold a list of storages")
    if sorted(wanted) != sorted(keys):
        raise ValueError("its list of storages does not fit its tensors")
    storages = {}
    for key in keys:
        storage = wanted[key]
        found = int.from_bytes(content[position : position + 8], "little")
        if found != storage.elements:
            raise ValueError(f"storage {key[:40]} holds {found} elements, not {storage.elements}")
        storages[key] = np.frombuffer(content, storage.dtype, found, position + 8)
        position += 8 + storages[key].nbytes
    return storages


def _arrays(
    tensors: Mapping[str, Tensor], storage: Callable[[Storage], Array], room: int
) -> dict[str, Array]:
    """Read the tensors; ``room`` is the bytes of the file."""
    used = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    # A stride of 0 repeats an element as often as the shape says.
    elements = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if elements > sum(stored.elements for stored in used.values()):
        raise ValueError("its tensors have more elements than its storages")
    # Entries of an archive may lie one upon the other.
    if sum(stored.elements * stored.dtype.itemsize for stored in used.values()) > room:
        raise ValueError("its storages are larger than the file")
    read = {key: storage(stored) for key, stored in used.items()}
    return {name: _view(name, tensor, read[tensor.storage.key]) for name, tensor in tensors.items()}


def _view(name: str, tensor: Tensor, values: Array) -> Array:
    # A tensor may be a transposed view of its storage.
    if tensor.end > values.size or tensor.storage.dtype != values.dtype:
        raise ValueError(f"tensor {name[:80]!r} does not fit its storage")
    strides = [stride * values.itemsize for stride in tensor.strides]
    offset = tensor.offset * values.itemsize
    view: Array = np.ndarray(tensor.shape, values.dtype, values, offset, strides)
    return np.ascontiguousarray(view).reshape(tensor.shape)
