"""A model's main graph in memory, to look at and to change; packed when a file or runtime asks.

Tensors keep their numbers whatever is changed, so that what is known of them can be kept by
number. Tensors and operators are values: a change replaces them, and a copy of a graph shares all
that neither of the two changes.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeeff.arrays import FloatArray
from edgeeff.errors import InputError
from edgeeff.tflite.model import Attachment, Model, Operator, Signature, Subgraph, Tensor
from edgeeff.tflite.packing import default_options, pack
from edgeeff.tflite.reader import parse_model


class Graph:
    """The main graph of a model; changes do not touch the model it was made of."""

    def __init__(self, model: Model) -> None:
        """Take the main graph of a checked model."""
        self._base = model
        main = model.graphs[0]
        self._rest = main.table
        self._graph_name = main.name
        self._tensors = list(main.tensors)
        self._operators = list(main.operators)
        self._inputs, self._outputs = main.inputs, main.outputs
        self._signatures, self._attachments = model.signatures, model.attachments
        elsewhere = (tensor for graph in model.graphs for tensor in graph.tensors)
        numbers = [tensor.buffer for tensor in elsewhere]
        numbers += [attachment.buffer for attachment in model.attachments]
        self._buffers = max([*numbers, len(model.table.get("buffers") or ()) - 1, 0]) + 1

    @classmethod
    def of(cls, content: bytes, name: str = "the model") -> Graph:
        """Read the content of a ``.tflite`` file of any origin.

        Raises:
            InputError: not a model, damaged, or inconsistent.
        """
        return cls(parse_model(content, name))

    @classmethod
    def empty(cls) -> Graph:
        """A graph without tensors."""
        main = Subgraph("", (), (), (), ())
        return cls(Model("the model", memoryview(b""), 3, "", (main,), (), ()))

    def copy(self) -> Graph:
        """The same graph, to be changed on its own."""
        other = copy.copy(self)
        other._tensors, other._operators = list(self._tensors), list(self._operators)
        return other

    def content(self) -> bytes:
        """The model as it is now, as a ``.tflite``.

        Raises:
            InputError: it has more than 2 GB.
            ValueError: changes left an operator that reads what none before it makes.
        """
        main = Subgraph(
            self._graph_name,
            tuple(self._tensors),
            tuple(self._operators),
            self._inputs,
            self._outputs,
            self._rest,
        )
        if main.disorder:
            raise ValueError(main.disorder)
        return pack(self._base, main, self._signatures, self._attachments)

    @property
    def subgraphs(self) -> int:
        """How many graphs the model has: others are bodies of conditions and loops."""
        return len(self._base.graphs)

    @property
    def tensors(self) -> Sequence[Tensor]:
        """All tensors, each at its number."""
        return tuple(self._tensors)

    @property
    def operators(self) -> Sequence[Operator]:
        """In order of execution."""
        return tuple(self._operators)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the tensors that the caller sets."""
        return self._inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of the tensors that the caller reads."""
        return self._outputs

    @property
    def input(self) -> int:
        """Number of the picture."""
        return self._inputs[0]

    @property
    def output(self) -> int:
        """Number of the result."""
        return self._outputs[0]

    @cached_property
    def producer(self) -> Mapping[int, Operator]:
        """The operator that makes a tensor, by number."""
        found = {tensor: operator for operator in self._operators for tensor in operator.outputs}
        return MappingProxyType(found)

    @cached_property
    def consumers(self) -> Mapping[int, tuple[Operator, ...]]:
        """The operators that read a tensor, in order, by number; twice if they read it twice."""
        found: dict[int, tuple[Operator, ...]] = defaultdict(tuple)
        for operator in self._operators:
            for tensor in operator.inputs:
                found[tensor] += (operator,)
        return MappingProxyType(dict(found))

    @cached_property
    def activations(self) -> tuple[int, ...]:
        """Float tensors that depend on the picture, in order: the input first."""
        made = [tensor for operator in self._operators for tensor in operator.outputs]
        return tuple(t for t in [self.input, *made] if self._tensors[t].dtype == "float32")

    def tensor(self, number: int) -> Tensor:
        """A tensor by its number."""
        return self._tensors[number]

    def name(self, number: int) -> str:
        """The name of a tensor."""
        return self._tensors[number].name

    def shape(self, number: int) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self._tensors[number].shape

    def values(self, number: int) -> npt.NDArray[Any] | None:
        """A constant's values in its shape, read-only; ``None`` for an activation."""
        return self._tensors[number].values

    def weights(self, operator: Operator) -> FloatArray:
        """A layer's kernel as the file has it, read-only.

        ``[out, height, width, in]`` for convolutions, ``[1, height, width, channels]`` for
        depthwise ones, ``[out, in]`` for dense layers.
        """
        return self._float_values(operator, operator.inputs[1], "weights")

    def set_weights(self, operator: Operator, values: npt.NDArray[Any]) -> None:
        """Replace a layer's kernel; its shape may be another one."""
        self.set_values(operator.inputs[1], values)

    def bias(self, operator: Operator) -> FloatArray | None:
        """A layer's bias ``[out]``, read-only, or ``None`` if it has none."""
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return None
        return self._float_values(operator, operator.inputs[2], "bias")

    def set_bias(self, operator: Operator, values: npt.NDArray[Any]) -> None:
        """Replace the bias of a layer that has one; its shape may be another one."""
        self.set_values(operator.inputs[2], values)

    def set_values(self, number: int, values: npt.NDArray[Any]) -> None:
        """Replace a constant by one of the same type; its shape may be another one.

        Equal constants may share their bytes in the file: the others keep theirs.
        """
        tensor = self._tensors[number]
        content = np.ascontiguousarray(values, np.dtype(tensor.dtype)).tobytes()
        buffer = self._new_buffer() if self._shared(tensor.buffer) else tensor.buffer
        self._tensors[number] = replace(
            tensor, shape=values.shape, buffer=buffer, content=memoryview(content)
        )

    def resize(self, number: int, shape: Sequence[int]) -> None:
        """Give an activation another shape."""
        self._tensors[number] = replace(self._tensors[number], shape=tuple(shape))

    def rename(self, number: int, name: str) -> None:
        """Give a tensor another name, and with it the operator that makes it."""
        self._tensors[number] = replace(self._tensors[number], name=name)
        maker = self.producer.get(number)
        if maker is not None and maker.output == number:
            self.update(maker, name=name)

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        """Add an activation that no operator makes yet.

        Args:
            name: that no other tensor should have.
            shape: -1 for a size that is open.
            dtype: such as ``"int8"``.
            scale: of a quantized tensor.
            zero_point: likewise.

        Returns:
            Its number.
        """
        scales = () if scale is None else (float(np.float32(scale)),)
        zero_points = () if scale is None else (zero_point,)
        tensor = Tensor(len(self._tensors), name, tuple(shape), dtype, scales, zero_points)
        self._tensors.append(tensor)
        return tensor.index

    def add_constant(self, name: str, values: npt.NDArray[Any]) -> int:
        """Add a constant of the values' shape and type; its number."""
        number = self.add_tensor(name, values.shape, values.dtype.name)
        self._tensors[number] = replace(
            self._tensors[number],
            buffer=self._new_buffer(),
            content=memoryview(np.ascontiguousarray(values).tobytes()),
            # As TensorFlow's converter writes them.
            table={"quantization": {}},
        )
        return number

    def add_copy(self, number: int, name: str) -> int:
        """Add a constant that is equal to another one, with bytes of its own; its number."""
        copied = replace(
            self._tensors[number],
            index=len(self._tensors),
            name=name,
            buffer=self._new_buffer(),
        )
        self._tensors.append(copied)
        return copied.index

    def add_operator(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Mapping[str, Any] | None = None,
        *,
        version: int = 1,
    ) -> Operator:
        """Add an operator behind the last one that makes what it reads.

        Args:
            kind: such as ``"MUL"``.
            inputs: tensor numbers.
            outputs: numbers of tensors that no operator makes yet.
            options: such as ``{"padding": "VALID"}``; those left out have their default.
            version: of the operator's definition.

        Raises:
            ValueError: an output is made already, or options that this kind does not have.
        """
        usual = default_options(kind)
        if unknown := sorted(set(options or ()) - set(usual)):
            raise ValueError(f"{kind} has no option {unknown[0]}")
        made = [tensor for tensor in outputs if tensor in self.producer]
        if made:
            raise ValueError(f"{self.name(made[0])} is made already")
        operator = Operator(
            kind,
            self.name(outputs[0]),
            False,
            version,
            tuple(inputs),
            tuple(outputs),
            {**usual, **(options or {})},
        )
        makers = [self.producer[tensor] for tensor in inputs if tensor in self.producer]
        place = max((self._operators.index(maker) + 1 for maker in makers), default=0)
        self._operators.insert(place, operator)
        self._forget_lookups()
        return operator

    def add_like(
        self, operator: Operator, inputs: Sequence[int], outputs: Sequence[int]
    ) -> Operator:
        """Add an operator of the kind and options of another one, also of another graph's."""
        added = self.add_operator(operator.kind, inputs, outputs, version=operator.version)
        return self.update(
            added, custom=operator.custom, options=operator.options, table=operator.table
        )

    def remove(self, *operators: Operator) -> None:
        """Remove operators; the tensors that they made are left for others to make."""
        for operator in operators:
            self._operators.remove(operator)
        self._forget_lookups()

    def update(self, operator: Operator, **changes: Any) -> Operator:
        """Replace attributes of an operator, such as its ``inputs``; the one it is then."""
        changed = replace(operator, **changes)
        self._operators[self._operators.index(operator)] = changed
        self._forget_lookups()
        return changed

    def redirect(
        self, number: int, other: int, *, readers: Sequence[Operator] | None = None
    ) -> None:
        """Let the readers of a tensor, all or some of them, read another one."""
        for operator in self.consumers.get(number, ()) if readers is None else readers:
            if number not in operator.inputs or operator not in self._operators:
                continue
            inputs = tuple(other if tensor == number else tensor for tensor in operator.inputs)
            self.update(operator, inputs=inputs)

    def set_input(self, number: int) -> None:
        """Make another tensor the picture, also for signatures."""
        before, self._inputs = self.input, (number, *self._inputs[1:])
        self._signatures = tuple(
            replace(signature, inputs=_moved(signature.inputs, before, number))
            for signature in self._signatures
        )
        self._forget_lookups()

    def set_output(self, number: int) -> None:
        """Make another tensor the result, also for signatures."""
        before, self._outputs = self.output, (number, *self._outputs[1:])
        self._signatures = tuple(
            replace(signature, outputs=_moved(signature.outputs, before, number))
            for signature in self._signatures
        )

    def expose(self, tensors: Sequence[int]) -> None:
        """Make these tensors the graph's outputs, so that one pass reads them all.

        XNNPACK keeps what is an output, which the reference interpreter's
        ``experimental_preserve_all_tensors`` would only do three times as slowly. The
        signatures no longer fit and are dropped.
        """
        self._outputs, self._signatures = tuple(tensors), ()
        self._forget_lookups()

    def cut(self, *, inputs: Sequence[int] | None = None, outputs: Sequence[int]) -> None:
        """Keep only the operators between these inputs and outputs, which become the graph's.

        Constants that nothing reads any more let go of their values.
        """
        self._inputs = self._inputs if inputs is None else tuple(inputs)
        self.expose(outputs)
        needed, kept = set(outputs) - set(self._inputs), []
        for operator in reversed(self._operators):
            if needed.intersection(operator.outputs):
                needed |= set(operator.inputs) - set(self._inputs)
                kept.append(operator)
        self._operators = kept[::-1]
        for tensor in self._tensors:
            if tensor.constant and tensor.index not in needed:
                # Another constant may share its bytes.
                self._tensors[tensor.index] = replace(tensor, buffer=0, content=None)

    def drop_unused(self) -> Mapping[int, int]:
        """Drop tensors that no operator makes or reads, and renumber the others.

        Returns:
            The new number of each tensor that is left, by its old one.
        """
        used = {*self._inputs, *self._outputs}
        for operator in self._operators:
            used.update(operator.inputs, operator.outputs)
        kept = sorted(used - {-1})
        new = {-1: -1, **{old: number for number, old in enumerate(kept)}}

        def moved(numbers: Sequence[int]) -> tuple[int, ...]:
            return tuple(new[number] for number in numbers)

        def named(ends: Mapping[str, int]) -> Mapping[str, int]:
            return {name: new[number] for name, number in ends.items()}

        self._tensors = [replace(self._tensors[old], index=new[old]) for old in kept]
        self._operators = [
            replace(operator, inputs=moved(operator.inputs), outputs=moved(operator.outputs))
            for operator in self._operators
        ]
        self._inputs, self._outputs = moved(self._inputs), moved(self._outputs)
        self._signatures = tuple(
            replace(signature, inputs=named(signature.inputs), outputs=named(signature.outputs))
            for signature in self._signatures
        )
        self._forget_lookups()
        return MappingProxyType({old: new[old] for old in kept})

    def sign(self, key: str, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> None:
        """Give the model one signature, in place of all it has."""
        self._signatures = (Signature(key, dict(inputs), dict(outputs), 0),)

    def attached(self, name: str) -> bytes | None:
        """The bytes attached to the model by name, if there are any."""
        found = [entry for entry in self._attachments if entry.name == name and entry.content]
        return bytes(found[0].content) if found else None

    def attach(self, name: str, content: bytes) -> None:
        """Attach bytes to the model by name, in place of those of the same name."""
        self.detach(name)
        added = Attachment(name, self._new_buffer(), memoryview(content))
        self._attachments = (*self._attachments, added)

    def detach(self, name: str) -> None:
        """Take the bytes of a name off the model; nothing happens if there are none."""
        self._attachments = tuple(entry for entry in self._attachments if entry.name != name)

    def _float_values(self, operator: Operator, number: int, what: str) -> FloatArray:
        values = self.values(number)
        if values is None or values.dtype != np.float32:
            raise InputError(f"the {what} of {operator.name} are not float32 constants")
        return values

    def _new_buffer(self) -> int:
        self._buffers += 1
        return self._buffers - 1

    def _shared(self, buffer: int) -> bool:
        """Whether several tensors have a buffer; the first is nobody's."""
        others = (tensor for graph in self._base.graphs[1:] for tensor in graph.tensors)
        users = sum(tensor.buffer == buffer for tensor in (*self._tensors, *others))
        return buffer == 0 or users > 1

    def _forget_lookups(self) -> None:
        for name in _LOOKUPS:
            vars(self).pop(name, None)


def _moved(ends: Mapping[str, int], before: int, after: int) -> Mapping[str, int]:
    """A signature's ends, one of them at another tensor."""
    return {name: after if number == before else number for name, number in ends.items()}


_LOOKUPS = ("producer", "consumers", "activations")
