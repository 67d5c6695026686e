"""What a pickle of PyTorch says of tensors, read as data: nothing in it is ever run.

A pickle is a program for a small stack machine that can import and call anything. The machine
here knows the opcodes of pickle protocol 2 that dictionaries of tensors take, and has no way
to import or call. A name stays a word; the calls that PyTorch writes are read as what they
describe, and any other call ends the reading. Nothing a pickle does takes more time or memory
than its own length: keys are text or small numbers, and no value is printed or compared whole.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

STORAGES: Mapping[str, np.dtype[Any]] = {
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

MOST_AXES = 8
"""Of a tensor; the product of a million large sizes would take hours."""

LARGEST_NUMBER = 1 << 62
"""Sizes, offsets and strides beyond it cannot be meant."""


class Storage(NamedTuple):
    """Where a tensor's numbers are: ``elements`` of ``dtype`` under ``key`` in the same file."""

    key: str
    dtype: np.dtype[Any]
    elements: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def end(self) -> int:
        """One past the last element of the storage that the tensor touches."""
        if 0 in self.shape:
            return self.offset
        steps = zip(self.shape, self.strides, strict=True)
        return self.offset + 1 + sum((size - 1) * stride for size, stride in steps)


class Name(NamedTuple):
    """A global that the pickle names, such as ``torch.FloatStorage``; never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Opaque(NamedTuple):
    """An object of the training script beside the weights; what it holds is not read."""

    kind: Name


ORDERED_DICT = Name("collections", "OrderedDict")
TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
PARAMETER = Name("torch._utils", "_rebuild_parameter")
OPAQUE = frozenset(
    [
        Name("argparse", "Namespace"),
        Name("collections", "Counter"),
        Name("collections", "defaultdict"),
        Name("torch", "Size"),
        Name("torch", "device"),
        Name("pathlib", "PosixPath"),
        Name("pathlib", "WindowsPath"),
        Name("numpy", "dtype"),
        Name("numpy.core.multiarray", "scalar"),
        Name("numpy._core.multiarray", "scalar"),
        Name("_codecs", "encode"),
    ]
)
"""What training scripts save beside the weights and nobody needs to read."""

KNOWN = frozenset([ORDERED_DICT, TENSOR, PARAMETER, *OPAQUE])


def load(stream: io.BytesIO) -> Any:
    """Read one pickle and leave the stream behind it.

    Returns:
        Text, numbers, lists, tuples and dictionaries, with ``Tensor`` for each tensor.

    Raises:
        ValueError: not a pickle, cut short, or one that does more than list tensors.
    """
    machine = _Machine()
    with warnings.catch_warnings():
        # Of escapes in texts that Python will not know one day: it is no fault of the user's.
        warnings.simplefilter("ignore", DeprecationWarning)
        for opcode, argument, _position in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.pop()
            step = STEPS.get(opcode.name)
            if step is None:
                raise ValueError(f"opcode {opcode.name} has no place in weights")
            step(machine, argument)
    raise ValueError("it is cut short")


@dataclass
class _Machine:
    """The state of the stack machine.

    Attributes:
        stack: values since the last mark.
        below: the stacks under each mark.
        memo: values that the pickle refers to again, by number.
    """

    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise ValueError("its stack is empty")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise ValueError("its stack is empty")
        return self.stack[-1]

    def marked(self) -> list[Any]:
        """Take everything since the last mark."""
        if not self.below:
            raise ValueError("it has no mark")
        values, self.stack = self.stack, self.below.pop()
        return values

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []


Step = Callable[[_Machine, Any], None]


def _push(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _constant(value: Any) -> Step:
    return lambda machine, _argument: machine.push(value)


def _tuple(count: int) -> Step:
    def step(machine: _Machine, _argument: Any) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return step


def _memorise(machine: _Machine, argument: int) -> None:
    machine.memo[argument] = machine.top()


def _recall(machine: _Machine, argument: int) -> None:
    if argument not in machine.memo:
        raise ValueError("it refers to a value that is not there")
    machine.push(machine.memo[argument])


def _name(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    found = Name(module, name)
    stored = module == "torch" and name.endswith("Storage")
    if stored and name not in STORAGES:
        raise ValueError(f"its numbers are in a {found}, which is not read: save them as float32")
    if found not in KNOWN and not stored:
        raise ValueError(f"it asks for {found}, which weights do not need")
    machine.push(found)


def _call(machine: _Machine, _argument: None) -> None:
    """Read a call as what it makes."""
    arguments, called = machine.pop(), machine.pop()
    if not isinstance(arguments, tuple) or not isinstance(called, Name):
        raise ValueError("it calls something that is not a function")
    if called == ORDERED_DICT and not arguments:
        machine.push({})
    elif called == TENSOR:
        machine.push(_tensor(arguments))
    elif called == PARAMETER and arguments and isinstance(arguments[0], Tensor):
        machine.push(arguments[0])
    elif called in OPAQUE:
        machine.push(Opaque(called))
    else:
        raise ValueError(f"it calls {called} in a way that weights do not need")


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    storage, offset, shape, strides = (*arguments, None, None, None, None)[:4]
    described = isinstance(storage, Storage)
    described = described and isinstance(shape, tuple) and isinstance(strides, tuple)
    if not described or len(shape) != len(strides) or len(shape) > MOST_AXES:
        raise ValueError("a tensor is not described as PyTorch does")
    sizes, steps = tuple(map(_count, shape)), tuple(map(_count, strides))
    return Tensor(storage, _count(offset), sizes, steps)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        shown = value if type(value) is int else type(value).__name__
        raise ValueError(f"{shown} is not a size")
    return value


def _storage(machine: _Machine, _argument: None) -> None:
    """``("storage", type, key, device, elements)``; the legacy format adds a ``None``."""
    reference = machine.pop()
    if not isinstance(reference, tuple) or len(reference) not in (5, 6):
        raise ValueError("it refers to something that is not a storage")
    kind, stored, key, _device, elements, *view = reference
    plain = kind == "storage" if isinstance(kind, str) else False
    if not plain or any(part is not None for part in view) or not isinstance(key, str):
        raise ValueError("it refers to something that is not a storage")
    if not isinstance(stored, Name) or stored.name not in STORAGES:
        raise ValueError("a storage is of no type that PyTorch has")
    machine.push(Storage(key, STORAGES[stored.name], _count(elements)))


def _append(machine: _Machine, values: list[Any]) -> None:
    if not isinstance(machine.top(), list):
        raise ValueError("it appends to something that is not a list")
    machine.top().extend(values)


def _set(machine: _Machine, values: list[Any]) -> None:
    target = machine.top()
    if isinstance(target, Opaque):
        return
    if not isinstance(target, dict) or len(values) % 2:
        raise ValueError("it sets items of something that is not a dictionary")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if type(key) not in (str, int):
            raise ValueError(f"a key of type {type(key).__name__} has no place in weights")
        target[key] = value


def _append_one(machine: _Machine, _argument: None) -> None:
    value = machine.pop()
    _append(machine, [value])


def _set_one(machine: _Machine, _argument: None) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine, [key, value])


def _attributes(machine: _Machine, _argument: None) -> None:
    """Drop an object's attributes: a state dict's ``_metadata``, what a script keeps."""
    machine.pop()
    if not isinstance(machine.top(), (dict, Opaque)):
        raise ValueError("it sets attributes of something that has none")


STEPS: Mapping[str, Step] = {
    "PROTO": lambda _machine, _argument: None,
    "MARK": lambda machine, _argument: machine.mark(),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "BINFLOAT": _push,
    "BININT": _push,
    "BININT1": _push,
    "BININT2": _push,
    "LONG1": _push,
    "BINUNICODE": _push,
    "EMPTY_TUPLE": _constant(()),
    "TUPLE": lambda machine, _argument: machine.push(tuple(machine.marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "EMPTY_LIST": lambda machine, _argument: machine.push([]),
    "APPEND": _append_one,
    "APPENDS": lambda machine, _argument: _append(machine, machine.marked()),
    "EMPTY_DICT": lambda machine, _argument: machine.push({}),
    "SETITEM": _set_one,
    "SETITEMS": lambda machine, _argument: _set(machine, machine.marked()),
    "GLOBAL": _name,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _attributes,
    "BINPERSID": _storage,
    "BINPUT": _memorise,
    "LONG_BINPUT": _memorise,
    "BINGET": _recall,
    "LONG_BINGET": _recall,
}
"""What each opcode does; those of pickle protocol 2 that dictionaries of tensors need."""
