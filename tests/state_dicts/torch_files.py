"""Writes what ``torch.save`` writes, without PyTorch: state dicts in both of its formats."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


class Storage(NamedTuple):
    """A storage as a pickle refers to it."""

    key: str
    kind: str
    elements: int


class Tensor:
    """A tensor as a state dict holds it; whatever it says, right or wrong, is written."""

    def __init__(self, storage: Storage, offset: int, shape: Any, strides: Any) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def pretend_torch(patch: pytest.MonkeyPatch) -> None:
    """Let pickles be written that name PyTorch's functions and types."""

    def _rebuild_tensor_v2(*_arguments: Any) -> None:
        raise AssertionError("only its name is ever pickled")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils, torch = ModuleType("torch._utils"), ModuleType("torch")
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for kind in ("FloatStorage", "LongStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch", "__qualname__": kind}))
    patch.setitem(sys.modules, "torch._utils", utils)
    patch.setitem(sys.modules, "torch", torch)


def dump(value: Any, protocol: int = 2, *, zipped: bool = False) -> bytes:
    """One pickle, with storages written as references."""
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol)
    pickler.zipped = zipped
    pickler.dump(value)
    return stream.getvalue()


class _Pickler(pickle.Pickler):
    zipped = False

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        kind = getattr(sys.modules["torch"], value.kind)
        reference = ("storage", kind, value.key, "cpu", value.elements)
        return reference if self.zipped else (*reference, None)


def state_dict(
    tensors: Mapping[str, Any], storages: Mapping[str, np.ndarray], **parts: Any
) -> bytes:
    """A file of these tensors; ``magic``, ``system``, ``protocol`` and ``keys`` replace parts."""
    protocol = parts.get("protocol", 2)
    keys = parts.get("keys", list(storages))
    pickles = (parts.get("magic", MAGIC), 1001, parts.get("system", SYSTEM), tensors, keys)
    content = b"".join(dump(value, protocol) for value in pickles)
    for values in storages.values():
        content += values.size.to_bytes(8, "little") + values.tobytes()
    return content


def two_tensors(**parts: Any) -> bytes:
    """A correct file: ``a.weight`` [2, 3] row by row, ``b.weight`` [3, 2] transposed, 0..5 each."""
    first, second = Storage("1", "FloatStorage", 6), Storage("2", "FloatStorage", 6)
    tensors = OrderedDict(
        [
            ("a.weight", Tensor(first, 0, (2, 3), (3, 1))),
            ("b.weight", Tensor(second, 0, (3, 2), (1, 3))),
        ]
    )
    values = np.arange(6, dtype=np.float32)
    return state_dict(parts.pop("tensors", tensors), {"1": values, "2": values}, **parts)


def archive(saved: Any, storages: Mapping[str, np.ndarray], **parts: Any) -> bytes:
    """The same as a zip archive; ``folder``, ``byteorder`` and ``compression`` replace parts."""
    folder = parts.get("folder", "archive")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", parts.get("compression", zipfile.ZIP_STORED)) as written:
        written.writestr(f"{folder}/data.pkl", dump(saved, zipped=True))
        written.writestr(f"{folder}/byteorder", parts.get("byteorder", "little"))
        for key, values in storages.items():
            written.writestr(f"{folder}/data/{key}", values.tobytes())
        written.writestr(f"{folder}/version", "3\n")
    return stream.getvalue()


def of_arrays(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tensor], dict[str, np.ndarray]]:
    """Float32 arrays as tensors, each with a storage of its own, and these storages."""
    tensors, storages = {}, {}
    for number, (name, values) in enumerate(arrays.items()):
        strides = tuple(step // 4 for step in np.ascontiguousarray(values).strides)
        storage = Storage(str(number), "FloatStorage", values.size)
        tensors[name] = Tensor(storage, 0, values.shape, strides)
        storages[str(number)] = np.ascontiguousarray(values, "<f4").reshape(-1)
    return tensors, storages
