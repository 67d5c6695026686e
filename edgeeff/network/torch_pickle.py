"""Tensors from a PyTorch state dict in the legacy (not zip) format, without PyTorch.

Such a file is five pickles (magic number, protocol version, system information, state
dict, storage keys) and then the raw storages in the order of the keys, each after its
element count as a little-endian int64 (torch/serialization.py, ``_legacy_save``).

A pickle is a program. Its opcodes are checked against a short list before any of it
runs, and the only names it may import are those that a state dict of tensors needs.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgeeff import files
from edgeeff.errors import InputError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

STORAGES: dict[str, np.dtype[Any]] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
"""Names in module ``torch`` that say how a storage's bytes are to be read."""

# fmt: off
OPCODES = frozenset([
    "PROTO", "STOP", "MARK", "REDUCE", "BUILD", "GLOBAL", "BINPERSID", "NONE", "NEWTRUE",
    "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "EMPTY_TUPLE", "TUPLE",
    "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM",
    "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
])
# fmt: on
"""What pickle protocol 2 needs for dictionaries of tensors, and nothing more."""

MEMO_LIMIT = 1 << 20
"""Entries of the unpickler's table, which one opcode could otherwise grow to gigabytes."""


# Tuples, not dataclasses: a pickle's BUILD opcode could write to the fields of those.
class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]
    elements: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    @property
    def end(self) -> int:
        """One past the last element of the storage that the tensor touches."""
        if 0 in self.shape:
            return self.offset
        steps = zip(self.shape, self.strides, strict=True)
        return self.offset + 1 + sum((size - 1) * stride for size, stride in steps)


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All tensors of a legacy PyTorch state dict by name, in the file's order.

    Returns:
        Read-only arrays that share the file's bytes, in PyTorch's layout (convolution
        kernels are [out, in / groups, height, width]).

    Raises:
        InputError: not such a file, cut short, or a pickle that does anything else than
            list tensors; nothing in it has run then.
    """
    content = files.read_bytes(path)
    stream = io.BytesIO(content)
    try:
        magic, protocol = _load(stream), _load(stream)
        if (magic, protocol) != (MAGIC, PROTOCOL):
            raise ValueError("it is not PyTorch's legacy format")
        if _load(stream).get("little_endian") is not True:
            raise ValueError("its numbers are big-endian")
        tensors, keys = _load(stream), _load(stream)
        storages = _storages(memoryview(content), stream.tell(), keys, tensors)
        return {name: _array(name, tensor, storages) for name, tensor in tensors.items()}
    except _MALFORMED as error:
        raise InputError(
            f"{path} is not a readable PyTorch state dict: {error}",
            "it may be cut short; install the package again, or give the weights as "
            ".safetensors or .h5",
        ) from error


_MALFORMED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the standard unpickler raises on damaged input."""


class _Reader(pickle.Unpickler):
    """Resolves three kinds of names; a storage type stays a plain word that cannot be called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage, key, _location, elements, view = pid
        if kind != "storage" or view is not None or not isinstance(key, str):
            raise pickle.UnpicklingError(f"unknown reference {kind!r}")
        dtype: np.dtype[Any] = STORAGES[storage]
        return _Storage(key, dtype, _count(elements))


def _load(stream: io.BytesIO) -> Any:
    """Check one pickle's opcodes, then read it."""
    start = stream.tell()
    for opcode, argument, _position in pickletools.genops(stream):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"opcode {opcode.name} has no place in weights")
        if opcode.name == "LONG_BINPUT" and int(argument or 0) >= MEMO_LIMIT:
            raise pickle.UnpicklingError("its memo table is too large")
    stream.seek(start)
    return _Reader(stream).load()


def _rebuild(
    storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any = None, _hooks: Any = None
) -> _Tensor:
    """Stands in for ``torch._utils._rebuild_tensor_v2``; the bytes come later."""
    if not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise pickle.UnpicklingError("a tensor is not described as PyTorch does")
    sizes = tuple(_count(size) for size in shape)
    return _Tensor(storage, _count(offset), sizes, tuple(_count(step) for step in strides))


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise pickle.UnpicklingError(f"{value!r} is not a size")
    return value


def _storages(
    content: memoryview, position: int, keys: Any, tensors: Any
) -> dict[str, npt.NDArray[Any]]:
    """Cut the bytes after the pickles into storages."""
    if not isinstance(tensors, dict) or not isinstance(keys, list):
        raise ValueError("it does not hold a dictionary of tensors")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(f"entry {name!r} is not a tensor")
    used: list[_Storage] = [tensor.storage for tensor in tensors.values()]
    declared = {storage.key: storage for storage in used}
    if sorted(declared) != sorted(keys):
        raise ValueError("its list of storages does not fit its tensors")
    elements = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if elements > sum(storage.elements for storage in declared.values()):
        raise ValueError("its tensors have more elements than its storages")
    storages = {}
    for key in keys:
        storage = declared[key]
        found = int.from_bytes(content[position : position + 8], "little")
        if found != storage.elements:
            raise ValueError(f"storage {key} holds {found} elements, not {storage.elements}")
        storages[key] = np.frombuffer(content, storage.dtype, found, position + 8)
        position += 8 + storages[key].nbytes
    return storages


def _array(name: str, tensor: _Tensor, storages: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    values = storages[tensor.storage.key]
    # A tensor may be a transposed view of its storage.
    if tensor.end > values.size:
        raise ValueError(f"tensor {name!r} of shape {tensor.shape} does not fit its storage")
    strides = [stride * values.itemsize for stride in tensor.strides]
    view = np.ndarray(
        tensor.shape, tensor.storage.dtype, values, tensor.offset * values.itemsize, strides
    )
    return np.ascontiguousarray(view).reshape(tensor.shape)
